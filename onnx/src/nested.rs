//! Deserialization of nested arrays: one row, or all rows as one tensor, told apart by their depth.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Unexpected, Visitor};

use super::element::{Element, Leaf};
use super::interface::Dim;

/// Shape of a value that is being read.
#[derive(Default)]
pub(super) struct Shape {
    /// Sizes of the row's dimensions, once known: rows are not ragged.
    pub(super) sizes: Vec<Option<usize>>,
    /// True if the value may be several rows: the tensor itself.
    pub(super) may_be_batch: bool,
    /// True if it is several rows; known from the depth of the first element.
    pub(super) is_batch: Option<bool>,
    /// Number of rows of a batch.
    pub(super) rows: usize,
    pub(super) is_empty: bool,
}

impl Shape {
    /// Settles what the depth does not tell: no element was read.
    pub(super) fn settle(&mut self, dims: &[Dim]) {
        if self.is_batch.is_none() {
            // No row is empty where its first size is fixed.
            let row_is_empty = dims.first().is_none_or(|dim| matches!(dim, Dim::Fixed(1..)));
            self.is_batch = Some(self.may_be_batch && self.is_empty && row_is_empty);
        }
    }
}

/// Reads an array at `depth`, or an element; appends to `elements`.
pub(super) struct Level<'a, T> {
    pub(super) depth: usize,
    /// Dimensions of a row.
    pub(super) dims: &'a [Dim],
    pub(super) shape: &'a mut Shape,
    pub(super) elements: &'a mut Vec<T>,
}

impl<T> Level<'_, T> {
    /// Number of nested arrays, if it is known.
    fn levels(&self) -> Option<usize> {
        let is_batch = if self.shape.may_be_batch { self.shape.is_batch? } else { false };
        Some(self.dims.len() + usize::from(is_batch))
    }

    /// Index of this array's dimension in a row; `None` for the rows of a batch, or if it is not known.
    fn axis(&self) -> Option<usize> {
        self.depth.checked_sub(self.levels()? - self.dims.len())
    }
}

impl<'de, T: Element> DeserializeSeed<'de> for Level<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.levels() {
            Some(levels) if self.depth == levels => {
                self.elements.push(Leaf(PhantomData).deserialize(deserializer)?);
                Ok(())
            }
            None if self.depth == self.dims.len() => deserializer.deserialize_any(self),
            _ => deserializer.deserialize_seq(self),
        }
    }
}

/// Takes the first element, which tells that the value is one row.
macro_rules! first_element {
    ($($visit:ident($value:ty)),*) => {$(
        fn $visit<E: Error>(self, value: $value) -> Result<(), E> {
            if self.depth != self.dims.len() {
                return Err(E::invalid_type(Unexpected::Other("a single value"), &self));
            }
            self.elements.push(Leaf(PhantomData).$visit(value)?);
            self.shape.is_batch = Some(false);
            Ok(())
        }
    )*};
}

impl<'de, T: Element> Visitor<'de> for Level<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dims.is_empty() {
            return write!(f, "a {}", T::NAME);
        }
        let dims: Vec<_> = self.dims.iter().map(Dim::to_string).collect();
        write!(f, "an array of {} ({})", T::NAME, dims.join(" × "))
    }

    first_element! {
        visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_bool(bool), visit_str(&str)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.levels().is_none() && self.depth == self.dims.len() {
            // An array where one row would have an element.
            self.shape.is_batch = Some(true);
        } else if self.levels().is_some_and(|levels| self.depth >= levels) {
            return Err(A::Error::invalid_type(Unexpected::Seq, &T::NAME));
        }
        let Level { depth, dims, shape, elements } = self;
        let mut found = 0;
        loop {
            let level =
                Level { depth: depth + 1, dims, shape: &mut *shape, elements: &mut *elements };
            let is_last = level.levels() == Some(depth + 1);
            // Known after the first element at the latest.
            let expected =
                Level { depth, ..level }.axis().and_then(|axis| size_of(dims, shape, axis));
            if expected.is_some_and(|expected| found > expected) {
                break;
            }
            // Allocates nothing for a stated length.
            let read = if is_last {
                seq.next_element_seed(Leaf(PhantomData))?.map(|element| elements.push(element))
            } else {
                let (shape, elements) = (&mut *shape, &mut *elements);
                seq.next_element_seed(Level { depth: depth + 1, dims, shape, elements })?
            };
            if read.is_none() {
                break;
            }
            found += 1;
        }
        let axis = Level { depth, dims, shape: &mut *shape, elements }.axis();
        if let Some(expected) = axis.and_then(|axis| size_of(dims, shape, axis))
            && found != expected
        {
            let found = if found > expected { "more" } else { "fewer" };
            return Err(A::Error::custom(format_args!(
                "expected an array of {expected}, found {found}"
            )));
        }
        match axis.and_then(|axis| shape.sizes.get_mut(axis)) {
            Some(size) => *size = Some(found),
            None if depth == 0 => shape.rows = found,
            None => (),
        }
        shape.is_empty |= depth == 0 && found == 0;
        Ok(())
    }
}

/// Returns the size that an array must have.
pub(super) fn size_of(dims: &[Dim], shape: &Shape, axis: usize) -> Option<usize> {
    match dims.get(axis)? {
        Dim::Fixed(fixed) => Some(usize::try_from(*fixed).unwrap_or(usize::MAX)),
        Dim::Symbol(_) => *shape.sizes.get(axis)?,
    }
}
