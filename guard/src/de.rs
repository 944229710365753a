//! The decoding half: a deserializer around a deserializer.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::{Guard, Refusal, Segment};

#[derive(Clone, Copy)]
struct Position<'a> {
    guard: &'a Guard,
    depth: usize,
    /// Whether this is a map's key, whose text becomes part of the path.
    is_key: bool,
    /// Whether the number is to become an `f32`.
    is_f32: bool,
}

impl<'a> Position<'a> {
    fn top(guard: &'a Guard) -> Self {
        Self { guard, depth: 0, is_key: false, is_f32: false }
    }

    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > self.guard.rules.depth {
            return Err(self.refuse(Refusal::Depth(self.guard.rules.depth)));
        }
        Ok(Self { depth, is_key: false, is_f32: false, ..self })
    }

    fn level<T, E: serde::de::Error>(self, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        self.guard.level(self.depth, E::custom, run)
    }

    fn refuse<E: serde::de::Error>(self, refusal: Refusal) -> E {
        E::custom(self.guard.refuse(refusal))
    }

    fn note(self, value: impl fmt::Display) {
        if self.is_key {
            use fmt::Write;
            // Writing to a String cannot fail.
            let _ = write!(self.guard.key.borrow_mut(), "{value}");
        }
    }

    fn around<T>(self, inner: T) -> Guarding<'a, T> {
        self.around_struct(&[], inner)
    }

    /// Around the visitor of a struct: a format without names stores its `fields` in a row.
    fn around_struct<T>(self, fields: &'static [&'static str], inner: T) -> Guarding<'a, T> {
        Guarding { place: self, fields, inner }
    }
}

pub(super) fn around<'de, D: Deserializer<'de>>(
    guard: &Guard,
    inner: D,
) -> impl Deserializer<'de, Error = D::Error> {
    Position::top(guard).around(inner)
}

/// A seed at some depth.
pub(super) struct Seed<'a, S> {
    place: Position<'a>,
    seed: S,
}

impl<'a, S> Seed<'a, S> {
    pub(super) fn top(guard: &'a Guard, seed: S) -> Self {
        Self { place: Position::top(guard), seed }
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let place = self.place;
        place.level(|| self.seed.deserialize(place.around(deserializer)))
    }
}

/// A deserializer, a visitor or a variant at some depth.
struct Guarding<'a, T> {
    place: Position<'a>,
    fields: &'static [&'static str],
    inner: T,
}

macro_rules! pass {
    ($($method:ident($($arg:ident: $type:ty),*),)*) => {
        $(fn $method<V: Visitor<'de>>(self, $($arg: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($arg,)* self.place.around(visitor))
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarding<'_, D> {
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
        deserialize_option(),
        deserialize_unit(),
        deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str),
        deserialize_seq(),
        deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_map(),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
        deserialize_identifier(),
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_f32(Position { is_f32: true, ..self.place }.around(visitor))
    }

    // A forged length is checked against the bytes that are there before anything is allocated:
    // borrowed text and bytes are asked for, and the visitor copies them if it wants to own them.
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
        let visitor = self.place.around_struct(fields, visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.place.guard.rules.strict {
            return Err(self.place.refuse(Refusal::UnknownField));
        }
        self.inner.deserialize_ignored_any(self.place.around(visitor))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E: serde::de::Error>(self, v: $type) -> Result<V::Value, E> {
            self.place.note(&v);
            self.inner.$method(v)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guarding<'_, V> {
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
        visit_char: char,
        visit_str: &str,
        visit_borrowed_str: &'de str,
        visit_string: String,
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<V::Value, E> {
        // Serde would make an infinity of it.
        if self.place.is_f32 && v.is_finite() && (v as f32).is_infinite() {
            return Err(E::invalid_value(Unexpected::Float(v), &self.inner));
        }
        self.place.note(v);
        self.inner.visit_f64(v)
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
        let place = self.place.inner()?;
        place.level(|| self.inner.visit_some(place.around(deserializer)))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<V::Value, D::Error> {
        let place = self.place.inner()?;
        place.level(|| self.inner.visit_newtype_struct(place.around(deserializer)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let place = self.place.inner()?;
        let mut elements =
            Elements { place, fields: self.fields, next: 0, ended: false, inner: access };
        let value = self.inner.visit_seq(&mut elements)?;
        if !place.guard.rules.strict {
            elements.check_end()?;
        }
        Ok(value)
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let place = self.place.inner()?;
        self.inner.visit_map(Entries { place, key: String::new(), inner: access })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let place = self.place.inner()?;
        self.inner.visit_enum(place.around(access))
    }
}

/// A sequence that is being read.
struct Elements<'a, A> {
    place: Position<'a>,
    fields: &'static [&'static str],
    next: usize,
    ended: bool,
    inner: A,
}

impl<'de, A: SeqAccess<'de>> Elements<'_, A> {
    /// Says of a sequence that is too long how long it is; a format would call what is left over
    /// trailing characters.
    fn check_end(mut self) -> Result<(), A::Error> {
        let taken = self.next;
        while !self.ended {
            self.next_element::<IgnoredAny>()?;
        }
        match self.next.saturating_sub(1) {
            found if found > taken => Err(serde::de::Error::invalid_length(
                found,
                &format_args!("{taken} elements").to_string().as_str(),
            )),
            _ => Ok(()),
        }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let (place, index) = (self.place, self.next);
        self.next += 1;
        if !place.guard.count_element() {
            return Err(place.refuse(Refusal::Elements));
        }
        let result = self.inner.next_element_seed(Seed { place, seed });
        self.ended = matches!(result, Ok(None));
        place.guard.at(result, || match self.fields.get(index) {
            Some(name) => Segment::Field(name),
            None => Segment::Index(index),
        })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A map that is being read.
struct Entries<'a, A> {
    place: Position<'a>,
    key: String,
    inner: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if !self.place.guard.count_element() {
            return Err(self.place.refuse(Refusal::Elements));
        }
        let place = Position { is_key: true, ..self.place };
        place.guard.key.borrow_mut().clear();
        let key = self.inner.next_key_seed(Seed { place, seed })?;
        // Maps inside the value note their keys in the same place: this one's is kept here.
        std::mem::swap(&mut self.key, &mut place.guard.key.borrow_mut());
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let place = self.place;
        let result = self.inner.next_value_seed(Seed { place, seed });
        place.guard.at(result, || Segment::Key(std::mem::take(&mut self.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, 'a, A: EnumAccess<'de>> EnumAccess<'de> for Guarding<'a, A> {
    type Error = A::Error;
    type Variant = Guarding<'a, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self::Variant), A::Error> {
        let place = self.place;
        let (value, variant) = self.inner.variant_seed(seed)?;
        Ok((value, place.around(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarding<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Seed { place: self.place, seed })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, self.place.around(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.place.around_struct(fields, visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
