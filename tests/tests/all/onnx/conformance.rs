//! The backend tests of the ONNX project through both engines, in a short form; `LARDER_ONNX=all` runs them all, and
//! `UPDATE_ONNX=1` writes `docs/onnx.md` anew.

use std::path::Path;
use std::process::Command;

use larder_tests::python::with_packages;

use super::{PACKAGES, library, package};

#[test]
fn backend_tests_are_right_or_refused() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let python = with_packages(target, "onnx", &PACKAGES);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO_BIN_EXE_onnx_conformance"))
        .arg(package(&python, "onnx").join("backend/test/data"))
        .args([here.join("onnx-refused.tsv"), here.join("../docs/onnx.md")])
        .env("LARDER_ONNXRUNTIME", library(&python))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("right with tract"), "{said}");
}
