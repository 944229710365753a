//! The encoding half: a serializer around a serializer.

use serde::ser::{self, Error as _, Serialize, Serializer};

use super::key::{KeyText, NotText};
use super::{Guard, Refusal, Segment};

/// A value at some depth.
pub(super) struct Guarded<'a, T: ?Sized> {
    place: Position<'a>,
    value: &'a T,
}

#[derive(Clone, Copy)]
struct Position<'a> {
    guard: &'a Guard,
    depth: usize,
    /// Whether this is what a `Some` holds.
    in_some: bool,
}

impl<'a, T: ?Sized> Guarded<'a, T> {
    pub(super) fn top(guard: &'a Guard, value: &'a T) -> Self {
        Position::top(guard).holds(value)
    }
}

pub(super) fn around<S: Serializer>(
    guard: &Guard,
    inner: S,
) -> impl Serializer<Ok = S::Ok, Error = S::Error> {
    Guarding { place: Position::top(guard), inner }
}

impl<'a> Position<'a> {
    fn top(guard: &'a Guard) -> Self {
        Self { guard, depth: 0, in_some: false }
    }

    fn holds<T: ?Sized>(self, value: &'a T) -> Guarded<'a, T> {
        Guarded { place: self, value }
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

    fn number<E: ser::Error>(self, kind: Option<&'static str>) -> Result<(), E> {
        match kind {
            Some(kind) if self.guard.rules.json => Err(self.refuse(Refusal::Number(kind))),
            _ => Ok(()),
        }
    }

    fn nothing<E: ser::Error>(self) -> Result<(), E> {
        if self.in_some && self.guard.rules.flat_options {
            return Err(self.refuse(Refusal::NestedOption));
        }
        Ok(())
    }
}

impl<T: ?Sized + Serialize> Serialize for Guarded<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = self.place;
        place.guard.level(place.depth, S::Error::custom, || {
            self.value.serialize(Guarding { place, inner: serializer })
        })
    }
}

/// A serializer, or one of its compound parts, at some depth.
struct Guarding<'a, S> {
    place: Position<'a>,
    inner: S,
}

fn float_fault(finite: bool, nan: bool) -> Option<&'static str> {
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
            let place = self.place.inner()?;
            Ok(Compound { place, next: 0, key: None, inner: self.inner.$method($($arg),*)? })
        })*
    };
}

impl<'a, S: Serializer> Serializer for Guarding<'a, S> {
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
        serialize_seq(len: Option<usize>) -> SerializeSeq,
        serialize_tuple(len: usize) -> SerializeTuple,
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct,
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeTupleVariant,
        serialize_map(len: Option<usize>) -> SerializeMap,
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct,
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize)
            -> SerializeStructVariant,
    }

    fn serialize_i128(self, v: i128) -> Result<S::Ok, S::Error> {
        self.place.number(Some("a 128-bit integer"))?;
        self.inner.serialize_i128(v)
    }

    fn serialize_u128(self, v: u128) -> Result<S::Ok, S::Error> {
        self.place.number(Some("a 128-bit integer"))?;
        self.inner.serialize_u128(v)
    }

    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        self.place.number(float_fault(v.is_finite(), v.is_nan()))?;
        self.inner.serialize_f32(v)
    }

    fn serialize_f64(self, v: f64) -> Result<S::Ok, S::Error> {
        self.place.number(float_fault(v.is_finite(), v.is_nan()))?;
        self.inner.serialize_f64(v)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.place.nothing()?;
        self.inner.serialize_none()
    }

    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<S::Ok, S::Error> {
        let place = Position { in_some: true, ..self.place.inner()? };
        self.inner.serialize_some(&place.holds(value))
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.place.nothing()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.place.nothing()?;
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
        let place = Position { in_some: self.place.in_some, ..self.place.inner()? };
        self.inner.serialize_newtype_struct(name, &place.holds(value))
    }

    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let place = self.place.inner()?;
        let result =
            self.inner.serialize_newtype_variant(name, index, variant, &place.holds(value));
        place.guard.at(result, || Segment::Variant(variant))
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// A sequence, map or struct that is being written.
struct Compound<'a, C> {
    place: Position<'a>,
    next: usize,
    key: Option<String>,
    inner: C,
}

impl<C> Compound<'_, C> {
    /// Passes one element on, and adds its index to the path if it fails.
    fn element<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        value: &T,
        write: impl FnOnce(&mut C, &Guarded<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (guard, index) = (self.place.guard, self.next);
        self.next += 1;
        if !guard.count_element() {
            return Err(self.place.refuse(Refusal::Elements));
        }
        guard.at(write(&mut self.inner, &self.place.holds(value)), || Segment::Index(index))
    }

    fn field<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        name: &'static str,
        value: &T,
        write: impl FnOnce(&mut C, &Guarded<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let result = write(&mut self.inner, &self.place.holds(value));
        self.place.guard.at(result, || Segment::Field(name))
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

elements! {
    SerializeSeq serialize_element,
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
        if !self.place.guard.count_element() {
            return Err(self.place.refuse(Refusal::Elements));
        }
        if self.place.guard.rules.json {
            match key.serialize(KeyText) {
                Ok(text) => self.key = Some(text),
                Err(NotText) => return Err(self.place.refuse(Refusal::Key)),
            }
        }
        self.inner.serialize_key(&self.place.holds(key))
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        let result = self.inner.serialize_value(&self.place.holds(value));
        let index = self.next;
        self.next += 1;
        let key = self.key.take();
        self.place.guard.at(result, || key.map_or(Segment::Index(index), Segment::Key))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
