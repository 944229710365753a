//! ONNX models exported by other tools.

mod agree;
mod dtypes;
mod input;
mod refused;
mod stored;

use std::path::PathBuf;

use larder_models::OnnxModel;
use serde_json::Value as Json;

pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "fixtures", name].iter().collect()
}

pub(crate) fn model(name: &str) -> OnnxModel {
    OnnxModel::open(fixture(&format!("{name}.onnx"))).unwrap()
}

pub(crate) fn json(name: &str) -> Json {
    let text = std::fs::read_to_string(fixture(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}
