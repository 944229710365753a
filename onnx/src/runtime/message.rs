//! The file's message, before ONNX Runtime builds it, and its words about it.

use prost::Message as _;
use tract_onnx::pb::ModelProto;

use super::super::refusal::shorten;
use super::super::rewrite::{self, Keys};

/// Removes each `ZipMap`; returns the changed file, if it has one.
pub(super) fn prepare(bytes: &[u8]) -> Result<(Option<Vec<u8>>, Keys), String> {
    if !bytes.windows(6).any(|part| part == b"ZipMap") {
        return Ok((None, Keys::new()));
    }
    let failed = |error: prost::DecodeError| format!("not an ONNX file, or truncated: {error}");
    let mut proto = ModelProto::decode(bytes).map_err(failed)?;
    let keys = proto.graph.as_mut().map(rewrite::remove_zip_maps).transpose()?.unwrap_or_default();
    Ok((Some(proto.encode_to_vec()), keys))
}

/// Explains an error in a few of its words.
pub(super) fn explain(error: &str) -> String {
    // Its messages begin with codes and places in its source.
    let words = error.rsplit("] ").next().unwrap_or(error);
    format!("ONNX Runtime cannot run it: {}", shorten(words))
}
