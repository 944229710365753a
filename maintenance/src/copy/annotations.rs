//! What people say of versions, on its way with them.

use bytes::Bytes;
use serde::Deserialize;

use super::plan::{How, PAGE, Placed, Placing};
use super::select::Selected;
use larder_core::store::{Change, Outcome, RecordKey, record::read_versioned};
use larder_core::{Result, record};

/// The newest format of notes that can be copied.
const FORMAT: u64 = 1;

/// The one key that every record has.
#[derive(Deserialize)]
struct Stated {
    larder: u64,
}

/// Brings what is noted of versions along, where the target has noted nothing, or something else if it is to become a
/// mirror.
pub(super) fn carry(placing: &Placing<'_>, selected: &Selected, places: &[Placed]) -> Result<()> {
    let numbers: Vec<_> = selected.versions.keys().zip(places).collect();
    for numbers in numbers.chunks(PAGE) {
        let from = numbers.iter().map(|(own, _)| record::annotations_key(&selected.name, **own));
        let from = from.collect::<Result<Vec<_>>>()?;
        let mut notes = Vec::new();
        let found = placing.source.store.get_records(&from)?;
        for ((from, (_, place)), found) in from.iter().zip(numbers).zip(found) {
            let Some(found) = found else { continue };
            let what = || format!("the record {from}");
            read_versioned(&found.value, FORMAT, |stated: &Stated| stated.larder, what)?;
            notes.push((record::annotations_key(&selected.name, place.number)?, found.value));
        }
        put(placing, selected, notes)?;
    }
    Ok(())
}

fn put(placing: &Placing<'_>, selected: &Selected, notes: Vec<(RecordKey, Bytes)>) -> Result<()> {
    let keys: Vec<_> = notes.iter().map(|(key, _)| key.clone()).collect();
    placing.target.transact(format_args!("the notes of {}", selected.name), |tx| {
        let there = tx.get_all(&keys)?;
        for ((key, value), there) in notes.iter().zip(&there) {
            let is_lacking = match there {
                Some(there) => placing.how == How::Mirror && there.value != value,
                None => true,
            };
            if is_lacking {
                let (key, value) = (key.clone(), value.clone());
                let expected = record::expect(there.as_ref());
                tx.push(Change::PutRecord { key, value, expected });
            }
        }
        Ok(Outcome::Commit(()))
    })
}
