//! Files as the models that they are said to be, through the library.

use std::fs;

use larder_core::{Error, Larder, Registry};
use larder_models::{LarderModels, ModelKind, OnnxModel, Script, WasmModel};

use crate::onnx::fixture;

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

fn refused(put: larder_core::Result<larder_core::Applied>) -> String {
    match put {
        Err(error @ Error::Refused { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_kind_of_a_file_decides_its_type_and_contradictions_are_refused() {
    let (larder, folder) = (larder(), tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    fs::copy(fixture("log.onnx"), path("log.onnx")).unwrap();
    let first = larder.put("log", path("log.onnx")).unwrap();
    assert_eq!(first.version().type_tag.as_str(), ModelKind::Onnx.type_tag());

    fs::write(path("log.onnx"), POINTER).unwrap();
    let error = refused(larder.put("log", path("log.onnx")));
    assert!(error.contains("Git LFS pointer"), "{error}");
    fs::write(path("log"), POINTER).unwrap();
    let error = refused(larder.put("log", path("log")));
    assert!(error.contains("Git LFS pointer"), "{error}");
    fs::write(path("log.csv"), "1,2").unwrap();
    let error = refused(larder.put("log", path("log.csv")));
    assert!(error.contains("log@1") && error.contains("ONNX"), "{error}");
    assert!(refused(larder.put("other", path("log"))).contains("Git LFS pointer"));
    assert_eq!(larder.versions("log").unwrap().len(), 1);
    assert!(larder.put("other", path("log.csv")).is_ok(), "a plain file under a new name");
}

#[test]
fn models_say_what_wrong_content_looks_like() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    for (content, reason) in [
        (&b"\x1f\x8b\x08"[..], "gzip"),
        (b"<html>", "HTML page"),
        (POINTER.as_bytes(), "Git LFS pointer"),
        (b"", "empty"),
    ] {
        fs::write(&path, content).unwrap();
        let errors = [
            OnnxModel::open(&path).map(|_| ()).unwrap_err(),
            WasmModel::open(&path).map(|_| ()).unwrap_err(),
            Script::open(&path).map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            let Error::Refused { reason: said, .. } = &error else { panic!("{error:?}") };
            assert!(said.contains(reason), "{said}");
        }
    }
    // Text is a script or none, and no binary model.
    fs::write(&path, "404: Not Found").unwrap();
    let error = OnnxModel::open(&path).unwrap_err();
    assert!(
        matches!(&error, Error::Refused { reason, .. } if reason.contains("text")),
        "{error:?}"
    );
}

#[test]
fn a_file_that_ends_after_a_whole_field_is_cut_short() {
    let whole = fs::read(fixture("log.onnx")).unwrap();
    let mut refused = 0;
    for len in 0..whole.len() {
        let error = OnnxModel::from_bytes(whole[..len].to_vec()).map(|_| ());
        refused += usize::from(matches!(error, Err(Error::Refused { .. })));
    }
    assert_eq!(refused, whole.len(), "no beginning of a model is a model");
}
