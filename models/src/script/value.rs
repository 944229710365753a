//! Conversion between serde formats and script values.

use std::fmt;

use rhai::{Array, Dynamic, Map};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::Limits;

/// Maximum number of elements preallocated for a stated length.
const MAX_PREALLOCATED: usize = 4096;

/// Deserializes one value.
#[derive(Clone, Copy)]
pub(super) struct ValueSeed<'a> {
    limits: &'a Limits,
}

impl<'a> ValueSeed<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self { limits }
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Dynamic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_none<E: Error>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Dynamic, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Dynamic, E> {
        let fits = i64::try_from(value);
        fits.map(Dynamic::from)
            .map_err(|_| E::custom("integer out of range: the maximum is 2⁶³ − 1"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Dynamic, E> {
        if value.len() > self.limits.text {
            return Err(E::custom(format_args!("string longer than {} bytes", self.limits.text)));
        }
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dynamic, A::Error> {
        let mut array = Array::with_capacity(seq.size_hint().unwrap_or(0).min(MAX_PREALLOCATED));
        while let Some(value) = seq.next_element_seed(self)? {
            if array.len() == self.limits.array {
                let limit = self.limits.array;
                return Err(A::Error::custom(format_args!("array of more than {limit} elements")));
            }
            array.push(value);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Dynamic, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.len() == self.limits.map {
                let limit = self.limits.map;
                return Err(A::Error::custom(format_args!("object of more than {limit} keys")));
            }
            let key = key.into();
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key `{key}`")));
            }
            map.insert(key, access.next_value_seed(self)?);
        }
        Ok(map.into())
    }
}

/// Output of a script.
pub(super) struct Output<'a>(pub(super) &'a Dynamic);

impl Serialize for Output<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value = self.0;
        if value.is_unit() {
            return serializer.serialize_unit();
        }
        if let Ok(value) = value.as_bool() {
            return serializer.serialize_bool(value);
        }
        if let Ok(value) = value.as_int() {
            return serializer.serialize_i64(value);
        }
        if let Ok(value) = value.as_float() {
            if !value.is_finite() && serializer.is_human_readable() {
                let message = "JSON cannot represent NaN or an infinity exactly";
                return Err(S::Error::custom(message));
            }
            return serializer.serialize_f64(value);
        }
        if let Ok(value) = value.as_char() {
            return serializer.serialize_char(value);
        }
        if let Ok(value) = value.as_immutable_string_ref() {
            return serializer.serialize_str(&value);
        }
        if let Ok(array) = value.as_array_ref() {
            let mut seq = serializer.serialize_seq(Some(array.len()))?;
            for value in array.iter() {
                seq.serialize_element(&Output(value))?;
            }
            return seq.end();
        }
        if let Ok(map) = value.as_map_ref() {
            let mut entries = serializer.serialize_map(Some(map.len()))?;
            for (key, value) in map.iter() {
                entries.serialize_entry(key.as_str(), &Output(value))?;
            }
            return entries.end();
        }
        let name = value.type_name();
        Err(S::Error::custom(format_args!("cannot return a `{name}`: not a JSON value")))
    }
}

/// Reads a sequence of inputs; calls the script for each.
pub(super) struct Batch<'a, P> {
    pub(super) limits: &'a Limits,
    pub(super) predict: P,
}

impl<'de, P, E> DeserializeSeed<'de> for Batch<'_, P>
where
    P: FnMut(usize, Dynamic) -> Result<Dynamic, E>,
    E: fmt::Display,
{
    type Value = Vec<Dynamic>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Dynamic>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, P, E> Visitor<'de> for Batch<'_, P>
where
    P: FnMut(usize, Dynamic) -> Result<Dynamic, E>,
    E: fmt::Display,
{
    type Value = Vec<Dynamic>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Vec<Dynamic>, A::Error> {
        let mut outputs = Vec::new();
        while let Some(input) = seq.next_element_seed(ValueSeed::new(self.limits))? {
            let output = (self.predict)(outputs.len(), input);
            outputs.push(output.map_err(A::Error::custom)?);
        }
        Ok(outputs)
    }
}
