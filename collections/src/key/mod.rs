//! Keys: the values that name rows.

mod column;
mod set;

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use larder_core::{Error, Result};
use serde_json::Value;

use crate::json::array_of;
use crate::schema::FieldType;

pub(crate) use column::{KeyColumn, KeyRange};
pub(crate) use set::KeySet;

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
