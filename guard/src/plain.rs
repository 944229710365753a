//! Decoding of flat types, which need no depth, no count and no keys.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Unexpected, Visitor};

use super::{Guard, Segment};

/// The seed of a flat type, or a deserializer, visitor or sequence that it leads to.
pub(super) struct Plain<'a, T> {
    pub(super) guard: &'a Guard,
    pub(super) inner: T,
}

impl<'a, T> Plain<'a, T> {
    #[inline]
    fn wrap<U>(&self, inner: U) -> Plain<'a, U> {
        Plain { guard: self.guard, inner }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Plain<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.deserialize(deserializer)
    }
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* visitor)
        })*
    };
}

macro_rules! wrap {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.wrap(visitor);
            self.inner.$method($($arg,)* visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Plain<'_, D> {
    type Error = D::Error;

    pass! {
        deserialize_any(),
        deserialize_bool(),
        deserialize_i8(),
        deserialize_i16(),
        deserialize_i32(),
        deserialize_i64(),
        deserialize_i128(),
        deserialize_u8(),
        deserialize_u16(),
        deserialize_u32(),
        deserialize_u64(),
        deserialize_u128(),
        deserialize_f64(),
        deserialize_char(),
        deserialize_str(),
        deserialize_bytes(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_struct(name: &'static str, fields: &'static [&'static str]),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
        deserialize_ignored_any(),
    }

    wrap! {
        deserialize_f32(),
        deserialize_option(),
        deserialize_tuple(len: usize),
    }

    // See the guarded deserializer.
    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward {
    ($($method:ident: $type:ty,)*) => {
        $(#[inline]
        fn $method<E: serde::de::Error>(self, v: $type) -> Result<V::Value, E> {
            self.inner.$method(v)
        })*
    };
}

/// Visitors of `f32`, options and tuples.
impl<'de, V: Visitor<'de>> Visitor<'de> for Plain<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<V::Value, E> {
        narrow(v, self.inner)
    }

    #[inline]
    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let deserializer = self.wrap(deserializer);
        self.inner.visit_some(deserializer)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Items { guard: self.guard, next: 0, inner: access })
    }

    forward! {
        visit_bool: bool,
        visit_i8: i8,
        visit_i16: i16,
        visit_i32: i32,
        visit_i64: i64,
        visit_i128: i128,
        visit_u8: u8,
        visit_u16: u16,
        visit_u32: u32,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_char: char,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
        visit_bytes: &[u8],
        visit_borrowed_bytes: &'de [u8],
        visit_byte_buf: Vec<u8>,
    }
}

/// Gives a number to the visitor of an `f32`; serde would turn one that is too large into an infinity.
#[inline]
pub(super) fn narrow<'de, E: serde::de::Error, V: Visitor<'de>>(
    number: f64,
    visitor: V,
) -> Result<V::Value, E> {
    if number.is_finite() && (number as f32).is_infinite() {
        return Err(E::invalid_value(Unexpected::Float(number), &visitor));
    }
    visitor.visit_f64(number)
}

/// The parts of a tuple or array.
struct Items<'a, A> {
    guard: &'a Guard,
    next: usize,
    inner: A,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Items<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let index = self.next;
        self.next += 1;
        let result = self.inner.next_element_seed(Plain { guard: self.guard, inner: seed });
        result.map_err(|error| self.guard.failed(error, || Segment::Index(index)))
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}
