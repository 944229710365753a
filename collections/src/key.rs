//! Keys: the values that name rows.

use std::collections::{HashMap, HashSet};
use std::fmt;

use arrow_arith::aggregate::{max, max_binary, max_string, min, min_binary, min_string};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, Int64Array, StringArray, UInt64Array};
use arrow_cast::cast;
use arrow_schema::DataType;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::arrow_error;
use crate::json::array_of;
use crate::schema::{FieldType, Misfit, Misfits};

/// Maximum bytes of a text in the range of a fragment's keys.
const MOST_RANGE: usize = 64;

/// A value of the field that is the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// An integer, a day since 1970-01-01, or a time in the unit of the field.
    Integer(i128),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Key {
    /// Returns the key in a borrowed form.
    pub(crate) fn borrowed(&self) -> KeyRef<'_> {
        match self {
            Self::Integer(number) => KeyRef::Integer(*number),
            Self::Text(text) => KeyRef::Text(text),
            Self::Bytes(bytes) => KeyRef::Bytes(bytes),
        }
    }

    /// Reads a key from its text: as in filters, without quotes.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn parse(kind: &FieldType, text: &str) -> Result<Self> {
        let value = match kind.arrow().is_integer() {
            true => serde_json::from_str(text).unwrap_or(Value::from(text)),
            false => Value::from(text),
        };
        let wrong =
            |reason: String| Error::invalid("key", text, format!("the key is a {kind}: {reason}"));
        let one = array_of(kind, [Some(&value)].into_iter()).map_err(wrong)?;
        let column = KeyColumn::of(&one)?;
        column.get(0).map(KeyRef::to_owned).ok_or_else(|| wrong("it is never null".into()))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.borrowed().fmt(f)
    }
}

impl From<i64> for Key {
    fn from(number: i64) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u64> for Key {
    fn from(number: u64) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Key {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u32> for Key {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Key {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Key {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&Key> for Key {
    fn from(key: &Key) -> Self {
        key.clone()
    }
}

/// A borrowed [`Key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyRef<'a> {
    Integer(i128),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl KeyRef<'_> {
    pub(crate) fn to_owned(self) -> Key {
        match self {
            Self::Integer(number) => Key::Integer(number),
            Self::Text(text) => Key::Text(text.into()),
            Self::Bytes(bytes) => Key::Bytes(bytes.into()),
        }
    }

    /// Passes the bytes that folds are computed from: an integer in decimal digits, a text in UTF-8, bytes as they are.
    pub(crate) fn with_bytes<R>(self, take: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Integer(number) => take(number.to_string().as_bytes()),
            Self::Text(text) => take(text.as_bytes()),
            Self::Bytes(bytes) => take(bytes),
        }
    }
}

impl fmt::Display for KeyRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Bytes(bytes) => f.write_str(&BASE64_STANDARD.encode(bytes)),
        }
    }
}

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

    /// Returns the smallest and the largest key, if there are any.
    pub(crate) fn bounds(&self) -> Option<(KeyRef<'_>, KeyRef<'_>)> {
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

/// The keys of the rows of one write so far.
///
/// Keys that ascend throughout, the usual order, are not kept.
#[derive(Default)]
pub(crate) struct KeySet {
    /// The first 16 bytes of the digests of keys, once some do not ascend.
    seen: HashSet<[u8; 16]>,
    /// The largest key, while all ascend.
    largest: Option<Key>,
    is_mixed: bool,
}

impl KeySet {
    /// Returns true if the keys of the rows before must be [kept](Self::keep) first.
    pub(crate) fn needs_earlier(&self, keys: &KeyColumn) -> bool {
        !self.is_mixed && self.largest.is_some() && !self.ascends(keys)
    }

    fn ascends(&self, keys: &KeyColumn) -> bool {
        let before = self.largest.as_ref().map(Key::borrowed);
        let all = before.into_iter().map(Some).chain(keys.iter());
        all.is_sorted_by(|one, two| two.is_some() && one < two) && keys.get(0).is_some()
    }

    /// Keeps all keys from now on, whether they ascend or not.
    pub(crate) fn keep_all(&mut self) {
        self.is_mixed = true;
    }

    /// Keeps the keys of rows before.
    pub(crate) fn keep(&mut self, keys: &KeyColumn) {
        self.is_mixed = true;
        self.seen.extend(keys.iter().flatten().map(short));
    }

    /// Adds the keys of rows from `first` on; returns those that are null or not the first of their kind.
    pub(crate) fn add(&mut self, keys: &KeyColumn, first: u64, field: &str) -> Misfits {
        let mut misfits = Vec::new();
        if !self.is_mixed && self.ascends(keys) {
            self.largest = keys.get(keys.len() - 1).map(KeyRef::to_owned);
            return Misfits(misfits);
        }
        self.is_mixed = true;
        let mut here: HashMap<KeyRef<'_>, u64> = HashMap::new();
        for (row, key) in (first..).zip(keys.iter()) {
            let Some(key) = key else {
                misfits.push(Misfit::new(row, field, "null", "a key is never null"));
                continue;
            };
            let other = here.get(&key).copied();
            here.entry(key).or_insert(row);
            let is_new = self.seen.insert(short(key));
            if let Some(other) = other {
                misfits.push(Misfit::new(
                    row,
                    field,
                    key,
                    format!("row {} has the same key", other + 1),
                ));
            } else if !is_new {
                misfits.push(Misfit::new(row, field, key, "an earlier row has the same key"));
            }
        }
        Misfits(misfits)
    }
}

fn short(key: KeyRef<'_>) -> [u8; 16] {
    let mut short = [0; 16];
    key.with_bytes(|bytes| short.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]));
    short
}
