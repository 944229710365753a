//! Encoding: wrappers of serializers and values.

use serde::ser::{self, Error as _, Serialize, Serializer};

use super::key::{KeyString, NotString};
use super::sorted::HeldBack;
use super::{Guard, Refusal, Segment, words};

/// A value at some depth.
pub(super) struct GuardedValue<'a, T: ?Sized> {
    position: Position<'a>,
    value: &'a T,
}

#[derive(Clone, Copy)]
struct Position<'a> {
    guard: &'a Guard,
    depth: usize,
    /// True for the value of a `Some`.
    in_some: bool,
}

impl<'a, T: ?Sized> GuardedValue<'a, T> {
    pub(super) fn top(guard: &'a Guard, value: &'a T) -> Self {
        Position::top(guard).wrap(value)
    }
}

pub(super) fn wrap<S: Serializer>(
    guard: &Guard,
    inner: S,
) -> impl Serializer<Ok = S::Ok, Error = S::Error> {
    GuardedSerializer { position: Position::top(guard), inner }
}

impl<'a> Position<'a> {
    fn top(guard: &'a Guard) -> Self {
        Self { guard, depth: 0, in_some: false }
    }

    fn wrap<T: ?Sized>(self, value: &'a T) -> GuardedValue<'a, T> {
        GuardedValue { position: self, value }
    }

    fn inner<E: ser::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > self.guard.rules.depth {
            return Err(self.refuse(Refusal::Depth(self.guard.rules.depth)));
        }
        Ok(Self { depth, in_some: false, ..self })
    }

    fn refuse<E: ser::Error>(self, refusal: Refusal) -> E {
        E::custom(self.guard.refuse(refusal))
    }

    fn check_number<E: ser::Error>(self, kind: Option<&'static str>) -> Result<(), E> {
        match kind {
            Some(kind) if self.guard.rules.json => Err(self.refuse(Refusal::Number(kind))),
            _ => Ok(()),
        }
    }

    fn check_option<E: ser::Error>(self) -> Result<(), E> {
        if self.in_some && self.guard.rules.flat_options {
            return Err(self.refuse(Refusal::NestedOption));
        }
        Ok(())
    }
}

impl<T: ?Sized + Serialize> Serialize for GuardedValue<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.position;
        position.guard.level(position.depth, S::Error::custom, || {
            self.value.serialize(GuardedSerializer { position, inner: serializer })
        })
    }
}

/// A serializer, or one of its compound parts, at some depth.
struct GuardedSerializer<'a, S> {
    position: Position<'a>,
    inner: S,
}

impl<S: Serializer> GuardedSerializer<'_, S> {
    /// Returns the text for a number that is not finite, if the rules ask for one.
    fn word(&self, number: f64) -> Option<&'static str> {
        let words = self.position.guard.rules.words && self.inner.is_human_readable();
        words::of_number(number).filter(|_| words)
    }
}

fn non_finite(finite: bool, nan: bool) -> Option<&'static str> {
    match (finite, nan) {
        (true, _) => None,
        (_, true) => Some("NaN"),
        _ => Some("an infinity"),
    }
}

macro_rules! pass {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, v: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(v)
        })*
    };
}

macro_rules! open {
    ($($method:ident ($($arg:ident: $type:ty),*) -> $compound:ident,)*) => {
        $(fn $method(self, $($arg: $type),*) -> Result<Self::$compound, S::Error> {
            let position = self.position.inner()?;
            Ok(Compound::new(position, self.inner.$method($($arg),*)?))
        })*
    };
}

