//! MLflow's client, huggingface_hub and @huggingface/hub, unmodified, from their registries.

use std::path::{Path, PathBuf};
use std::process::Command;

use larder::Selection;
use larder::access::Role;
use larder::files::Tree;
use larder::maintenance::LarderMaintenance;
use larder::prelude::*;
use larder_tests::npm::with_package;
use larder_tests::python::with_packages;

use super::Serving;

const MLFLOW: &str = include_str!("../../../fixtures/server/mlflow_registry.py");
const HUB: &str = include_str!("../../../fixtures/server/hub_client.py");
const HUB_JS: &str = include_str!("../../../fixtures/server/hub_client.mjs");

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn python(name: &str, packages: &[&str]) -> PathBuf {
    with_packages(target(), name, packages)
}

/// Runs a program with these variables, and returns what it says.
fn run(command: &mut Command, variables: &[(&str, &str)]) -> String {
    let place = tempfile::tempdir().unwrap();
    // Clients keep caches and settings where these say.
    for name in ["HOME", "TMPDIR", "HF_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"] {
        command.env(name, place.path());
    }
    for name in
        ["MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS"]
    {
        command.env(name, "true");
    }
    let output =
        command.current_dir(place.path()).envs(variables.iter().copied()).output().unwrap();
    let [said, errors] =
        [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    assert!(output.status.success(), "{said}\n{errors}");
    said
}

fn assert_sound(larder: &Larder) {
    let report = larder.maintenance().verify(Selection::All).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn mlflow_logs_registers_finds_and_loads_models() {
    let python = python("mlflow-full", &super::MLFLOW);
    let serving = Serving::start();
    let reader = serving.user("reader", &[(Role::Viewer, "house/*")]);
    let url = serving.server.url();
    let variables = [("MLFLOW_TRACKING_URI", &*url), ("MLFLOW_TRACKING_TOKEN", &serving.admin)];
    let said = run(Command::new(python).args(["-c", MLFLOW, &reader]), &variables);
    let run_id = said.trim().lines().last().unwrap().to_owned();

    // What MLflow logged is an ordinary version.
    let larder = &serving.larder;
    let notes = larder.annotations("house/copy").unwrap();
    assert!((0.9..=1.0).contains(&notes.metrics["accuracy"]), "{notes:?}");
    // It was logged after the version was registered under the first name.
    assert_eq!(notes.metrics["late"], 0.5);
    assert_eq!(notes.labels["mlflow/run"], run_id);
    assert_eq!(notes.labels["mlflow/flavors"], "python_function, sklearn");
    assert_eq!(notes.labels["mlflow/format"], "skops");
    assert_eq!(notes.labels["param/solver"], "lbfgs");
    assert_eq!(notes.labels["from"], "a run");
    let files = larder.load::<Tree>("house/copy").unwrap();
    let names: Vec<_> = files.files().map(|(path, _)| path.to_string()).collect();
    assert!(names.contains(&"MLmodel".to_owned()) && names.contains(&"model.skops".to_owned()));
    assert_eq!(larder.versions("house/iris").unwrap().len(), 1);
    assert_sound(larder);
}

#[test]
fn huggingface_hub_lists_reads_and_writes_models() {
    let python = python("huggingface-hub", &["huggingface_hub==2.4.0"]);
    let serving = Serving::start();
    let reader = serving.user("reader", &[(Role::Viewer, "house/*")]);
    let url = serving.server.url();
    let variables = [("HF_ENDPOINT", &*url), ("HF_TOKEN", &serving.admin)];
    run(Command::new(python).args(["-c", HUB, &reader]), &variables);

    let files = serving.larder.load::<Tree>("house/price@1").unwrap();
    assert_eq!(files.files().len(), 5);
    let notes = serving.larder.annotations("house/price@1").unwrap();
    assert_eq!(notes.description.as_deref(), Some("The first"));
    assert_sound(&serving.larder);
}

#[test]
fn huggingface_hub_of_javascript_lists_reads_and_writes_models() {
    let folder = with_package(target(), "huggingface-hub-js", "@huggingface/hub@2.17.5", HUB_JS);
    let serving = Serving::start();
    let url = serving.server.url();
    let mut command = Command::new("node");
    command.arg(folder.join("main.mjs")).args([&url, &serving.admin]);
    run(&mut command, &[]);
    assert_eq!(serving.larder.versions("home/flat").unwrap().len(), 3);
    assert_sound(&serving.larder);
}
