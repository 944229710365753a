//! ONNX models exported by other tools.

mod agree;
mod dtypes;
mod edge;
mod input;
#[cfg(feature = "onnxruntime")]
mod kinds;
mod refused;
#[cfg(feature = "onnxruntime")]
mod runtime;
mod stored;
mod trees;

use std::path::PathBuf;

use larder_models::OnnxModel;
use larder_models::onnx::{Engine, OpenOptions};
use serde_json::Value as Json;

pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

/// A file of `tests/onnx`.
pub(crate) fn sample_path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "onnx", name].iter().collect()
}

pub(crate) fn sample(name: &str) -> String {
    std::fs::read_to_string(sample_path(name)).unwrap()
}

pub(crate) fn assert_close(predicted: &Json, expected: &Json, place: &str) {
    match (predicted, expected) {
        (Json::Array(predicted), Json::Array(expected)) => {
            assert_eq!(predicted.len(), expected.len(), "{place}");
            for (predicted, expected) in predicted.iter().zip(expected) {
                assert_close(predicted, expected, place);
            }
        }
        (Json::Number(a), Json::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 1e-4, "{place}: {a} where onnxruntime returns {b}");
        }
        _ => assert_eq!(predicted, expected, "{place}"),
    }
}

pub(crate) fn model(name: &str) -> OnnxModel {
    let options = OpenOptions::new().engine(Engine::Tract);
    OnnxModel::open_with(fixture(&format!("{name}.onnx")), &options).unwrap()
}

pub(crate) fn json(name: &str) -> Json {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}
