//! The examples, run as a user runs them.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use larder::store::StoreExt;
use larder_tests::third_party::{flowers, species};

/// A built example of the crate `larder`. It lies beside the programs of these tests.
fn example(name: &str) -> PathBuf {
    let programs = Path::new(env!("CARGO_BIN_EXE_worker")).parent().unwrap();
    let path = programs.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "build it first: cargo build -p larder --all-features --examples");
    path
}

/// Returns the output of an example for `input`.
fn run(name: &str, folder: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new(example(name));
    command.args(args).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every example of the facade, in an order in which each finds what it needs.
const EXAMPLES: [&str; 7] =
    ["class_model", "custom_serializer", "notifier", "retrain", "training", "inference", "wine"];

#[test]
fn every_example_runs_without_arguments_again_and_again() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let manifest = std::fs::read_to_string(sources.join("../Cargo.toml")).unwrap();
    let listed = manifest.split("[[example]]").skip(1);
    let mut listed: Vec<_> = listed.map(|entry| entry.split('"').nth(1).unwrap()).collect();
    let mut examples = EXAMPLES.to_vec();
    examples.sort_unstable();
    listed.sort_unstable();
    assert_eq!(examples, listed);

    let folder = tempfile::tempdir().unwrap();
    // Tests of their own below run the other two without arguments, which takes long.
    let quick = EXAMPLES.iter().filter(|name| !matches!(**name, "class_model" | "wine"));
    for example in quick.clone().chain(quick) {
        run(example, folder.path(), &[], "");
    }
}

#[test]
fn training_and_inference_share_a_reference_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let held_back: Vec<usize> = (0..150).step_by(5).collect();
    let (flowers, species) = (flowers(), species());
    let lines: Vec<String> =
        held_back.iter().map(|i| serde_json::to_string(&flowers[*i]).unwrap()).collect();
    for wired in ["larder.db#iris/tree:prod", "fs:shelf#iris/tree:prod", "larder.db#other"] {
        let said = run("training", folder.path(), &[wired], "");
        assert!(said.contains("@1, fitted to 120 irises"), "{said}");
        let said = run("inference", folder.path(), &[wired], &lines.join("\n"));
        let said: Vec<String> =
            said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(said.len(), held_back.len());
        let names = ["setosa", "versicolor", "virginica"];
        let right = said.iter().zip(&held_back).filter(|(said, i)| *said == names[species[**i]]);
        assert!(right.count() >= 27, "{said:?}");
    }
}

#[test]
fn a_serializer_of_ones_own_is_kept_beside_its_model() {
    let folder = tempfile::tempdir().unwrap();
    let said = run("custom_serializer", folder.path(), &["larder.db"], "");
    assert!(said.contains("with the serializer, 150 predictions are unchanged"), "{said}");
    assert!(said.contains("the serializer `npy-f64` is not linked in"), "{said}");
    assert!(said.contains("its record says: `npy` in Larder's examples"), "{said}");

    // The blob is a file of NumPy's, as any reader of that format sees it.
    let larder = larder::open(folder.path().join("larder.db").to_str().unwrap()).unwrap();
    let digest = larder.show("iris/nearest").unwrap().manifest.artifacts()[0].digest;
    let blob = larder.store().get_blob(&digest).unwrap().unwrap();
    assert!(blob.starts_with(b"\x93NUMPY\x01\x00"), "{:?}", &blob[..8]);
    let header = String::from_utf8_lossy(&blob[10..70]).into_owned();
    assert!(header.contains("'descr': '<f8'") && header.contains("(3, 4)"), "{header}");
}

#[test]
fn wines_are_judged_by_a_second_process_as_by_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let said = run("wine", folder.path(), &[], ""); // which fails if the accuracy differs
    assert_eq!(said.matches("created").count(), 2, "{said}");
    let [sqlite, shelf] = ["larder.db", "fs:larder"].map(|store| {
        let larder =
            larder::open(folder.path().join(store.trim_start_matches("fs:")).to_str().unwrap());
        larder.unwrap().show("wine/quality").unwrap().version
    });
    assert_eq!(sqlite.digest, shelf.digest);
    assert!(sqlite.size > 1_000_000, "{sqlite:?}");
}

#[test]
fn a_class_model_searches_the_files_that_it_was_logged_with_in_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let said = run("class_model", folder.path(), &[], "");
    for store in ["sqlite:neighbours.db", "fs:neighbours"] {
        let line = format!("{store}: loaded in another process, all predictions are equal");
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn a_notifier_goes_only_with_d_after_it_started_and_is_cleaned_up() {
    let folder = tempfile::tempdir().unwrap();
    for store in ["larder.db", "fs:shelf"] {
        let said = run("notifier", folder.path(), &[store], "");
        let expected = [
            "rejected: `d` does not contain `{time}`",
            "start of v1 succeeded",
            "go of v1 skipped",
            "start of v2 succeeded",
            "go of v2 succeeded",
            "received: registered bell@1",
            "received: connected",
            "received: bell@1 starts",
            "received: registered bell@2",
            "received: connected",
            "received: bell@2 starts",
            "received: come to the cellar at noon",
            "received: come to the cellar at noon",
            "received: unregistered bell@1",
            "received: unregistered bell@2",
        ];
        assert_eq!(said.lines().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_component_trains_itself_and_the_best_version_is_the_candidate() {
    let folder = tempfile::tempdir().unwrap();
    let said = run("retrain", folder.path(), &["larder.db"], "");
    assert!(said.contains("3 levels: wine/classifier@2 has an accuracy of"), "{said}");
    assert!(said.contains("9 levels: wine/classifier@4 has an accuracy of"), "{said}");
    assert!(said.contains("1 levels: wine/classifier@6 has an accuracy of"), "{said}");

    // linfa breaks ties as its hash maps have it, so which one is the best differs from run to run.
    let larder = larder::open(folder.path().join("larder.db").to_str().unwrap()).unwrap();
    let accuracies = [2, 4, 6].map(|number| {
        let notes = larder.annotations(&*format!("wine/classifier@{number}")).unwrap();
        (notes.metrics["accuracy"], number)
    });
    assert!(accuracies.iter().all(|(accuracy, _)| *accuracy > 0.5), "{accuracies:?}");
    let mut better = Vec::new();
    for (accuracy, number) in accuracies {
        if better.last().is_none_or(|(best, _)| accuracy > *best) {
            better.push((accuracy, number));
        }
    }
    let (_, best) = better[better.len() - 1];
    assert!(said.contains(&format!("wine/classifier@{best} is the best")), "{said}");
    assert_eq!(said.matches("the new candidate").count(), better.len(), "{said}");
    assert_eq!(larder.show("wine/classifier:candidate").unwrap().version.version.get(), best);
    assert_eq!(larder.tags().history("wine/classifier", "candidate").unwrap().len(), better.len());

    let versions = larder.versions("wine/classifier").unwrap();
    assert_eq!(versions.iter().filter(|version| version.job.is_some()).count(), 3);
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}
