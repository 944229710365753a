//! Keys of records.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The name of a record: parts of `[a-z0-9@._-]` joined by `/`, such as `versions/wine/@0000000007`.
///
/// No part is empty, begins with `.` or contains `..`. A part has at most 200 bytes, the whole key 400. A store may
/// therefore use a key as a path or column without escaping it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey(Arc<str>);

impl RecordKey {
    /// Parses a key.
    ///
    /// # Errors
    /// [`Error::InvalidName`] with the rule that `text` breaks.
    pub fn new(text: &str) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"@._-".contains(&b);
        let part = |part: &str| {
            (1..=200).contains(&part.len())
                && !part.starts_with('.')
                && !part.contains("..")
                && part.bytes().all(allowed)
        };
        if text.len() > 400 || !text.split('/').all(part) {
            let reason = "parts of a-z 0-9 @ . _ -, each of 200 bytes at most, joined by `/`, at most 400 bytes";
            return Err(Error::invalid("record key", text, reason));
        }
        Ok(Self(text.into()))
    }

    /// Returns the key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Keys are ordered by their text.
impl Borrow<str> for RecordKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
