//! The keys of a batch, and their range.

use arrow_arith::aggregate::{max, max_binary, max_string, min, min_binary, min_string};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array, StringArray, UInt64Array};
use arrow_cast::cast;
use arrow_schema::DataType;
use larder_core::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::KeyRef;
use crate::error::arrow_error;

/// Maximum bytes of a text in the range of a fragment's keys.
const MOST_RANGE: usize = 64;

/// The keys of a batch.
pub(crate) enum KeyColumn {
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Text(StringArray),
    Bytes(BinaryArray),
}

impl KeyColumn {
    /// Reads the column of the key.
    pub(crate) fn of(column: &ArrayRef) -> Result<Self> {
        let as_type = |column: &ArrayRef, kind: &DataType| {
            cast(column, kind).map_err(|error| arrow_error("read keys", error))
        };
        Ok(match column.data_type() {
            DataType::UInt64 => Self::Unsigned(column.as_primitive::<UInt64Type>().clone()),
            DataType::Utf8 => Self::Text(column.as_string::<i32>().clone()),
            DataType::Binary => Self::Bytes(column.as_binary::<i32>().clone()),
            DataType::FixedSizeBinary(_) => {
                Self::Bytes(as_type(column, &DataType::Binary)?.as_binary::<i32>().clone())
            }
            DataType::Date32 => {
                let days = as_type(column, &DataType::Int32)?;
                Self::Signed(as_type(&days, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            _ => {
                Self::Signed(as_type(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.array().len()
    }

    fn array(&self) -> &dyn Array {
        match self {
            Self::Signed(array) => array,
            Self::Unsigned(array) => array,
            Self::Text(array) => array,
            Self::Bytes(array) => array,
        }
    }

    /// Returns a key; `None` if it is null.
    pub(crate) fn get(&self, row: usize) -> Option<KeyRef<'_>> {
        if self.array().is_null(row) {
            return None;
        }
        Some(match self {
            Self::Signed(array) => KeyRef::Integer(array.value(row).into()),
            Self::Unsigned(array) => KeyRef::Integer(array.value(row).into()),
            Self::Text(array) => KeyRef::Text(array.value(row)),
            Self::Bytes(array) => KeyRef::Bytes(array.value(row)),
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<KeyRef<'_>>> {
        (0..self.len()).map(|row| self.get(row))
    }

    /// Returns true if each key is larger than the one before, and none is null.
    pub(super) fn ascends(&self) -> bool {
        if self.array().null_count() > 0 {
            return false;
        }
        match self {
            Self::Signed(array) => array.values().is_sorted_by(|one, two| one < two),
            Self::Unsigned(array) => array.values().is_sorted_by(|one, two| one < two),
            Self::Text(_) | Self::Bytes(_) => self.iter().is_sorted_by(|one, two| one < two),
        }
    }

    /// Returns the smallest and the largest key, if there are any.
    pub(crate) fn bounds(&self) -> Option<(KeyRef<'_>, KeyRef<'_>)> {
        let last = self.len().checked_sub(1)?;
        if self.ascends() {
            return self.get(0).zip(self.get(last));
        }
        Some(match self {
            Self::Signed(array) => {
                let number = |it: i64| KeyRef::Integer(it.into());
                (number(min(array)?), number(max(array)?))
            }
            Self::Unsigned(array) => {
                let number = |it: u64| KeyRef::Integer(it.into());
                (number(min(array)?), number(max(array)?))
            }
            Self::Text(array) => {
                (KeyRef::Text(min_string(array)?), KeyRef::Text(max_string(array)?))
            }
            Self::Bytes(array) => {
                (KeyRef::Bytes(min_binary(array)?), KeyRef::Bytes(max_binary(array)?))
            }
        })
    }

    /// Returns the smallest and the largest key, if there are any and they are short.
    pub(crate) fn range(&self) -> Option<KeyRange> {
        let (min, max) = self.bounds()?;
        Some(KeyRange { min: range_end(min)?, max: range_end(max)? })
    }
}

fn range_end(key: KeyRef<'_>) -> Option<Value> {
    match key {
        KeyRef::Integer(number) => {
            let signed = i64::try_from(number).ok().map(Value::from);
            signed.or_else(|| u64::try_from(number).ok().map(Value::from))
        }
        KeyRef::Text(text) if text.len() <= MOST_RANGE => Some(text.into()),
        _ => None,
    }
}

/// The smallest and the largest key of a fragment: integers or texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRange {
    min: Value,
    max: Value,
}

impl KeyRange {
    /// Returns false if `key` is outside.
    pub(crate) fn may_hold(&self, key: KeyRef<'_>) -> bool {
        match (end_of(&self.min), end_of(&self.max)) {
            (Some(min), Some(max)) => min <= key && key <= max,
            _ => true,
        }
    }

    /// Returns false if no key can be in both.
    pub(crate) fn may_overlap(&self, other: &Self) -> bool {
        match (end_of(&other.min), end_of(&other.max)) {
            (Some(from), Some(to)) => self.may_meet(from, to),
            _ => true,
        }
    }

    /// Returns false if no key from `from` to `to` is inside.
    pub(crate) fn may_meet(&self, from: KeyRef<'_>, to: KeyRef<'_>) -> bool {
        match (end_of(&self.min), end_of(&self.max)) {
            (Some(min), Some(max)) => min <= to && from <= max,
            _ => true,
        }
    }
}

fn end_of(value: &Value) -> Option<KeyRef<'_>> {
    match value {
        Value::String(text) => Some(KeyRef::Text(text)),
        value => {
            let number = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
            number.map(KeyRef::Integer)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::super::Key;
    use super::*;

    fn bounds(column: ArrayRef) -> Option<(Key, Key)> {
        let keys = KeyColumn::of(&column).unwrap();
        keys.bounds().map(|(min, max)| (min.to_owned(), max.to_owned()))
    }

    #[test]
    fn bounds_are_those_of_all_keys_in_any_order() {
        let numbers = |keys: &[Option<i64>]| bounds(Arc::new(Int64Array::from(keys.to_vec())));
        let both = |min: i64, max: i64| Some((Key::from(min), Key::from(max)));
        assert_eq!(numbers(&[Some(-3), Some(2), Some(9)]), both(-3, 9));
        assert_eq!(numbers(&[Some(9), Some(-3), Some(2)]), both(-3, 9));
        assert_eq!(numbers(&[None, Some(5), None]), both(5, 5));
        assert_eq!(numbers(&[Some(i64::MIN)]), both(i64::MIN, i64::MIN));
        assert_eq!((numbers(&[]), numbers(&[None])), (None, None));
        let texts = |keys: &[&str]| bounds(Arc::new(StringArray::from(keys.to_vec())));
        let both = |min: &str, max: &str| Some((Key::from(min), Key::from(max)));
        assert_eq!(texts(&["a", "b", "bb"]), both("a", "bb"));
        assert_eq!(texts(&["bb", "b", "a"]), both("a", "bb"));
        let large = UInt64Array::from(vec![u64::MAX - 1, u64::MAX]);
        let large = bounds(Arc::new(large)).unwrap();
        assert_eq!(large.1, Key::Integer(u64::MAX.into()));
    }
}
