//! How two stores know that they belong together.
//!
//! The one with the records has the record `joined/blobs`, the one with the blobs has `joined/records`, with the same
//! random number. They are written in this order, each on the condition that there is none: the first says that the
//! second is to come; the second; the first again, which says that it came. So a store of blobs that was mixed up, or
//! lost, is not replaced by an empty one.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::record::{self, Document};
use crate::store::{Change, Expected, Record, RecordKey, Store, StoreExt};

/// The key in the store of records.
const BLOBS: &str = "joined/blobs";
/// The key in the store of blobs.
const RECORDS: &str = "joined/records";

/// `joined/blobs` and `joined/records`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinRecord {
    larder: u64,
    /// The same in both.
    id: String,
    /// The URL of the other store when they were joined, without secrets.
    with: String,
    /// Whether the other one knows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    joined: bool,
}

impl Document for JoinRecord {
    fn format(&self) -> u64 {
        self.larder
    }
}

/// Makes sure that two stores belong together; joins them if both are empty.
pub(super) fn join(records: &dyn Store, blobs: &dyn Store) -> Result<()> {
    let [blobs_key, records_key] = keys()?;
    if let Some((_, half)) = read(records, &records_key)? {
        return Err(refused(records, is_half(&half)));
    }
    let (revision, said) = match read(records, &blobs_key)? {
        Some(found) => found,
        None => begin(records, blobs, &blobs_key)?,
    };
    let other = || {
        let reason = format!("its blobs are in {}, not in {}", said.with, blobs.url());
        Err(refused(records, reason))
    };
    match read(blobs, &records_key)? {
        Some((_, half)) if half.id == said.id => {}
        Some(_) => return other(),
        None if said.joined => return other(),
        None => {
            let is_empty = is_empty(blobs)?;
            if is_empty {
                let (id, with) = (said.id.clone(), records.url());
                let half = JoinRecord { larder: 1, id, with, joined: true };
                write(blobs, &records_key, &half, Expected::Absent)?;
            }
            // Another may have been faster.
            match read(blobs, &records_key)? {
                Some((_, found)) if found.id == said.id => {}
                Some(_) => return other(),
                None => return Err(full(blobs)),
            }
        }
    }
    if said.joined {
        return Ok(());
    }
    // Who else came this far writes the same.
    let whole = JoinRecord { joined: true, with: blobs.url(), ..said };
    write(records, &blobs_key, &whole, Expected::Revision(revision.revision))
}

/// Says in an empty store of records that its blobs are to be elsewhere; gives what is said there then.
fn begin(records: &dyn Store, blobs: &dyn Store, key: &RecordKey) -> Result<(Record, JoinRecord)> {
    let is_empty = is_empty(records)?;
    if is_empty {
        let half = JoinRecord { larder: 1, id: random(), with: blobs.url(), joined: false };
        write(records, key, &half, Expected::Absent)?;
    }
    // Another may have been faster.
    read(records, key)?.ok_or_else(|| {
        let reason = "it holds its own blobs; copy it to a new larder with separate blobs";
        refused(records, reason.to_owned())
    })
}

/// Refuses one half in the place of a whole.
pub(crate) fn refuse_half(store: &dyn Store) -> Result<()> {
    let keys = keys()?;
    let [blobs, records] = &store.get_records(&keys)?[..] else { return Ok(()) };
    if let Some(found) = blobs {
        let JoinRecord { with, .. } = record::read(&keys[0], found)?;
        let reason = format!("its blobs are in {with}; name that store with the option `blobs`");
        return Err(refused(store, reason));
    }
    match records {
        Some(found) => Err(refused(store, is_half(&record::read(&keys[1], found)?))),
        None => Ok(()),
    }
}

fn is_half(half: &JoinRecord) -> String {
    format!("it holds the blobs of the larder at {}; open that one", half.with)
}

fn full(blobs: &dyn Store) -> Error {
    Error::Refused {
        action: format!("use {} for blobs", blobs.url()),
        reason: "it is not empty; name an empty or a new store".into(),
    }
}

fn is_empty(store: &dyn Store) -> Result<bool> {
    Ok(store.list_records("", None, 1)?.is_empty() && store.list_blobs(None, 1)?.is_empty())
}

fn refused(store: &dyn Store, reason: String) -> Error {
    Error::Refused { action: format!("use {} as a larder", store.url()), reason }
}

fn keys() -> Result<[RecordKey; 2]> {
    Ok([RecordKey::new(BLOBS)?, RecordKey::new(RECORDS)?])
}

fn read(store: &dyn Store, key: &RecordKey) -> Result<Option<(Record, JoinRecord)>> {
    let Some(found) = store.get_record(key)? else { return Ok(None) };
    let document = record::read(key, &found)?;
    Ok(Some((found, document)))
}

/// Writes a record, unless another was faster.
fn write(
    store: &dyn Store,
    key: &RecordKey,
    document: &JoinRecord,
    expected: Expected,
) -> Result<()> {
    let change: Change = record::put(key.clone(), document, expected)?;
    store.commit(&[change]).map(|_| ())
}

/// A number that no other pair has.
fn random() -> String {
    // Each is keyed anew by the system's random numbers.
    let half = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}
