//! Copying the records that belong to versions, such as annotations.

use bytes::Bytes;

use super::contents::PAGE;
use super::plan::{CopyPlanner, PlannedVersion, TargetPolicy};
use super::select::Selected;
use larder_core::store::{Change, CopyRule, Outcome, RecordKey, RecordKind};
use larder_core::{Result, record};

/// Copies the records of every kind that goes with its version, where the target has none, or another one if it becomes a
/// mirror.
pub(super) fn copy(
    planner: &CopyPlanner<'_>,
    selected: &Selected,
    planned: &[PlannedVersion],
) -> Result<()> {
    let numbers: Vec<_> = selected.versions.keys().zip(planned).collect();
    for kind in RecordKind::all() {
        let CopyRule::WithVersion(key_of) = kind.copy_rule() else { continue };
        for numbers in numbers.chunks(PAGE) {
            let keys = numbers.iter().map(|(own, _)| key_of(&selected.name, **own));
            let keys = keys.collect::<Result<Vec<_>>>()?;
            let mut records = Vec::new();
            let found = planner.source.store.get_records(&keys)?;
            for ((key, (_, place)), found) in keys.iter().zip(numbers).zip(found) {
                let Some(found) = found else { continue };
                kind.check(key, &found)?;
                records.push((key_of(&selected.name, place.number)?, found.value));
            }
            // A kind of which a name has one record gives the same key for each version.
            records.dedup_by(|one, other| one.0 == other.0);
            put(planner, selected, &records)?;
        }
    }
    Ok(())
}

fn put(
    planner: &CopyPlanner<'_>,
    selected: &Selected,
    records: &[(RecordKey, Bytes)],
) -> Result<()> {
    let keys: Vec<_> = records.iter().map(|(key, _)| key.clone()).collect();
    planner.target.transact(format_args!("the annotations of {}", selected.name), |tx| {
        let there = tx.get_all(&keys)?;
        for ((key, value), there) in records.iter().zip(&there) {
            let is_needed = match there {
                Some(there) => planner.policy == TargetPolicy::Mirror && there.value != value,
                None => true,
            };
            if is_needed {
                let (key, value) = (key.clone(), value.clone());
                let expected = record::expect(there.as_ref());
                tx.push(Change::PutRecord { key, value, expected });
            }
        }
        Ok(Outcome::Commit(()))
    })
}
