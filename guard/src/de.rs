//! Decoding: wrappers of deserializers, visitors and seeds.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::access::{Elements, Entries};
use super::entry_key::EntryKey;
use super::plain::Plain;
use super::unpacked::visit_block;
use super::{Guard, Refusal, words};

#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    pub(super) guard: &'a Guard,
    depth: u32,
    /// True for a map key, which becomes part of the path.
    is_key: bool,
    /// True where a newtype struct is requested.
    is_newtype: bool,
}

impl<'a> Position<'a> {
    fn top(guard: &'a Guard) -> Self {
        Self { guard, depth: 0, is_key: false, is_newtype: false }
    }

    #[inline]
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth as usize > self.guard.rules.depth {
            return Err(self.refuse(Refusal::Depth(self.guard.rules.depth)));
        }
        Ok(Self { depth, is_key: false, is_newtype: false, ..self })
    }

    #[inline]
    fn level<T, E: serde::de::Error>(self, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.guard.level(E::custom, run)
    }

    /// Returns true if a flat value of that depth needs no guard.
    #[inline]
    pub(super) fn has_plain(self, depth: usize) -> bool {
        let rules = &self.guard.rules;
        !rules.words && rules.strict && self.depth as usize + depth <= rules.depth
    }

    pub(super) fn key(self) -> Self {
        Self { is_key: true, ..self }
    }

    #[cold]
    pub(super) fn refuse<E: serde::de::Error>(self, refusal: Refusal) -> E {
        E::custom(self.guard.refuse(refusal))
    }

    fn record_key(self, value: impl fmt::Display) {
        if self.is_key {
            use fmt::Write;
            // Writing to a String cannot fail.
            let _ = write!(self.guard.key.borrow_mut(), "{value}");
        }
    }

    fn wrap<T>(self, inner: T) -> Guarded<'a, T> {
        self.wrap_struct(&[], inner)
    }

    /// Wraps the visitor of a struct, which some formats encode as a sequence of its `fields`.
    fn wrap_struct<T>(self, fields: &'static [&'static str], inner: T) -> Guarded<'a, T> {
        Guarded { position: self, fields, inner }
    }
}

pub(super) fn wrap<'de, D: Deserializer<'de>>(
    guard: &Guard,
    inner: D,
) -> impl Deserializer<'de, Error = D::Error> {
    Position::top(guard).wrap(inner)
}

/// A seed at some depth.
pub(super) struct Seed<'a, S> {
    pub(super) position: Position<'a>,
    pub(super) seed: S,
}

impl<'a, S> Seed<'a, S> {
    pub(super) fn top(guard: &'a Guard, seed: S) -> Self {
        Self { position: Position::top(guard), seed }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let position = self.position;
        position.level(|| self.seed.deserialize(position.wrap(deserializer)))
    }
}

/// A deserializer, a visitor or a variant at some depth.
struct Guarded<'a, T> {
    position: Position<'a>,
    fields: &'static [&'static str],
    inner: T,
}

/// A number that is no map key needs no wrapper: it has no depth, and formats give a number or an error.
macro_rules! numbers {
    ($($method:ident,)*) => {
        $(#[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            if self.position.is_key {
                return self.inner.$method(self.position.wrap(visitor));
            }
            self.inner.$method(visitor)
        })*
    };
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* self.position.wrap(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    numbers! {
        deserialize_bool,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_i128,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_u128,
    }

    pass! {
        deserialize_any(),
        deserialize_char(),
        deserialize_str(),
        deserialize_bytes(),
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
    }

    #[inline]
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.position.is_key {
            return self.inner.deserialize_f32(self.position.wrap(visitor));
        }
        let words = self.position.guard.rules.words;
        let visitor = Plain { guard: self.position.guard, inner: visitor };
        words::read(words, self.inner, visitor, D::deserialize_f32)
    }

    #[inline]
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.position.is_key {
            return self.inner.deserialize_f64(self.position.wrap(visitor));
        }
        words::read(self.position.guard.rules.words, self.inner, visitor, D::deserialize_f64)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let position = Position { is_newtype: true, ..self.position };
        self.inner.deserialize_newtype_struct(name, position.wrap(visitor))
    }

    // Requesting borrowed strings and bytes checks a forged length against the input before
    // anything is allocated; the visitor copies them.
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.position.wrap_struct(fields, visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.position.guard.rules.strict {
            return Err(self.position.refuse(Refusal::UnknownField));
        }
        self.inner.deserialize_ignored_any(self.position.wrap(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E: serde::de::Error>(self, v: $type) -> Result<V::Value, E> {
            self.position.record_key(&v);
            self.inner.$method(v)
        })*
    };
}

macro_rules! visit_text {
    ($($method:ident: $type:ty,)*) => {
        $(#[inline]
        fn $method<E: serde::de::Error>(self, v: $type) -> Result<V::Value, E> {
            if self.position.is_key {
                self.position.guard.key.borrow_mut().push_str(&v);
            }
            self.inner.$method(v)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visit! {
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
        visit_f64: f64,
        visit_char: char,
    }

    visit_text! {
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
    }

    fn visit_bytes<E: serde::de::Error>(self, v: &[u8]) -> Result<V::Value, E> {
        self.inner.visit_bytes(v)
    }

    fn visit_borrowed_bytes<E: serde::de::Error>(self, v: &'de [u8]) -> Result<V::Value, E> {
        self.inner.visit_borrowed_bytes(v)
    }

    fn visit_byte_buf<E: serde::de::Error>(self, v: Vec<u8>) -> Result<V::Value, E> {
        self.inner.visit_byte_buf(v)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let position = self.position.inner()?;
        position.level(|| self.inner.visit_some(position.wrap(deserializer)))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let position = self.position.inner()?;
        if position.guard.extension.is_some() && !self.position.is_newtype {
            return visit_block(position, self.inner, deserializer);
        }
        position.level(|| self.inner.visit_newtype_struct(position.wrap(deserializer)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let position = self.position.inner()?;
        let mut elements =
            Elements { position, fields: self.fields, next: 0, ended: false, inner: access };
        let value = self.inner.visit_seq(&mut elements)?;
        if !position.guard.rules.strict {
            elements.check_end()?;
        }
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let position = self.position.inner()?;
        let has_fields = !self.fields.is_empty();
        self.inner.visit_map(Entries {
            position,
            has_fields,
            key: EntryKey::default(),
            inner: access,
        })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let position = self.position.inner()?;
        self.inner.visit_enum(position.wrap(access))
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'a, A> {
    type Error = A::Error;
    type Variant = Guarded<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let position = self.position;
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, position.wrap(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Seed { position: self.position, seed })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.position.wrap(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.position.wrap_struct(fields, visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
