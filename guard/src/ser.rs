//! Encoding: wrappers of serializers and values.

use std::cell::Cell;

use serde::ser::{self, Error as _, Serialize, SerializeMap as _, SerializeSeq as _, Serializer};

use super::block::{Block, is_run};
use super::collected::{Order, is_sorted_map, order, reordered};
use super::compound::{Compound, Counted, Map, Seq, exact_len};
use super::counts::Kind;
use super::flat::{is_float, is_leaf, is_optional_leaf};
use super::key::KeyString;
use super::sorted::HeldBack;
use super::{Guard, Refusal, Segment, words};

/// A value at some depth.
pub(super) struct GuardedValue<'a, T: ?Sized> {
    position: Position<'a>,
    value: &'a T,
}

#[derive(Clone, Copy)]
pub(super) struct Position<'a> {
    pub(super) guard: &'a Guard,
    depth: u32,
    /// True for the value of a `Some`.
    in_some: bool,
    /// True for a map key.
    is_key: bool,
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
        Self { guard, depth: 0, in_some: false, is_key: false }
    }

    pub(super) fn wrap<T: ?Sized>(self, value: &'a T) -> GuardedValue<'a, T> {
        GuardedValue { position: self, value }
    }

    #[inline]
    fn inner<E: ser::Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth as usize > self.guard.rules.depth {
            return Err(self.refuse(Refusal::Depth(self.guard.rules.depth)));
        }
        Ok(Self { depth, in_some: false, is_key: false, ..self })
    }

    /// Returns true if a flat value of that depth needs no guard.
    fn has_plain(self, depth: usize) -> bool {
        let rules = &self.guard.rules;
        !rules.json && !rules.words && self.depth as usize + depth <= rules.depth
    }

    /// Returns true for a type whose values need no guard here.
    #[inline]
    pub(super) fn is_plain<T: ?Sized>(self) -> bool {
        let rules = &self.guard.rules;
        let is_flat = is_leaf::<T>() && (!is_float::<T>() || !rules.json && !rules.words)
            || is_optional_leaf::<T>() && !rules.json && !rules.words;
        is_flat && (self.depth as usize) < rules.depth
    }

    pub(super) fn key(self) -> Self {
        Self { is_key: true, ..self }
    }

    #[cold]
    pub(super) fn refuse<E: ser::Error>(self, refusal: Refusal) -> E {
        E::custom(self.guard.refuse(refusal))
    }

    #[inline]
    fn check_number<E: ser::Error>(self, kind: Option<&'static str>) -> Result<(), E> {
        match kind {
            // A key is text in JSON, which holds any integer.
            Some(kind) if self.guard.rules.json && !self.is_key => {
                Err(self.refuse(Refusal::Number(kind)))
            }
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
    #[inline]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let position = self.position;
        // It has no levels below it.
        if is_leaf::<T>() {
            return self.value.serialize(GuardedSerializer { position, inner: serializer });
        }
        position.guard.level(S::Error::custom, || {
            let serializer = GuardedSerializer { position, inner: serializer };
            match serializer.block_of(self.value) {
                Some(block) => block.serialize(serializer.inner),
                None => self.value.serialize(serializer),
            }
        })
    }
}

/// A serializer, or one of its compound parts, at some depth.
struct GuardedSerializer<'a, S> {
    position: Position<'a>,
    inner: S,
}

impl<S> GuardedSerializer<'_, S> {
    /// Returns the block that stands for a vector of numbers, if the format has blocks, and the vector needs no guard.
    #[inline]
    fn block_of<'v, T: ?Sized>(&self, value: &'v T) -> Option<Block<'v>> {
        let guard = self.position.guard;
        let is_plain = self.position.has_plain(1) && guard.declares_lengths();
        Block::of_vector(guard.extension.filter(|_| is_plain)?, value)
    }
}

impl<S: Serializer> GuardedSerializer<'_, S> {
    /// Writes a map whose entries are sorted, or need not be.
    fn write_map<K: Serialize, V: Serialize>(
        self,
        entries: impl Iterator<Item = (K, V)>,
        len: Option<usize>,
    ) -> Result<S::Ok, S::Error> {
        let position = self.position.inner()?;
        let (len, length) = position.guard.open(Kind::Sequence, len);
        let inner = self.inner.serialize_map(len)?;
        let mut map = Compound { position, next: 0, length, inner };
        let json = position.guard.rules.json;
        for (key, value) in entries {
            map.key(&key)?;
            map.value(&value, || key.serialize(KeyString).ok().filter(|_| json))?;
        }
        map.close(true)?;
        map.inner.end()
    }

    /// Returns the text for a number that is not finite, if the rules ask for one.
    #[inline]
    fn word(&self, number: f64) -> Option<&'static str> {
        let words = self.position.guard.rules.words && self.inner.is_human_readable();
        words::of_number(number).filter(|_| words)
    }
}

#[inline]
fn non_finite(finite: bool, nan: bool) -> Option<&'static str> {
    match (finite, nan) {
        (true, _) => None,
        (_, true) => Some("NaN"),
        _ => Some("an infinity"),
    }
}

macro_rules! pass {
    ($($method:ident: $type:ty,)*) => {
        $(#[inline]
        fn $method(self, v: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(v)
        })*
    };
}

