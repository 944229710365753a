//! Folds: which rows train, and which validate.

use std::fmt;
use std::str::FromStr;

use arrow_array::{BooleanArray, UInt64Array};
use larder_core::{Error, Result};

use crate::key::{KeyColumn, KeyRef};

/// Number of shares that keys are divided into.
const SHARES: u64 = 1_000;

/// A part of the rows, by a hash of the key: a row is in the same fold for ever, in every copy of the collection.
///
/// The first 8 bytes of the BLAKE3 digest of the key, as a little-endian number modulo 1,000, are below the collection's
/// `valid_permille` for rows of the fold `valid`. Integers are hashed as decimal digits, texts as UTF-8, and bytes as they
/// are; without a key, the row id is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// The rows to train with.
    Train,
    /// The rows to validate with.
    Valid,
}

impl Fold {
    /// Returns the fold of a key.
    pub(crate) fn of(key: KeyRef<'_>, valid_permille: u16) -> Self {
        let digest = key.with_bytes(blake3::hash);
        let (first, _) = digest.as_bytes().split_at(8);
        let number = first.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        match number % SHARES < u64::from(valid_permille) {
            true => Self::Valid,
            false => Self::Train,
        }
    }

    /// Returns which rows are in the fold.
    pub(crate) fn matches(
        self,
        keys: Option<&KeyColumn>,
        ids: &UInt64Array,
        valid_permille: u16,
    ) -> BooleanArray {
        let is_in = |key: KeyRef<'_>| Some(Self::of(key, valid_permille) == self);
        match keys {
            Some(keys) => keys.iter().map(|key| key.map_or(Some(false), is_in)).collect(),
            None => ids.values().iter().map(|&id| is_in(KeyRef::Integer(id.into()))).collect(),
        }
    }
}

impl FromStr for Fold {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "train" => Ok(Self::Train),
            "valid" => Ok(Self::Valid),
            _ => Err(Error::invalid("fold", text, "there are: train, valid")),
        }
    }
}

impl fmt::Display for Fold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
        })
    }
}
