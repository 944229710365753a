//! The steps of a collection that change the store.

use bytes::Bytes;
use larder_core::extend::LarderExt;

use super::reachable::ExpiredVersion;
use super::{Garbage, GcReport, Marked, SweepPlan, age};
use crate::Maintenance;
use larder_core::Result;
use larder_core::extend::PATIENCE;
use larder_core::record::{self, GarbageRecord};
use larder_core::store::exclusive::ExclusiveLock;
use larder_core::store::{Change, Committed, Digest, Expected, RecordKey, Revision};

/// Maximum number of records in a commit: writers wait for it.
const BATCH: usize = 32;

impl Maintenance {
    /// Makes the changes of a plan, and corrects the report where another process was faster.
    pub(super) fn sweep(
        &self,
        plan: SweepPlan,
        report: &mut GcReport,
        lock: Option<&ExclusiveLock>,
    ) -> Result<()> {
        let unmark = |one: &Marked| Change::RemoveRecord {
            key: one.key.clone(),
            expected: Expected::Revision(one.revision.clone()),
        };
        self.commit_each(plan.in_use.iter().chain(&plan.missing).map(unmark).collect())?;
        let unmarked = plan.unmarked.iter().map(|garbage| (garbage, None));
        let unreadable = plan.unreadable.iter().map(|one| (&one.garbage, Some(&one.revision)));
        let to_mark: Vec<_> = unmarked.chain(unreadable).collect();
        for batch in to_mark.chunks(BATCH) {
            // The time of this batch: a writer that did not see its records has the whole grace period.
            let now = self.now();
            let mark = |&(garbage, revision): &(&Garbage, Option<&Revision>)| {
                let expected = revision.cloned().map_or(Expected::Absent, Expected::Revision);
                let key = record::garbage_key(&garbage.digest)?;
                record::put(key, &GarbageRecord::new(now, None), expected)
            };
            self.commit_each(batch.iter().map(mark).collect::<Result<_>>()?)?;
        }
        report.deleted.clear();
        let total = plan.expired.iter().map(|one| one.garbage.size).sum();
        let meter = self.larder.meter("collecting", Some(total));
        for batch in plan.expired.chunks(BATCH) {
            for garbage in self.delete_batch(batch, lock)? {
                meter.add(garbage.size);
                report.deleted.push(garbage);
            }
        }
        Ok(())
    }

    /// Deletes blobs whose grace period is over; returns those that no writer unmarked.
    fn delete_batch(&self, batch: &[Marked], lock: Option<&ExclusiveLock>) -> Result<Vec<Garbage>> {
        let begun = self.now();
        let mark = |one: &Marked| {
            let expected = Expected::Revision(one.revision.clone());
            let marked = GarbageRecord::new(one.since.unwrap_or(begun), Some(begun));
            record::put(one.key.clone(), &marked, expected)
        };
        let marks = batch.iter().map(mark).collect::<Result<Vec<_>>>()?;
        let marked = self.commit_each(marks)?;
        // An unchanged record belongs to this collector; after a long time another may have taken it over.
        let keys: Vec<_> = marked.iter().map(|(key, _)| key.clone()).collect();
        let (mut deleted, mut digests, mut ends) = (Vec::new(), Vec::new(), Vec::new());
        for ((key, value), found) in marked.into_iter().zip(self.store.get_records(&keys)?) {
            let one = batch.iter().find(|one| one.key == key);
            if let (Some(found), Some(one)) = (found, one)
                && found.value == value
            {
                deleted.push(one.garbage);
                digests.push(one.garbage.digest);
                ends.push(Change::RemoveRecord {
                    key,
                    expected: Expected::Revision(found.revision),
                });
            }
        }
        // A writer waits for the deletion only for `PATIENCE`. A collector that took almost as long must leave the blobs to
        // another run.
        if age(self.now(), begun) > PATIENCE / 2 {
            return Ok(Vec::new());
        }
        lock.map_or(Ok(()), ExclusiveLock::check)?;
        self.store.remove_blobs(&digests)?;
        self.commit_each(ends)?;
        Ok(deleted)
    }

    /// Sets `collected` in the records of expired versions that lost blobs.
    pub(super) fn record_collected(&self, expired: Vec<ExpiredVersion>) -> Result<()> {
        let now = self.now();
        let mut changes = Vec::new();
        for ExpiredVersion { key, revision, mut version, blobs } in expired {
            if version.collected.is_none() && self.is_any_missing(&blobs)? {
                version.collected = Some(now);
                changes.push(record::put(key, &version, Expected::Revision(revision))?);
            }
        }
        self.commit_each(changes).map(drop)
    }

    fn is_any_missing(&self, blobs: &[Digest]) -> Result<bool> {
        Ok(self.store.stat_blobs(blobs)?.iter().any(Option::is_none))
    }

    /// Commits independent changes in batches, without those whose precondition fails. Returns the records written.
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