/// Opens a tuple or struct, whose last argument is its length.
macro_rules! open {
    ($($method:ident ($($arg:ident: $type:ty),*) -> $compound:ident,)*) => {
        $(#[inline]
        fn $method(self, $($arg: $type,)* len: usize) -> Result<Self::$compound, S::Error> {
            let position = self.position.inner()?;
            let (known, length) = position.guard.open(Kind::Fixed, Some(len));
            let inner = self.inner.$method($($arg,)* known.unwrap_or(len))?;
            Ok(Compound { position, next: 0, length, inner })
        })*
    };
}

impl<'a, S: Serializer> Serializer for GuardedSerializer<'a, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Seq<'a, S::SerializeSeq>;
    type SerializeTuple = Compound<'a, S::SerializeTuple>;
    type SerializeTupleStruct = Compound<'a, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<'a, S::SerializeTupleVariant>;
    type SerializeMap = Map<'a, S::SerializeMap>;
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
        serialize_tuple() -> SerializeTuple,
        serialize_tuple_struct(name: &'static str) -> SerializeTupleStruct,
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str)
            -> SerializeTupleVariant,
        serialize_struct(name: &'static str) -> SerializeStruct,
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str)
            -> SerializeStructVariant,
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let position = self.position.inner()?;
        let (len, length) = position.guard.open(Kind::Sequence, len);
        let open = |len| self.inner.serialize_seq(len);
        let (held, inner) = match position.guard.held.rewrites(len) {
            false => (None, open(len)?),
            true => HeldBack::open(position.guard, len, |lengths| lengths.0, open)?,
        };
        Ok(Seq { compound: Compound { position, next: 0, length, inner }, held })
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let position = self.position.inner()?;
        let (len, length) = position.guard.open(Kind::Sequence, len);
        let open = |len| self.inner.serialize_map(len);
        let (held, inner) = match position.guard.held.sorts() {
            false => (None, open(len)?),
            true => HeldBack::open(position.guard, len, |lengths| lengths.1, open)?,
        };
        Ok(Map { compound: Compound { position, next: 0, length, inner }, key: None, held })
    }

    fn serialize_i128(self, v: i128) -> Result<S::Ok, S::Error> {
        self.position.check_number(Some("a 128-bit integer"))?;
        self.inner.serialize_i128(v)
    }

    fn serialize_u128(self, v: u128) -> Result<S::Ok, S::Error> {
        self.position.check_number(Some("a 128-bit integer"))?;
        self.inner.serialize_u128(v)
    }

    #[inline]
    fn serialize_f32(self, v: f32) -> Result<S::Ok, S::Error> {
        if let Some(word) = self.word(v.into()) {
            return self.inner.serialize_str(word);
        }
        self.position.check_number(non_finite(v.is_finite(), v.is_nan()))?;
        self.inner.serialize_f32(v)
    }

    #[inline]
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
        let Position { in_some, is_key, .. } = self.position;
        let position = Position { in_some, is_key, ..self.position.inner()? };
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

    fn collect_seq<I: IntoIterator<Item: Serialize>>(self, iter: I) -> Result<S::Ok, S::Error> {
        let (iter, guard) = (iter.into_iter(), self.position.guard);
        let declared = exact_len(&iter);
        let depth = guard.flat.depth::<I::Item>();
        let is_flat = depth.is_some_and(|depth| self.position.has_plain(depth + 1));
        if !(is_flat && guard.declares_lengths() && declared.is_some()) {
            let mut seq = self.serialize_seq(declared)?;
            for item in iter {
                seq.serialize_element(&item)?;
            }
            return seq.end();
        }
        let position = self.position.inner()?;
        let (written, (_, length)) = (Cell::new(0), guard.open(Kind::Sequence, declared));
        if let (Some(name), Some(len)) = (guard.extension, declared)
            && is_run::<I::Item>(len)
        {
            let block = Block::of(name, len, iter).map_err(S::Error::custom)?;
            guard.close(length, block.len()).map_err(|refusal| position.refuse(refusal))?;
            return block.serialize(self.inner);
        }
        // The format's own loop over numbers or text.
        let collected = self.inner.collect_seq(Counted { iter, written: &written });
        let value = guard.at(collected, || Segment::Index(written.get().saturating_sub(1)))?;
        let closed = guard.close(length, written.get());
        closed.map(|()| value).map_err(|refusal| position.refuse(refusal))
    }

    fn collect_map<K: Serialize, V: Serialize, I: IntoIterator<Item = (K, V)>>(
        self,
        iter: I,
    ) -> Result<S::Ok, S::Error> {
        let is_sorted = is_sorted_map::<K, I>() || !self.position.guard.held.sorts();
        let iter = iter.into_iter();
        if is_sorted {
            let len = exact_len(&iter);
            return self.write_map(iter, len);
        }
        // Sorting what is not yet encoded moves less than sorting its encoding.
        let entries: Vec<_> = iter.collect();
        let len = Some(entries.len());
        match order(&entries) {
            Order::Sorted => self.write_map(entries.into_iter(), len),
            Order::Of(order) => self.write_map(reordered(entries, order), len),
            Order::Unknown => {
                let mut map = self.serialize_map(len)?;
                for (key, value) in entries {
                    map.serialize_entry(&key, &value)?;
                }
                map.end()
            }
        }
    }

    fn collect_str<T: ?Sized + std::fmt::Display>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
