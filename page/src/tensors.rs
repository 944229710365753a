//! Tensors in the artifacts of a version, as far as their headers say.

use larder_core::Larder;
use larder_core::manifest::ArtifactEntry;
use larder_core::store::StoreExt;
use larder_text::size;
use serde_json::Value;

use crate::view::plain;

/// The maximum number of bytes of a header.
const MOST_HEADER: u64 = 4 << 20;
/// The maximum number of tensors that are shown.
const MOST_TENSORS: usize = 500;
/// The maximum number of artifacts that are looked into.
const MOST_ARTIFACTS: usize = 8;

/// A tensor, or an input or output of a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) dtype: String,
    pub(crate) shape: String,
    /// The bytes, where they are known.
    pub(crate) size: Option<String>,
}

/// Tensors of a version, and the number of those that are left out.
#[derive(Debug, Default)]
pub(crate) struct Tensors {
    pub(crate) listed: Vec<Tensor>,
    pub(crate) left_out: usize,
}

/// Reads the headers of the artifacts of a version that are safetensors files. What cannot be read is left out: the page does not
/// verify.
pub(crate) fn of(larder: &Larder, artifacts: &[ArtifactEntry]) -> Tensors {
    let is_file = |entry: &&ArtifactEntry| {
        let is_known = ["bytes", "safetensors"].contains(&entry.serializer.as_str());
        is_known && entry.size > 8
    };
    let mut all = Vec::new();
    for entry in artifacts.iter().filter(is_file).take(MOST_ARTIFACTS) {
        if let Some(header) = header(larder, entry) {
            all.extend(tensors(&header, entry.size));
        }
    }
    let left_out = all.len().saturating_sub(MOST_TENSORS);
    all.truncate(MOST_TENSORS);
    Tensors { listed: all, left_out }
}

/// Returns the header of a safetensors file, without reading what follows.
fn header(larder: &Larder, entry: &ArtifactEntry) -> Option<Value> {
    let blob = larder.store().read_blob(&entry.digest).ok()??;
    let mut start = Vec::new();
    let read = blob.for_each_piece(|piece| {
        start.extend_from_slice(piece);
        match wanted(&start, entry.size) {
            Some(len) if start.len() as u64 >= len => Err(larder_core::Error::internal("enough")),
            None if start.len() >= 8 => Err(larder_core::Error::internal("no header")),
            _ => Ok(()),
        }
    });
    // The reading ends once there is enough.
    drop(read);
    let len = usize::try_from(wanted(&start, entry.size)?).ok()?;
    let json = start.get(8..len)?;
    serde_json::from_slice(json).ok()
}

/// The number of bytes to the end of the header; `None` if it has none.
fn wanted(start: &[u8], size: u64) -> Option<u64> {
    let len = u64::from_le_bytes(start.get(..8)?.try_into().ok()?);
    let is_json = start.get(8).is_none_or(|first| *first == b'{');
    (len <= MOST_HEADER && len <= size.saturating_sub(8) && is_json).then(|| len + 8)
}

fn tensors(header: &Value, file: u64) -> Vec<Tensor> {
    let Some(entries) = header.as_object() else { return Vec::new() };
    let tensor = |(name, entry): (&String, &Value)| {
        let dtype = entry.get("dtype")?.as_str()?;
        let shape = entry.get("shape")?.as_array()?;
        let offsets = entry.get("data_offsets")?.as_array()?;
        let offset = |at: usize| offsets.get(at)?.as_u64().filter(|offset| *offset <= file);
        let dims: Option<Vec<String>> =
            shape.iter().map(|it| Some(it.as_u64()?.to_string())).collect();
        Some(Tensor {
            name: plain(name),
            dtype: plain(dtype),
            shape: dims?.join(" × "),
            size: Some(size(offset(1)?.checked_sub(offset(0)?)?)),
        })
    };
    entries.iter().filter(|(name, _)| *name != "__metadata__").filter_map(tensor).collect()
}

/// The inputs and outputs that the manifest of an ONNX model lists.
pub(crate) fn ports(fields: &Value, side: &str) -> Vec<Tensor> {
    let port = |port: &Value| {
        let dims = port.get("shape")?.as_array()?;
        let dim = |dim: &Value| dim.as_str().map_or_else(|| dim.to_string(), str::to_owned);
        let dims: Vec<String> = dims.iter().map(dim).collect();
        Some(Tensor {
            name: plain(port.get("name")?.as_str()?),
            dtype: plain(port.get("dtype")?.as_str()?),
            shape: plain(&dims.join(" × ")),
            size: None,
        })
    };
    let ports = fields.get(side).and_then(Value::as_array);
    ports.map(|ports| ports.iter().filter_map(port).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_say_what_they_hold_and_lies_are_left_out() {
        let header = json!({
            "__metadata__": {"a": "b"},
            "weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
            "scalar": {"dtype": "I64", "shape": [], "data_offsets": [24, 32]},
            "backwards": {"dtype": "F32", "shape": [1], "data_offsets": [9, 5]},
            "beyond": {"dtype": "F32", "shape": [1], "data_offsets": [0, 900]},
            "negative": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]},
            "text": "x",
        });
        let mut found: Vec<_> =
            tensors(&header, 100).into_iter().map(|it| (it.name, it.shape, it.size)).collect();
        found.sort();
        assert_eq!(
            found,
            [
                ("scalar".into(), String::new(), Some("8 B".into())),
                ("weight".into(), "2 × 3".into(), Some("24 B".into())),
            ]
        );
    }

    #[test]
    fn only_a_header_that_fits_is_read() {
        let start = |len: u64, rest: &[u8]| [&len.to_le_bytes()[..], rest].concat();
        assert_eq!(wanted(&start(10, b"{"), 100), Some(18));
        assert_eq!(wanted(&start(10, b""), 100), Some(18));
        for (bad, size) in
            [(start(10, b"x"), 100), (start(93, b"{"), 100), (start(u64::MAX, b"{"), 100)]
        {
            assert_eq!(wanted(&bad, size), None);
        }
        assert_eq!(wanted(&[1, 2], 100), None);
    }
}
