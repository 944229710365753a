//! Decoding: the elements of sequences and the entries of maps.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};

use super::de::{Position, Seed};
use super::entry_key::{EntryKey, KeySeed};
use super::flat::{is_float, is_leaf, is_optional_leaf};
use super::plain::Plain;
use super::{Refusal, Segment};

/// A sequence being decoded.
pub(super) struct Elements<'a, A> {
    pub(super) position: Position<'a>,
    pub(super) fields: &'static [&'static str],
    pub(super) next: usize,
    pub(super) ended: bool,
    pub(super) inner: A,
}

impl<'de, A: SeqAccess<'de>> Elements<'_, A> {
    #[inline]
    fn done<T>(&mut self, result: Result<Option<T>, A::Error>) -> Result<Option<T>, A::Error> {
        match result {
            Ok(value) => {
                self.ended = value.is_none();
                Ok(value)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    #[cold]
    #[inline(never)]
    fn failed(&self, error: A::Error) -> A::Error {
        let index = self.next - 1;
        self.position.guard.failed(error, || match self.fields.get(index) {
            Some(name) => Segment::Field(name),
            None => Segment::Index(index),
        })
    }

    /// Reports the length of a sequence that is too long, where a format reports trailing characters.
    pub(super) fn check_end(mut self) -> Result<(), A::Error> {
        let expected = self.next;
        while !self.ended {
            self.next_element::<IgnoredAny>()?;
        }
        match self.next.saturating_sub(1) {
            found if found > expected => Err(serde::de::Error::invalid_length(
                found,
                &format_args!("{expected} elements").to_string().as_str(),
            )),
            _ => Ok(()),
        }
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let position = self.position;
        self.next += 1;
        let is_plain = match is_leaf::<S>() {
            true => !(position.guard.rules.words && is_float::<S>()),
            false => {
                position.guard.flat.depth::<S>().is_some_and(|depth| position.has_plain(depth))
            }
        };
        if is_plain {
            let seed = Plain { guard: position.guard, inner: seed };
            let result = self.inner.next_element_seed(seed);
            return self.done(result);
        }
        if !position.guard.count_elements(1) {
            return Err(position.refuse(Refusal::Elements));
        }
        let result = self.inner.next_element_seed(Seed { position, seed });
        self.done(result)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A map being decoded.
pub(super) struct Entries<'a, 'de, A> {
    pub(super) position: Position<'a>,
    /// True for a struct.
    pub(super) has_fields: bool,
    pub(super) key: EntryKey<'de>,
    pub(super) inner: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, 'de, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        // Names of fields are identifiers. Such keys take at least a byte.
        if self.has_fields || is_leaf::<S>() && !is_float::<S>() {
            return self.inner.next_key_seed(KeySeed { inner: seed, key: &mut self.key });
        }
        let position = self.position.key();
        if !position.guard.count_elements(1) {
            return Err(position.refuse(Refusal::Elements));
        }
        position.guard.key.borrow_mut().clear();
        let key = self.inner.next_key_seed(Seed { position, seed })?;
        // Maps inside the value overwrite the guard's key, so this one is kept here.
        self.key.swap(&mut position.guard.key.borrow_mut());
        Ok(key)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let position = self.position;
        let is_plain = match is_leaf::<S>() {
            true => !(position.guard.rules.words && is_float::<S>()),
            false => is_optional_leaf::<S>() && position.has_plain(1),
        };
        let result = match is_plain {
            true => self.inner.next_value_seed(Plain { guard: position.guard, inner: seed }),
            false => self.inner.next_value_seed(Seed { position, seed }),
        };
        result.map_err(|error| {
            position.guard.failed(error, || Segment::Key(std::mem::take(&mut self.key).into_text()))
        })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}
