//! Header of a safetensors file: JSON that describes the bytes after it.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use larder_core::BoxError;
use safetensors::Dtype;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tensor::byte_len;

/// Key of the file's metadata.
pub(super) const METADATA: &str = "__metadata__";
/// Maximum length of a header, in bytes, by the specification.
pub(super) const MAX_HEADER: usize = 100_000_000;

/// Content of a header.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    /// Sorted by offset.
    pub(super) tensors: Vec<(String, TensorSpan)>,
}

/// Position of one tensor; offsets are relative to the end of the header.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorSpan {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) data_offsets: (usize, usize),
}

impl Header {
    /// Returns the JSON, padded to a multiple of 8 bytes.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        let mut json = serde_json::to_vec(self)?;
        json.resize(json.len().next_multiple_of(8), b' ');
        if json.len() > MAX_HEADER {
            return Err(header_too_long(json.len() as u64).into());
        }
        Ok(json)
    }

    /// Parses a header; its tensors must cover `data_len` bytes without gaps.
    pub(super) fn from_json(json: &[u8], data_len: usize) -> Result<Self, BoxError> {
        let json = std::str::from_utf8(json)
            .map_err(|error| format!("the header is not UTF-8: {error}"))?;
        let mut header: Self = serde_json::from_str(json)
            .map_err(|error| format!("the header is not a safetensors header: {error}"))?;
        header.tensors.sort_by_key(|(_, span)| span.data_offsets);
        let mut position = 0;
        for (name, span) in &header.tensors {
            position = span.check(position, data_len).map_err(|reason| {
                let TensorSpan { dtype, shape, data_offsets: (begin, end) } = span;
                format!("the tensor `{name}` ({dtype} {shape:?} at {begin}..{end}) {reason}")
            })?;
        }
        if position != data_len {
            return Err(
                format!("{} trailing bytes after the last tensor", data_len - position).into()
            );
        }
        Ok(header)
    }
}

impl TensorSpan {
    /// Checks that the tensor starts at `position` and is complete; returns its end.
    fn check(&self, position: usize, data_len: usize) -> Result<usize, String> {
        let (begin, end) = self.data_offsets;
        let Some(len) = end.checked_sub(begin) else {
            return Err("ends before it begins".into());
        };
        let expected =
            byte_len(self.dtype, &self.shape).map_err(|reason| format!("is invalid: {reason}"))?;
        if expected != len {
            return Err(format!("has {len} bytes, but its dtype and shape need {expected}"));
        }
        if begin < position {
            return Err(format!("overlaps the previous tensor, which ends at {position}"));
        }
        if begin > position {
            return Err(format!("leaves a gap: the previous tensor ends at {position}"));
        }
        if end > data_len {
            return Err(format!("is truncated: the file has {data_len} bytes of data"));
        }
        Ok(end)
    }
}

pub(super) fn header_too_long(len: u64) -> String {
    format!("the header has {len} bytes, the maximum is {MAX_HEADER}")
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        for (name, span) in &self.tensors {
            map.serialize_entry(name, span)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut tensors, mut metadata) = (BTreeMap::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    let duplicate = if name == METADATA {
                        metadata.replace(map.next_value::<UniqueMap<String>>()?.0).is_some()
                    } else {
                        tensors.insert(name.clone(), map.next_value()?).is_some()
                    };
                    if duplicate {
                        return Err(duplicate_name(&name));
                    }
                }
                let metadata = metadata.unwrap_or_default();
                Ok(Header { metadata, tensors: tensors.into_iter().collect() })
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn duplicate_name<E: Error>(name: &str) -> E {
    E::custom(format_args!("duplicate name `{name}`"))
}

/// A map without duplicate names, of which serde would keep the last.
struct UniqueMap<V>(BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for UniqueMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        unique_map(deserializer).map(Self)
    }
}

/// Deserializes a map; rejects duplicate names.
pub(super) fn unique_map<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Reader<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map with unique names")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if values.insert(name.clone(), map.next_value()?).is_some() {
                    return Err(duplicate_name(&name));
                }
            }
            Ok(values)
        }
    }

    deserializer.deserialize_map(Reader(PhantomData))
}
