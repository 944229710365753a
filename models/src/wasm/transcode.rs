//! Transcoding between serde formats.
//!
//! An error of the serializer bypasses the deserializer, whose error type could hold only its text.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

/// The value of a deserializer, serialized at most once.
pub(super) struct Transcoder<D>(RefCell<Option<D>>);

impl<D> Transcoder<D> {
    pub(super) fn new(deserializer: D) -> Self {
        Self(RefCell::new(Some(deserializer)))
    }
}

impl<'de, D: Deserializer<'de>> Serialize for Transcoder<D> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(deserializer) = self.0.take() else {
            return Err(S::Error::custom("the value was already serialized"));
        };
        let mut failure = None;
        let written = deserializer.deserialize_any(Visitor { serializer, failure: &mut failure });
        written.map_err(|error| failure.take().unwrap_or_else(|| S::Error::custom(error)))
    }
}

/// Keeps the error of a serializer in `failure`.
fn capture<T, S, E: de::Error>(result: Result<T, S>, failure: &mut Option<S>) -> Result<T, E> {
    result.map_err(|error| {
        *failure = Some(error);
        E::custom("cannot serialize the value")
    })
}

struct Visitor<'a, S: Serializer> {
    serializer: S,
    failure: &'a mut Option<S::Error>,
}

macro_rules! scalars {
    ($($visit:ident($type:ty) $serialize:ident,)*) => {
        $(fn $visit<E: de::Error>(self, value: $type) -> Result<S::Ok, E> {
            capture(self.serializer.$serialize(value), self.failure)
        })*
    };
}

impl<'de, S: Serializer> de::Visitor<'de> for Visitor<'_, S> {
    type Value = S::Ok;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a self-describing format")
    }

    scalars! {
        visit_bool(bool) serialize_bool,
        visit_i8(i8) serialize_i8,
        visit_i16(i16) serialize_i16,
        visit_i32(i32) serialize_i32,
        visit_i64(i64) serialize_i64,
        visit_i128(i128) serialize_i128,
        visit_u8(u8) serialize_u8,
        visit_u16(u16) serialize_u16,
        visit_u32(u32) serialize_u32,
        visit_u64(u64) serialize_u64,
        visit_u128(u128) serialize_u128,
        visit_f32(f32) serialize_f32,
        visit_f64(f64) serialize_f64,
        visit_char(char) serialize_char,
        visit_str(&str) serialize_str,
        visit_bytes(&[u8]) serialize_bytes,
    }

    fn visit_none<E: de::Error>(self) -> Result<S::Ok, E> {
        capture(self.serializer.serialize_none(), self.failure)
    }

    fn visit_unit<E: de::Error>(self) -> Result<S::Ok, E> {
        capture(self.serializer.serialize_unit(), self.failure)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<S::Ok, D::Error> {
        capture(self.serializer.serialize_some(&Transcoder::new(inner)), self.failure)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<S::Ok, D::Error> {
        capture(Transcoder::new(inner).serialize(self.serializer), self.failure)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<S::Ok, A::Error> {
        let Self { serializer, failure } = self;
        let mut out = capture(serializer.serialize_seq(seq.size_hint()), failure)?;
        while seq.next_element_seed(Element(&mut out, failure))?.is_some() {}
        capture(out.end(), failure)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<S::Ok, A::Error> {
        let Self { serializer, failure } = self;
        let mut out = capture(serializer.serialize_map(map.size_hint()), failure)?;
        while map.next_key_seed(Key(&mut out, failure))?.is_some() {
            map.next_value_seed(Value(&mut out, failure))?;
        }
        capture(out.end(), failure)
    }
}

/// Seeds that transcode a part of a sequence or map.
macro_rules! parts {
    ($($part:ident: $trait:ident $write:ident,)*) => {
        $(struct $part<'a, C: $trait>(&'a mut C, &'a mut Option<C::Error>);

        impl<'de, C: $trait> DeserializeSeed<'de> for $part<'_, C> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, part: D) -> Result<(), D::Error> {
                capture(self.0.$write(&Transcoder::new(part)), self.1)
            }
        })*
    };
}

parts! {
    Element: SerializeSeq serialize_element,
    Key: SerializeMap serialize_key,
    Value: SerializeMap serialize_value,
}
