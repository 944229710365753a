//! The header of a safetensors file: JSON that says what the bytes after it are.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use larder_core::BoxError;
use safetensors::Dtype;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tensor::byte_len;

/// The name under which a file speaks about itself.
pub(super) const METADATA: &str = "__metadata__";
/// The longest header that the format allows.
pub(super) const MOST_BYTES: usize = 100_000_000;

/// What stands in a file.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    /// In the order of their bytes.
    pub(super) tensors: Vec<(String, TensorSpan)>,
}

/// One tensor in a file; offsets count from the end of the header.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorSpan {
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) data_offsets: (usize, usize),
}

impl Header {
    /// The header's JSON, padded so that the tensors begin at a multiple of 8.
    pub(super) fn to_json(&self) -> Result<Vec<u8>, BoxError> {
        let mut json = serde_json::to_vec(self)?;
        json.resize(json.len().next_multiple_of(8), b' ');
        if json.len() > MOST_BYTES {
            return Err(format!("the header has {} bytes; {}", json.len(), too_long()).into());
        }
        Ok(json)
    }

    /// Reads a header and sees to it that its tensors are `data_len` bytes, one after the other.
    pub(super) fn from_json(json: &[u8], data_len: usize) -> Result<Self, BoxError> {
        let json = std::str::from_utf8(json)
            .map_err(|error| format!("the header is not UTF-8: {error}"))?;
        let mut header: Self = serde_json::from_str(json)
            .map_err(|error| format!("the header is not one of safetensors: {error}"))?;
        header.tensors.sort_by_key(|(_, place)| place.data_offsets);
        let mut reached = 0;
        for (name, place) in &header.tensors {
            reached = place.follow(reached, data_len).map_err(|fault| {
                let TensorSpan { dtype, shape, data_offsets: (begin, end) } = place;
                format!("the tensor `{name}` ({dtype} {shape:?} at {begin}..{end}) {fault}")
            })?;
        }
        if reached != data_len {
            return Err(format!(
                "{} bytes are left over after the last tensor",
                data_len - reached
            )
            .into());
        }
        Ok(header)
    }
}

impl TensorSpan {
    /// Checks that this tensor is whole and begins where the one before it ended; gives where it ends.
    fn follow(&self, reached: usize, data_len: usize) -> Result<usize, String> {
        let (begin, end) = self.data_offsets;
        let Some(given) = end.checked_sub(begin) else {
            return Err("ends before it begins".into());
        };
        let asked =
            byte_len(self.dtype, &self.shape).map_err(|reason| format!("cannot be: {reason}"))?;
        if asked != given {
            return Err(format!("has {given} bytes where dtype and shape ask for {asked}"));
        }
        if begin < reached {
            return Err(format!("overlaps the one before it, which ends at {reached}"));
        }
        if begin > reached {
            return Err(format!("leaves a gap: the one before it ends at {reached}"));
        }
        if end > data_len {
            return Err(format!("is cut short: there are {data_len} bytes"));
        }
        Ok(end)
    }
}

pub(super) fn too_long() -> String {
    format!("safetensors allows {MOST_BYTES}")
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        for (name, place) in &self.tensors {
            map.serialize_entry(name, place)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What stands under one name.
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let (mut tensors, mut metadata) = (BTreeMap::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    let twice = if name == METADATA {
                        metadata.replace(map.next_value::<EachOnce<String>>()?.0).is_some()
                    } else {
                        tensors.insert(name.clone(), map.next_value()?).is_some()
                    };
                    if twice {
                        return Err(stands_twice(&name));
                    }
                }
                let metadata = metadata.unwrap_or_default();
                Ok(Header { metadata, tensors: tensors.into_iter().collect() })
            }
        }

        deserializer.deserialize_map(Reader)
    }
}

fn stands_twice<E: Error>(name: &str) -> E {
    E::custom(format_args!("the name `{name}` stands in it twice"))
}

/// A map that refuses a name that stands twice, of which serde would keep the last.
struct EachOnce<V>(BTreeMap<String, V>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for EachOnce<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        each_once(deserializer).map(Self)
    }
}

/// Reads a map that refuses a name that stands twice.
pub(super) fn each_once<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Reader<V>(PhantomData<V>);

    impl<'de, V: Deserialize<'de>> Visitor<'de> for Reader<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut values = BTreeMap::new();
            while let Some(name) = map.next_key::<String>()? {
                if values.insert(name.clone(), map.next_value()?).is_some() {
                    return Err(stands_twice(&name));
                }
            }
            Ok(values)
        }
    }

    deserializer.deserialize_map(Reader(PhantomData))
}
