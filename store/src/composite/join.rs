//! Records that tie two stores together.
//!
//! The store of records has the record `joined/blobs`, the store of blobs has `joined/records`, both with the same random
//! ID. They are written in three steps, each only if the record is absent or unchanged: the first with `joined` unset,
//! the second, and the first again with `joined` set. A store of blobs that was lost or mixed up is therefore
//! never replaced by an empty one.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kind::{Action, RecordKind, foreign};
use crate::record;
use crate::{Change, Expected, Record, RecordKey, Store, StoreExt};

/// Key in the store of records.
const BLOBS: &str = "joined/blobs";
/// Key in the store of blobs.
const RECORDS: &str = "joined/records";

/// The content of `joined/blobs` and `joined/records`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct JoinRecord {
    larder: u64,
    /// Identical in both stores.
    id: String,
    /// URL of the other store when they were joined, without secrets.
    with: String,
    /// The other store has its record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    joined: bool,
}

crate::documents!(JoinRecord);

crate::kind!(
    RecordKind::new(
        "joined",
        "joined/blobs, joined/records",
        "joined/",
        |key| match key.as_str() {
            BLOBS | RECORDS => Ok(None),
            _ => Err(foreign(key, "its key is neither `joined/blobs` nor `joined/records`")),
        },
        |key, found| record::read::<JoinRecord>(key, found).map(drop),
    )
    .access(Action::Maintain, Action::Maintain)
);

/// Checks that two stores belong together. Joins them if both are empty.
pub(super) fn join(records: &dyn Store, blobs: &dyn Store) -> Result<()> {
    let [blobs_key, records_key] = keys()?;
    if let Some((_, half)) = read(records, &records_key)? {
        return Err(refused(records, describe_half(&half)));
    }
    let (revision, joint) = match read(records, &blobs_key)? {
        Some(found) => found,
        None => begin(records, blobs, &blobs_key)?,
    };
    let other_pair = || {
        let reason = format!("its blobs are in {}, not in {}", joint.with, blobs.url());
        Err(refused(records, reason))
    };
    match read(blobs, &records_key)? {
        Some((_, half)) if half.id == joint.id => {}
        Some(_) => return other_pair(),
        None if joint.joined => return other_pair(),
        None => {
            let is_empty = is_empty(blobs)?;
            if is_empty {
                let (id, with) = (joint.id.clone(), records.url());
                let half = JoinRecord { larder: 1, id, with, joined: true };
                write(blobs, &records_key, &half, Expected::Absent)?;
            }
            // Another process may have written it first.
            match read(blobs, &records_key)? {
                Some((_, found)) if found.id == joint.id => {}
                Some(_) => return other_pair(),
                None => return Err(not_empty(blobs)),
            }
        }
    }
    if joint.joined {
        return Ok(());
    }
    // A concurrent process writes the same content.
    let whole = JoinRecord { joined: true, with: blobs.url(), ..joint };
    write(records, &blobs_key, &whole, Expected::Revision(revision.revision))
}

/// Writes `joined/blobs` into an empty store of records. Returns the record that is there afterwards.
fn begin(records: &dyn Store, blobs: &dyn Store, key: &RecordKey) -> Result<(Record, JoinRecord)> {
    let is_empty = is_empty(records)?;
    if is_empty {
        let half = JoinRecord { larder: 1, id: record::random(), with: blobs.url(), joined: false };
        write(records, key, &half, Expected::Absent)?;
    }
    // Another process may have written it first.
    read(records, key)?.ok_or_else(|| {
        let reason = "it holds its own blobs; copy it to a new larder with separate blobs";
        refused(records, reason.to_owned())
    })
}

/// Refuses a store that is one half of a joined pair.
pub fn refuse_half(store: &dyn Store) -> Result<()> {
    let keys = keys()?;
    let [blobs, records] = &store.get_records(&keys)?[..] else { return Ok(()) };
    if let Some(found) = blobs {
        let JoinRecord { with, .. } = record::read(&keys[0], found)?;
        let reason = format!("its blobs are in {with}; name that store with the option `blobs`");
        return Err(refused(store, reason));
    }
    match records {
        Some(found) => Err(refused(store, describe_half(&record::read(&keys[1], found)?))),
        None => Ok(()),
    }
}

fn describe_half(half: &JoinRecord) -> String {
    format!("it holds the blobs of the larder at {}; open that one", half.with)
}

fn not_empty(blobs: &dyn Store) -> Error {
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

/// Writes a record, unless another process changed it first.
fn write(
    store: &dyn Store,
    key: &RecordKey,
    document: &JoinRecord,
    expected: Expected,
) -> Result<()> {
    let change: Change = record::put(key.clone(), document, expected)?;
    store.commit(&[change]).map(|_| ())
}
