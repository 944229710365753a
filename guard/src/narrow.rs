//! Decoding of `f32`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Unexpected, Visitor};

/// The visitor of an `f32`, or a seed or deserializer that leads to one.
pub(super) struct Narrow<V>(pub(super) V);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Narrow<S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Narrow(deserializer))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Narrow<D> {
    type Error = D::Error;

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_f32(Narrow(visitor))
    }

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        // The other floating-point number.
        self.0.deserialize_f64(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

macro_rules! forward {
    ($($method:ident: $type:ty,)*) => {
        $(#[inline]
        fn $method<E: serde::de::Error>(self, v: $type) -> Result<V::Value, E> {
            self.0.$method(v)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Narrow<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<V::Value, E> {
        // Serde would turn it into an infinity.
        if v.is_finite() && (v as f32).is_infinite() {
            return Err(E::invalid_value(Unexpected::Float(v), &self.0));
        }
        self.0.visit_f64(v)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    forward! {
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_str: &str,
        visit_borrowed_str: &'de str,
    }
}
