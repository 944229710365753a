//! The steps of a collection that change the store.

use bytes::Bytes;
use larder_core::extend::LarderExt;

use super::reach::Forgotten;
use super::{Condemned, Garbage, GcReport, SweepPlan, age};
use crate::Maintenance;
use larder_core::Result;
use larder_core::extend::PATIENCE;
use larder_core::record::{self, GarbageRecord};
use larder_core::store::{Change, Committed, Digest, Expected, RecordKey, Revision};

/// How many records are changed at a time: writers wait while they are.
const BATCH: usize = 32;

impl Maintenance {
    /// Does what is planned, and corrects `collected` where a writer or another collector was faster.
    pub(super) fn sweep(&self, plan: SweepPlan, collected: &mut GcReport) -> Result<()> {
        let pardon = |one: &Condemned| Change::RemoveRecord {
            key: one.key.clone(),
            expected: Expected::Revision(one.revision.clone()),
        };
        self.commit_each(plan.pardoned.iter().chain(&plan.gone).map(pardon).collect())?;
        let fresh = plan.fresh.iter().map(|garbage| (garbage, None));
        let unclear = plan.unclear.iter().map(|one| (&one.garbage, Some(&one.revision)));
        let unrecorded: Vec<_> = fresh.chain(unclear).collect();
        for batch in unrecorded.chunks(BATCH) {
            // The time of this batch: a writer that did not see its records has the whole grace period.
            let now = self.now();
            let condemn = |&(garbage, revision): &(&Garbage, Option<&Revision>)| {
                let expected = revision.cloned().map_or(Expected::Absent, Expected::Revision);
                let key = record::garbage_key(&garbage.digest)?;
                record::put(key, &GarbageRecord::new(now, None), expected)
            };
            self.commit_each(batch.iter().map(condemn).collect::<Result<_>>()?)?;
        }
        collected.swept.clear();
        let total = plan.ripe.iter().map(|one| one.garbage.size).sum();
        let meter = self.larder.meter("collecting", Some(total));
        for batch in plan.ripe.chunks(BATCH) {
            for garbage in self.sweep_batch(batch)? {
                meter.add(garbage.size);
                collected.swept.push(garbage);
            }
        }
        Ok(())
    }

    /// Removes blobs whose grace period is over; gives those that nobody took back.
    fn sweep_batch(&self, batch: &[Condemned]) -> Result<Vec<Garbage>> {
        let begun = self.now();
        let mark = |one: &Condemned| {
            let expected = Expected::Revision(one.revision.clone());
            let marked = GarbageRecord::new(one.since.unwrap_or(begun), Some(begun));
            record::put(one.key.clone(), &marked, expected)
        };
        let marks = batch.iter().map(mark).collect::<Result<Vec<_>>>()?;
        let marked = self.commit_each(marks)?;
        // What stands there now is this collector's own, unless this took so long that another went on with it.
        let keys: Vec<_> = marked.iter().map(|(key, _)| key.clone()).collect();
        let (mut won, mut digests, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for ((key, value), found) in marked.into_iter().zip(self.store.get_records(&keys)?) {
            let one = batch.iter().find(|one| one.key == key);
            if let (Some(found), Some(one)) = (found, one)
                && found.value == value
            {
                won.push(one.garbage);
                digests.push(one.garbage.digest);
                ends.push(Change::RemoveRecord {
                    key,
                    expected: Expected::Revision(found.revision),
                });
            }
        }
        // A writer that waits for the blob to be gone goes on without that after `PATIENCE`. A collector that
        // was held up for so long, or almost, must not touch it any more; another run will.
        if age(self.now(), begun) > PATIENCE / 2 {
            return Ok(Vec::new());
        }
        self.store.remove_blobs(&digests)?;
        self.commit_each(ends)?;
        Ok(won)
    }

    /// Says in the records of versions removed long ago that bytes of theirs are gone, if any are.
    pub(super) fn mark_collected(&self, forgotten: Vec<Forgotten>) -> Result<()> {
        let now = self.now();
        let mut changes = Vec::new();
        for Forgotten { key, revision, mut version, blobs } in forgotten {
            if version.collected.is_none() && self.is_any_gone(&blobs)? {
                version.collected = Some(now);
                changes.push(record::put(key, &version, Expected::Revision(revision))?);
            }
        }
        self.commit_each(changes).map(drop)
    }

    fn is_any_gone(&self, blobs: &[Digest]) -> Result<bool> {
        Ok(self.store.stat_blobs(blobs)?.iter().any(Option::is_none))
    }

    /// Makes changes of records that have nothing to do with each other, a few at a time; gives those of them
    /// that wrote a record. A change whose precondition fails is left out.
    fn commit_each(&self, changes: Vec<Change>) -> Result<Vec<(RecordKey, Bytes)>> {
        let mut written = Vec::new();
        for batch in changes.chunks(BATCH) {
            let mut open = batch.to_vec();
            while !open.is_empty() {
                let mut tx = self.transaction();
                tx.extend(open.iter().cloned());
                let made = match tx.commit_once()? {
                    Committed::All => open.len(),
                    Committed::Conflict { at, made } => {
                        open.remove(at);
                        made
                    }
                };
                for change in open.drain(..made) {
                    if let Change::PutRecord { key, value, .. } = change {
                        written.push((key, value));
                    }
                }
            }
        }
        Ok(written)
    }
}
