//! The backend tests of the ONNX project through both engines, in a short form; `LARDER_ONNX=all` runs them all, and
//! `UPDATE_ONNX=1` writes `docs/onnx.md` anew.

use std::path::Path;
use std::process::Command;

use larder_tests::python::with_packages;

/// The folder of a package in a virtual environment.
fn package(python: &Path, name: &str) -> std::path::PathBuf {
    let print = format!(
        "import importlib.util as u; print(u.find_spec('{name}').submodule_search_locations[0])"
    );
    let output = Command::new(python).args(["-c", &print]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().into()
}

#[test]
fn backend_tests_are_right_or_refused() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = with_packages(target, "onnx", &["onnx==1.18.0", "onnxruntime==1.32.0"]);
    let folder = package(&python, "onnxruntime").join("capi");
    let mut libraries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let library = libraries
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("libonnxruntime.so"))
        .unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_onnx_conformance"))
        .arg(package(&python, "onnx").join("backend/test/data"))
        .args([here.join("onnx-refused.tsv"), here.join("../docs/onnx.md")])
        .env("LARDER_ONNXRUNTIME", library)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("right with tract"), "{said}");
}