impl<'a, S: Serializer> Serializer for GuardedSerializer<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<'a, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Compound<'a, S::SerializeMap>;
    type SerializeStruct = Compound<'a, S::SerializeStruct>;
    type SerializeStructVariant = Compound<'a, S::SerializeStructVariant>;

    pass! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_char: char,
        serialize_str: &str,
        serialize_bytes: &[u8],
    }

    open! {
        serialize_tuple(len: usize) -> SerializeTuple,
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct,
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant,
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct,
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant,
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let position = self.position.inner()?;
        let open = |len| self.inner.serialize_seq(len);
        if !position.guard.held.rewrites(len) {
            return Ok(Compound::new(position, open(len)?));
        }
        let (held, inner) = HeldBack::open(position.guard, len, |lengths| lengths.0, open)?;
        Ok(Compound { held: Some(held), ..Compound::new(position, inner) })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let position = self.position.inner()?;
        let open = |len| self.inner.serialize_map(len);
        if !position.guard.held.sorts() {
            return Ok(Compound::new(position, open(len)?));
        }
        let (held, inner) = HeldBack::open(position.guard, len, |lengths| lengths.1, open)?;
        Ok(Compound { held: Some(held), ..Compound::new(position, inner) })
    }

    fn serialize_i128(self, v: i128) -> Result<S::Ok, S::Error> {
        self.position.check_number(Some("a 128-bit integer"))?;
        self.inner.serialize_i128(v)
    }

    fn serialize_u128(self, v: u128) -> Result<S::Ok, S::Error> {
        self.position.check_number(Some("a 128-bit integer"))?;
        self.inner.serialize_u128(v)
    }

    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        if let Some(word) = self.word(v.into()) {
            return self.inner.serialize_str(word);
        }
        self.position.check_number(non_finite(v.is_finite(), v.is_nan()))?;
        self.inner.serialize_f32(v)
    }

    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        if let Some(word) = self.word(v) {
            return self.inner.serialize_str(word);
        }
        self.position.check_number(non_finite(v.is_finite(), v.is_nan()))?;
        self.inner.serialize_f64(v)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.position.check_option()?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<S::Ok, S::Error> {
        let position = Position { in_some: true, ..self.position.inner()? };
        self.inner.serialize_some(&position.wrap(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.position.check_option()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.position.check_option()?;
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let position = Position { in_some: self.position.in_some, ..self.position.inner()? };
        self.inner.serialize_newtype_struct(name, &position.wrap(value))
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let position = self.position.inner()?;
        let result =
            self.inner.serialize_newtype_variant(name, index, variant, &position.wrap(value));
        position.guard.at(result, || Segment::Variant(variant))
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A sequence, map or struct being encoded.
struct Compound<'a, C> {
    position: Position<'a>,
    next: usize,
    key: Option<String>,
    /// Of maps, if they are sorted, and of sequences of unknown length.
    held: Option<HeldBack>,
    inner: C,
}

impl<'a, C> Compound<'a, C> {
    fn new(position: Position<'a>, inner: C) -> Self {
        Self { position, next: 0, key: None, held: None, inner }
    }

    /// Returns the inner compound, whose end is next.
    fn finish(self) -> C {
        if let Some(held) = self.held {
            held.end(self.position.guard, self.next);
        }
        self.inner
    }

    /// Encodes one element; adds its index to the path on error.
    fn element<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        value: &T,
        write: impl FnOnce(&mut C, &GuardedValue<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (guard, index) = (self.position.guard, self.next);
        self.next += 1;
        if !guard.count_element() {
            return Err(self.position.refuse(Refusal::Elements));
        }
        guard.at(write(&mut self.inner, &self.position.wrap(value)), || Segment::Index(index))
    }

    fn field<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        name: &'static str,
        value: &T,
        write: impl FnOnce(&mut C, &GuardedValue<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = write(&mut self.inner, &self.position.wrap(value));
        self.position.guard.at(result, || Segment::Field(name))
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident,)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
                self.element(value, |inner, value| inner.$method(value))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

impl<C: ser::SerializeSeq> ser::SerializeSeq for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        self.element(value, |inner, value| inner.serialize_element(value))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.finish().end()
    }
}

elements! {
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field,
}

macro_rules! fields {
    ($($trait:ident,)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.field(name, value, |inner, value| inner.serialize_field(name, value))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant, }

impl<C: ser::SerializeMap> ser::SerializeMap for Compound<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), C::Error> {
        if !self.position.guard.count_element() {
            return Err(self.position.refuse(Refusal::Elements));
        }
        if self.position.guard.rules.json {
            match key.serialize(KeyString) {
                Ok(text) => self.key = Some(text),
                Err(NotString) => return Err(self.position.refuse(Refusal::Key)),
            }
        }
        let guard = self.position.guard;
        if let Some(held) = &mut self.held {
            held.begin(guard);
        }
        self.inner.serialize_key(&self.position.wrap(key))?;
        if let Some(held) = &mut self.held {
            held.key(guard, key);
        }
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        let result = self.inner.serialize_value(&self.position.wrap(value));
        let index = self.next;
        self.next += 1;
        let key = self.key.take();
        self.position.guard.at(result, || key.map_or(Segment::Index(index), Segment::Key))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.finish().end()
    }
}
