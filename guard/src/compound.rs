//! Encoding: sequences, maps and structs.

use std::cell::Cell;

use serde::ser::{self, Serialize};

use super::counts::{Counts, Length};
use super::flat::{is_float, is_leaf};
use super::key::KeyString;
use super::ser::{GuardedValue, Position};
use super::sorted::HeldBack;
use super::{Refusal, Segment};

/// Returns the length that serde declares for an iterator.
pub(super) fn exact_len(iter: &impl Iterator) -> Option<usize> {
    match iter.size_hint() {
        (low, Some(high)) if low == high => Some(low),
        _ => None,
    }
}

/// An iterator that counts what it returned.
pub(super) struct Counted<'a, I> {
    pub(super) iter: I,
    pub(super) written: &'a Cell<usize>,
}

impl<I: Iterator> Iterator for Counted<'_, I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        let item = self.iter.next()?;
        self.written.set(self.written.get() + 1);
        Some(item)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

/// A sequence, map or struct being encoded.
pub(super) struct Compound<'a, C> {
    pub(super) position: Position<'a>,
    /// Number of elements, fields or entries so far.
    pub(super) next: usize,
    pub(super) length: Length,
    pub(super) inner: C,
}

/// A sequence being encoded.
pub(super) struct Seq<'a, C> {
    pub(super) compound: Compound<'a, C>,
    /// If its length is unknown.
    pub(super) held: Option<HeldBack>,
}

/// A map being encoded.
pub(super) struct Map<'a, C> {
    pub(super) compound: Compound<'a, C>,
    /// If it is sorted.
    pub(super) held: Option<HeldBack>,
    /// The key of the entry, for the path, if it is text.
    pub(super) key: Option<String>,
}

impl<C> Compound<'_, C> {
    /// Encodes one element; adds its index to the path on error.
    #[inline]
    fn element<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        value: &T,
        plain: impl FnOnce(&mut C, &T) -> Result<(), E>,
        guarded: impl FnOnce(&mut C, &GuardedValue<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let index = self.next;
        self.next += 1;
        let written = match self.position.is_plain::<T>() {
            true => plain(&mut self.inner, value),
            false => guarded(&mut self.inner, &self.position.wrap(value)),
        };
        self.position.guard.at(written, || Segment::Index(index))
    }

    #[inline]
    fn field<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        name: &'static str,
        value: &T,
        plain: impl FnOnce(&mut C, &T) -> Result<(), E>,
        guarded: impl FnOnce(&mut C, &GuardedValue<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.next += 1;
        let written = match self.position.is_plain::<T>() {
            true => plain(&mut self.inner, value),
            false => guarded(&mut self.inner, &self.position.wrap(value)),
        };
        self.position.guard.at(written, || Segment::Field(name))
    }

    fn skip<E: ser::Error>(&self, name: &'static str) -> Result<(), E> {
        let guard = self.position.guard;
        if guard.rules.counts != Counts::Sequences {
            return Ok(());
        }
        guard.at(Err(self.position.refuse(Refusal::SkippedField)), || Segment::Field(name))
    }

    #[inline]
    pub(super) fn close<E: ser::Error>(&self, counts_elements: bool) -> Result<(), E> {
        let guard = self.position.guard;
        if counts_elements && !guard.count_elements(self.next as u64) {
            return Err(self.position.refuse(Refusal::Elements));
        }
        guard.close(self.length, self.next).map_err(|refusal| self.position.refuse(refusal))
    }
}

impl<C: ser::SerializeSeq> ser::SerializeSeq for Seq<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    #[inline]
    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        self.compound.element(
            value,
            |inner, value| inner.serialize_element(value),
            |inner, value| inner.serialize_element(value),
        )
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.compound.close(true)?;
        if let Some(held) = self.held {
            held.end(self.compound.position.guard, self.compound.next);
        }
        self.compound.inner.end()
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident,)*) => {
        $(impl<C: ser::$trait> ser::$trait for Compound<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
                self.element(
                    value,
                    |inner, value| inner.$method(value),
                    |inner, value| inner.$method(value),
                )
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.close(true)?;
                self.inner.end()
            }
        })*
    };
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

            #[inline]
            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.field(
                    name,
                    value,
                    |inner, value| inner.serialize_field(name, value),
                    |inner, value| inner.serialize_field(name, value),
                )
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.skip(name)?;
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.close(false)?;
                self.inner.end()
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant, }

impl<C: ser::SerializeMap> Compound<'_, C> {
    /// Encodes the key of an entry.
    #[inline]
    pub(super) fn key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), C::Error> {
        if is_leaf::<T>() && !is_float::<T>() {
            return self.inner.serialize_key(key);
        }
        if self.position.guard.rules.json && self.key_text(key).is_none() {
            return Err(self.position.refuse(Refusal::Key));
        }
        self.inner.serialize_key(&self.position.key().wrap(key))
    }

    /// Encodes the value of an entry.
    #[inline]
    pub(super) fn value<T: ?Sized + Serialize>(
        &mut self,
        value: &T,
        key: impl FnOnce() -> Option<String>,
    ) -> Result<(), C::Error> {
        let index = self.next;
        self.next += 1;
        let written = match self.position.is_plain::<T>() {
            true => self.inner.serialize_value(value),
            false => self.inner.serialize_value(&self.position.wrap(value)),
        };
        let segment = || key().map_or(Segment::Index(index), Segment::Key);
        self.position.guard.at(written, segment)
    }

    /// Returns the key as the path has it.
    pub(super) fn key_text<T: ?Sized + Serialize>(&self, key: &T) -> Option<String> {
        key.serialize(KeyString).ok().filter(|_| self.position.guard.rules.json)
    }
}

impl<C: ser::SerializeMap> ser::SerializeMap for Map<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), C::Error> {
        let guard = self.compound.position.guard;
        if let Some(held) = &mut self.held {
            held.begin(guard);
        }
        self.compound.key(key)?;
        if guard.rules.json {
            self.key = self.compound.key_text(key);
        }
        if let Some(held) = &mut self.held {
            held.key(guard, key);
        }
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        let key = &mut self.key;
        self.compound.value(value, || key.take())
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.compound.close(true)?;
        if let Some(held) = self.held {
            held.end(self.compound.position.guard, self.compound.next);
        }
        self.compound.inner.end()
    }
}
