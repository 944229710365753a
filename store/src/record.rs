//! Records: small JSON documents that state their format.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{Corruption, Error, Result};
use crate::key::RecordKey;
use crate::store::{Change, Expected, Record};

/// The format of records that this Larder writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// A record of some kind.
pub trait Document: Serialize + DeserializeOwned {
    /// The format that it states.
    fn format(&self) -> u64;

    /// Returns how it contradicts its key, for records that repeat a part of it.
    fn fault(&self, key: &RecordKey) -> Option<&'static str> {
        let _ = key;
        None
    }
}

/// Implements [`Document`] for record types, whose field `larder` is the format; `fault` where a type has one.
#[doc(hidden)]
#[macro_export]
macro_rules! documents {
    ($($record:ident $(: $fault:expr)?),* $(,)?) => {
        $(impl $crate::record::Document for $record {
            fn format(&self) -> u64 {
                self.larder
            }

            $(fn fault(&self, key: &$crate::RecordKey) -> Option<&'static str> {
                $fault(self, key)
            })?
        })*
    };
}

/// Reads a record, and compares it with its key.
pub fn read<T: Document>(key: &RecordKey, record: &Record) -> Result<T> {
    let what = || format!("the record {key}");
    let document = read_versioned(&record.value, FORMAT, T::format, what)?;
    match document.fault(key) {
        None => Ok(document),
        Some(fault) => Err(Error::corrupt(what(), Corruption::Unreadable(fault.into()))),
    }
}

/// Reads a map of a record, and refuses a duplicate key: a plain map would keep the last.
///
/// # Errors
/// Those of the deserializer.
pub fn unique<'de, V: serde::Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, V>, D::Error> {
    struct Unique<V>(std::marker::PhantomData<V>);

    impl<'de, V: serde::Deserialize<'de>> serde::de::Visitor<'de> for Unique<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut entries: A,
        ) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<String, V>()? {
                if map.contains_key(&key) {
                    return Err(serde::de::Error::custom(format_args!("`{key}` stands twice")));
                }
                map.insert(key, value);
            }
            Ok(map)
        }
    }

    deserializer.deserialize_map(Unique(std::marker::PhantomData))
}

/// Refuses a record of a newer format, whatever else it holds.
///
/// # Errors
/// [`Error::NewerFormat`].
pub fn refuse_newer(key: &RecordKey, record: &Record) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Stated {
        larder: u64,
    }
    match serde_json::from_slice(&record.value) {
        Ok(Stated { larder: found }) if found > FORMAT => {
            Err(Error::NewerFormat { what: format!("the record {key}"), found, known: FORMAT })
        }
        _ => Ok(()),
    }
}

/// The change that writes a record.
pub fn put<T: Document>(key: RecordKey, document: &T, expected: Expected) -> Result<Change> {
    let value = serde_json::to_vec(document).map_err(|error| Error::Encode {
        what: format!("the record {key}"),
        source: error.into(),
    })?;
    Ok(Change::PutRecord { key, value: Bytes::from(value), expected })
}

/// The change that makes a commit depend on a record that it leaves as it is.
pub fn unchanged(key: RecordKey, found: Option<&Record>) -> Change {
    match found {
        Some(found) => Change::PutRecord {
            key,
            value: found.value.clone(),
            expected: Expected::Revision(found.revision.clone()),
        },
        // To remove what must not be there is to do nothing, if it is not there.
        None => Change::RemoveRecord { key, expected: Expected::Absent },
    }
}

/// The expectation of a change to `found`.
pub fn expect(found: Option<&Record>) -> Expected {
    found.map_or(Expected::Absent, |found| Expected::Revision(found.revision.clone()))
}

/// Returns 128 random bits as hexadecimal digits.
pub(crate) fn random() -> String {
    // Each `RandomState` is seeded by the system.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// Reads a JSON document that states its format under the key `larder`.
///
/// A format newer than `known` is called newer, not corrupt, whether or not the document still looks like
/// an older one. The common case is read in one pass: why it failed is asked only when it did.
pub fn read_versioned<T: DeserializeOwned>(
    json: &[u8],
    known: u64,
    format: impl Fn(&T) -> u64,
    what: impl Fn() -> String,
) -> Result<T> {
    let unreadable = |reason: String| Error::corrupt(what(), Corruption::Unreadable(reason));
    let (found, value) = match serde_json::from_slice::<T>(json) {
        Ok(value) => (format(&value), Ok(value)),
        Err(error) => {
            let entries: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_slice(json).map_err(|error| unreadable(error.to_string()))?;
            let stated = entries.get("larder").and_then(|value| value.get().parse().ok());
            (stated.unwrap_or_default(), Err(error))
        }
    };
    match found {
        0 => Err(unreadable("it states no format under `larder`".into())),
        found if found > known => Err(Error::NewerFormat { what: what(), found, known }),
        _ => value.map_err(|error| unreadable(error.to_string())),
    }
}
