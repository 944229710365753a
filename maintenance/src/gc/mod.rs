//! Garbage collection: removes the blobs that no version uses.
//!
//! A collector knows nothing of the writers of other processes, and a store need not have transactions. So a
//! blob goes in two steps, between which everybody can see what is to come:
//!
//! 1. A blob that nothing refers to is *condemned*: it gets a record `gc/@HEX` with the time.
//! 2. When that record is older than the grace period, and a look at all versions that began only then still
//!    finds nothing that refers to the blob, the record is changed to *deleting*; then the blob is removed,
//!    then the record.
//!
//! A writer that is about to refer to a blob takes its record away in the same commit, on the condition that
//! nobody changed it (`claim.rs`, where it stands why that is enough). Of the two, one wins.

mod reach;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::Maintenance;
use larder_core::extend::PATIENCE;
use larder_core::record::{self, GarbageRecord};
use larder_core::store::{BlobCount, Digest, RecordKey, Revision, StoreExt, Timestamp};
use larder_core::{Error, Result};
use reach::Reach;

/// How [`Maintenance::gc`] goes to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcOptions {
    /// How long a removed version can be restored, and how long a blob must have been known as garbage before
    /// it goes.
    ///
    /// It must be longer than any single commit takes, and by more than the clocks of the machines differ
    /// that write to the store. Below a second only if nobody writes.
    pub grace: Duration,
    /// Whether it only says what it would do.
    pub dry_run: bool,
}

impl Default for GcOptions {
    /// A grace period of 24 hours, in earnest.
    fn default() -> Self {
        Self { grace: Duration::from_secs(24 * 60 * 60), dry_run: false }
    }
}

/// What [`Maintenance::gc`] did; what it would do, if it was only to say so.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct GcReport {
    /// The blobs that versions need.
    pub kept: BlobCount,
    /// Garbage that was found now: it goes when the grace period is over.
    pub condemned: Vec<Garbage>,
    /// Garbage that was found before, whose grace period is not over.
    pub waiting: Vec<Garbage>,
    /// Blobs that were garbage and are needed again.
    pub pardoned: Vec<Digest>,
    /// Garbage that was removed.
    pub swept: Vec<Garbage>,
    /// Garbage that was to be removed and was gone already.
    pub gone: Vec<Digest>,
    /// Files that writers left unfinished when they died, and that were removed.
    pub unfinished: BlobCount,
}

/// A blob that no version needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Garbage {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
}

impl Garbage {
    /// The number of blobs in `garbage`, and their bytes together.
    pub fn total(garbage: &[Self]) -> BlobCount {
        let mut total = BlobCount::default();
        garbage.iter().for_each(|garbage| total.add(garbage.size));
        total
    }
}

impl Maintenance {
    /// Collects garbage: removes the blobs that no version needs.
    ///
    /// Versions that were removed longer ago than the grace period need theirs no longer. A blob is found to
    /// be garbage by one run and removed by another, at least a grace period later. Everybody may go on
    /// writing meanwhile, also in other processes, and several may collect at once.
    ///
    /// ```
    /// use larder_core::{GcOptions, Registry};
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let collected = larder.maintenance().gc(&GcOptions { dry_run: true, ..GcOptions::default() })?;
    /// assert!(collected.swept.is_empty());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if a record or the manifest of a version cannot be read: what it refers to is not
    /// known, so nothing is collected. [`Error::Store`].
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        let started = self.now();
        let reach = Reach::of(self, started, options.grace)?;
        let plan = SweepPlan::make(self, &reach, started, options.grace)?;
        if options.dry_run {
            return Ok(plan.told());
        }
        let mut collected = plan.told();
        self.sweep(plan, &mut collected)?;
        self.mark_collected(reach.forgotten)?;
        let (count, bytes) = self.store.remove_unfinished(options.grace)?;
        collected.unfinished = BlobCount { count, bytes };
        Ok(collected)
    }
}

/// How long after `then` it is `now`; no time at all if that is yet to come by this clock.
fn age(now: Timestamp, then: Timestamp) -> Duration {
    now.as_system_time().duration_since(then.as_system_time()).unwrap_or_default()
}

/// A blob with the record that condemned it.
struct Condemned {
    garbage: Garbage,
    key: RecordKey,
    revision: Revision,
    /// When it was condemned; `None` if its record cannot be read.
    since: Option<Timestamp>,
}

/// What is to be done.
#[derive(Default)]
struct SweepPlan {
    kept: BlobCount,
    fresh: Vec<Garbage>,
    /// Garbage whose record says nothing that can be read: it is condemned anew.
    unclear: Vec<Condemned>,
    waiting: Vec<Garbage>,
    pardoned: Vec<Condemned>,
    ripe: Vec<Condemned>,
    gone: Vec<Condemned>,
}

impl SweepPlan {
    fn make(
        larder: &Maintenance,
        reach: &Reach,
        started: Timestamp,
        grace: Duration,
    ) -> Result<Self> {
        let mut plan = Self::default();
        let mut garbage = BTreeMap::new();
        for blob in larder.store.blobs() {
            let (digest, size) = blob?;
            if reach.needed.contains(&digest) {
                plan.kept.add(size);
            } else {
                garbage.insert(digest, size);
            }
        }
        let mut recorded = BTreeSet::new();
        for found in larder.store.records(record::GARBAGE) {
            let (key, found) = found?;
            // A key that is no digest is none of a collector's.
            let Ok(digest) = record::garbage_in(&key) else { continue };
            recorded.insert(digest);
            let read = match record::read::<GarbageRecord>(&key, &found) {
                Ok(read) => Some(read),
                Err(Error::Corrupt { .. }) => None,
                Err(error) => return Err(error),
            };
            let size = garbage.get(&digest).copied();
            let condemned = Condemned {
                garbage: Garbage { digest, size: size.unwrap_or_default() },
                key,
                revision: found.revision,
                since: read.map(|read| read.condemned),
            };
            // Who is at it has some time to come to an end. The clock may be that of another machine.
            let is_anothers = |read: GarbageRecord| {
                read.deleting.is_some_and(|begun| age(started, begun) < grace.max(PATIENCE))
            };
            match (read, size) {
                _ if reach.needed.contains(&digest) => plan.pardoned.push(condemned),
                (Some(read), _) if is_anothers(read) => plan.waiting.push(condemned.garbage),
                (_, None) => plan.gone.push(condemned),
                (None, _) => plan.unclear.push(condemned),
                (Some(read), _) if age(started, read.condemned) >= grace => {
                    plan.ripe.push(condemned);
                }
                _ => plan.waiting.push(condemned.garbage),
            }
        }
        garbage.retain(|digest, _| !recorded.contains(digest));
        plan.fresh = garbage.into_iter().map(|(digest, size)| Garbage { digest, size }).collect();
        Ok(plan)
    }

    /// What would be done.
    fn told(&self) -> GcReport {
        let garbage = |all: &[Condemned]| all.iter().map(|one| one.garbage).collect::<Vec<_>>();
        let digests = |all: &[Condemned]| all.iter().map(|one| one.garbage.digest).collect();
        GcReport {
            kept: self.kept,
            condemned: self.fresh.iter().copied().chain(garbage(&self.unclear)).collect(),
            waiting: self.waiting.clone(),
            pardoned: digests(&self.pardoned),
            swept: garbage(&self.ripe),
            gone: digests(&self.gone),
            unfinished: BlobCount::default(),
        }
    }
}
