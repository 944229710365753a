//! Decoding: blocks of numbers as the sequences that they stand for.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Segment;
use super::block::Numbers;
use super::de::{Position, Seed};
use super::flat::is_leaf;
use super::plain::Plain;
use super::vectors;

/// Reads an extension value, and gives its numbers to the visitor of a sequence.
pub(super) fn visit_block<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    position: Position<'_>,
    visitor: V,
    extension: D,
) -> Result<V::Value, D::Error> {
    extension.deserialize_any(BlockVisitor { position, visitor })
}

struct BlockVisitor<'a, V> {
    position: Position<'a>,
    visitor: V,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for BlockVisitor<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut extension: A) -> Result<V::Value, A::Error> {
        let number = extension.next_element::<i8>()?.unwrap_or_default();
        let bytes = extension.next_element::<&'de [u8]>()?.unwrap_or_default();
        let numbers = Numbers::of_type(number).ok_or_else(|| {
            A::Error::custom(format_args!("unknown type of an extension value: {number}"))
        })?;
        if bytes.len() % numbers.width() != 0 {
            return Err(A::Error::custom("a block of numbers ends within a number"));
        }
        if let Some(vector) = vectors::read::<V, V::Value>(numbers, bytes) {
            return Ok(vector);
        }
        let mut elements = Elements {
            position: self.position,
            numbers,
            bytes,
            next: 0,
            error: Default::default(),
        };
        let value = self.visitor.visit_seq(&mut elements)?;
        match elements.bytes.is_empty() {
            true => Ok(value),
            false => Err(A::Error::invalid_length(
                bytes.len() / numbers.width(),
                &format_args!("{} elements", elements.next).to_string().as_str(),
            )),
        }
    }
}

/// The numbers of a block.
struct Elements<'a, 'de, E> {
    position: Position<'a>,
    numbers: Numbers,
    bytes: &'de [u8],
    next: usize,
    error: std::marker::PhantomData<E>,
}

impl<'de, E: Error> Elements<'_, 'de, E> {
    #[inline]
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (bytes, rest) = self.bytes.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.bytes = rest;
        *bytes
    }

    #[inline]
    fn take_number(&mut self) -> Number<E> {
        let value = match self.numbers {
            Numbers::U8 => Value::Unsigned(u8::from_le_bytes(self.take()).into()),
            Numbers::U16 => Value::Unsigned(u16::from_le_bytes(self.take()).into()),
            Numbers::U32 => Value::Unsigned(u32::from_le_bytes(self.take()).into()),
            Numbers::U64 => Value::Unsigned(u64::from_le_bytes(self.take())),
            Numbers::I8 => Value::Signed(i8::from_le_bytes(self.take()).into()),
            Numbers::I16 => Value::Signed(i16::from_le_bytes(self.take()).into()),
            Numbers::I32 => Value::Signed(i32::from_le_bytes(self.take()).into()),
            Numbers::I64 => Value::Signed(i64::from_le_bytes(self.take())),
            Numbers::F32 => Value::F32(f32::from_le_bytes(self.take())),
            Numbers::F64 => Value::F64(f64::from_le_bytes(self.take())),
        };
        Number { value, error: std::marker::PhantomData }
    }
}

impl<'de, E: Error> SeqAccess<'de> for Elements<'_, 'de, E> {
    type Error = E;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, E> {
        if self.bytes.is_empty() {
            return Ok(None);
        }
        let (position, index) = (self.position, self.next);
        self.next += 1;
        let number = self.take_number();
        let result = match is_leaf::<S>() {
            true => Plain { guard: position.guard, inner: seed }.deserialize(number),
            false => Seed { position, seed }.deserialize(number),
        };
        result.map(Some).map_err(|error| position.guard.failed(error, || Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() / self.numbers.width())
    }
}

#[derive(Clone, Copy)]
enum Value {
    Unsigned(u64),
    Signed(i64),
    F32(f32),
    F64(f64),
}

/// The deserializer of a number.
struct Number<E> {
    value: Value,
    error: std::marker::PhantomData<E>,
}

impl<'de, E: Error> Deserializer<'de> for Number<E> {
    type Error = E;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.value {
            Value::Unsigned(number) => visitor.visit_u64(number),
            Value::Signed(number) => visitor.visit_i64(number),
            Value::F32(number) => visitor.visit_f32(number),
            Value::F64(number) => visitor.visit_f64(number),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}
