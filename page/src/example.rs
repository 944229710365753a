//! The example that is kept with a model.

use larder_core::store::{Digest, StoreExt};
use larder_core::versions::VersionDetails;
use larder_core::{Larder, Result};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// The maximum number of bytes of kept examples that are read for a form.
const MOST_BYTES: u64 = 4 << 20;
/// The maximum number of bytes of an input in a form.
const MOST_INPUT: usize = 64 << 10;

#[derive(Deserialize)]
struct Example {
    input: Box<RawValue>,
}

/// Returns the input of the first example that is kept with an ONNX model, if it fits a form.
///
/// # Errors
/// [`Error::Store`](larder_core::Error::Store); [`Error::Corrupt`](larder_core::Error::Corrupt).
pub(crate) fn kept(larder: &Larder, shown: &VersionDetails) -> Result<Option<String>> {
    if shown.version.type_tag.as_str() != "larder/onnx" {
        return Ok(None);
    }
    let fields: Value = serde_json::from_str(shown.manifest.fields()).unwrap_or_default();
    let link = fields.get("examples").and_then(|it| it.get("$artifact")).and_then(Value::as_str);
    let Some(digest) = link.and_then(|link| link.parse::<Digest>().ok()) else { return Ok(None) };
    let entry = shown.manifest.artifacts().iter().find(|entry| entry.digest == digest);
    let Some(entry) = entry.filter(|entry| entry.size <= MOST_BYTES) else { return Ok(None) };
    let what = || format!("the examples of {}", shown.version.reference());
    let bytes = larder.store().get_checked(&digest, Some(entry.size), what)?;
    let examples: Vec<Example> = serde_json::from_slice(&bytes).unwrap_or_default();
    let input = examples.into_iter().next().map(|example| example.input.get().to_owned());
    Ok(input.filter(|input| input.len() <= MOST_INPUT))
}
