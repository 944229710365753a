//! Encoding: sequences, maps and structs.

use std::cell::Cell;

use serde::ser::{self, Serialize};

use super::counts::{Counts, Length};
use super::key::{KeyString, NotString};
use super::leaf::{is_float, is_leaf};
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
        let (guard, index) = (self.position.guard, self.next);
        self.next += 1;
        let floats_pass = !guard.rules.json && !guard.rules.words;
        let written = if is_leaf::<T>() && (floats_pass || !is_float::<T>()) {
            plain(&mut self.inner, value)
        } else {
            guarded(&mut self.inner, &self.position.wrap(value))
        };
        guard.at(written, || Segment::Index(index))
    }

    #[inline]
    fn field<T: ?Sized + Serialize, E: ser::Error>(
        &mut self,
        name: &'static str,
        value: &T,
        write: impl FnOnce(&mut C, &GuardedValue<'_, T>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.next += 1;
        let result = write(&mut self.inner, &self.position.wrap(value));
        self.position.guard.at(result, || Segment::Field(name))
    }

    fn skip<E: ser::Error>(&self, name: &'static str) -> Result<(), E> {
        let guard = self.position.guard;
        if guard.rules.counts != Counts::Sequences {
            return Ok(());
        }
        guard.at(Err(self.position.refuse(Refusal::SkippedField)), || Segment::Field(name))
    }

    #[inline]
    fn close<E: ser::Error>(&self, counts_elements: bool) -> Result<(), E> {
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

            fn serialize_field<T: ?Sized + Serialize>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                self.field(name, value, |inner, value| inner.serialize_field(name, value))
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

impl<C: ser::SerializeMap> ser::SerializeMap for Map<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: ?Sized + Serialize>(&mut self, key: &T) -> Result<(), C::Error> {
        if self.compound.position.guard.rules.json {
            match key.serialize(KeyString) {
                Ok(text) => self.key = Some(text),
                Err(NotString) => return Err(self.compound.position.refuse(Refusal::Key)),
            }
        }
        let guard = self.compound.position.guard;
        if let Some(held) = &mut self.held {
            held.begin(guard);
        }
        let position = self.compound.position.key();
        self.compound.inner.serialize_key(&position.wrap(key))?;
        if let Some(held) = &mut self.held {
            held.key(guard, key);
        }
        Ok(())
    }

    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), C::Error> {
        let result = self.compound.inner.serialize_value(&self.compound.position.wrap(value));
        let index = self.compound.next;
        self.compound.next += 1;
        let key = self.key.take();
        self.compound.position.guard.at(result, || key.map_or(Segment::Index(index), Segment::Key))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.compound.close(true)?;
        if let Some(held) = self.held {
            held.end(self.compound.position.guard, self.compound.next);
        }
        self.compound.inner.end()
    }
}
