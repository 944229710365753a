//! Decoding: the elements of sequences and the entries of maps.

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess};

use super::de::{Position, Seed};
use super::leaf::{is_float, is_leaf};
use super::narrow::Narrow;
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
    /// Reads an element that needs no guard.
    #[inline]
    fn next_leaf<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        let result = if is_float::<S>() {
            self.inner.next_element_seed(Narrow(seed))
        } else {
            self.inner.next_element_seed(seed)
        };
        match result {
            Ok(value) => {
                self.ended = value.is_none();
                Ok(value)
            }
            Err(error) => self.failed(error),
        }
    }

    #[cold]
    fn failed<T>(&self, error: A::Error) -> Result<T, A::Error> {
        let index = self.next - 1;
        let guard = self.position.guard;
        guard.at(Err(guard.remember(error, serde::de::Error::custom)), || {
            match self.fields.get(index) {
                Some(name) => Segment::Field(name),
                None => Segment::Index(index),
            }
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
        if is_leaf::<S>() && !(position.guard.rules.words && is_float::<S>()) {
            return self.next_leaf(seed);
        }
        if !position.guard.count_elements(1) {
            return Err(position.refuse(Refusal::Elements));
        }
        match self.inner.next_element_seed(Seed { position, seed }) {
            Ok(value) => {
                self.ended = value.is_none();
                Ok(value)
            }
            Err(error) => self.failed(error),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// A map being decoded.
pub(super) struct Entries<'a, A> {
    pub(super) position: Position<'a>,
    pub(super) key: String,
    pub(super) inner: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        if !self.position.guard.count_elements(1) {
            return Err(self.position.refuse(Refusal::Elements));
        }
        let position = self.position.key();
        position.guard.key.borrow_mut().clear();
        let key = self.inner.next_key_seed(Seed { position, seed })?;
        // Maps inside the value overwrite the guard's key, so this one is kept here.
        std::mem::swap(&mut self.key, &mut position.guard.key.borrow_mut());
        Ok(key)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        let position = self.position;
        let result = self.inner.next_value_seed(Seed { position, seed });
        position.guard.at(result, || Segment::Key(std::mem::take(&mut self.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}
