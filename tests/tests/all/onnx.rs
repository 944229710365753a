//! ONNX models of other projects through both engines, compared with what these projects answer.
//!
//! Each test has a short form; with `LARDER_ONNX=all` it runs in full.

mod conformance;
mod estimators;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Packages of each environment.
const PACKAGES: [&str; 2] = ["onnx==1.18.0", "onnxruntime==1.32.0"];

/// Returns true if the tests run in full.
fn runs_all() -> bool {
    std::env::var("LARDER_ONNX").is_ok_and(|value| value == "all")
}

/// The folder of a package in a virtual environment.
fn package(python: &Path, name: &str) -> PathBuf {
    let print = format!(
        "import importlib.util as u; print(u.find_spec('{name}').submodule_search_locations[0])"
    );
    let output = Command::new(python).args(["-c", &print]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

/// The library of ONNX Runtime in a virtual environment.
fn library(python: &Path) -> PathBuf {
    let folder = package(python, "onnxruntime").join("capi");
    let mut libraries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_library = |path: &PathBuf| {
        path.file_name().unwrap().to_string_lossy().starts_with("libonnxruntime.so")
    };
    libraries.find(is_library).unwrap()
}
