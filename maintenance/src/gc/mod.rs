//! Garbage collection: deletes the blobs that no version needs.
//!
//! Stores need not have transactions, and writers run in other processes. A blob is therefore deleted in two steps, both
//! visible to everybody:
//!
//! 1. A blob that nothing refers to is *marked*: it gets a record `gc/@HEX` with the time.
//! 2. Once the record is older than the grace period, and versions read after that still do not refer to the blob, the
//!    record gets `deleting`; then the blob is deleted, then the record.
//!
//! A writer that refers to a blob removes its record in the same commit, only if the record is unchanged. So exactly one of
//! writer and collector succeeds; `Larder::claim` has the argument.
//!
//! The grace period must pass between the two steps. An exclusive collection holds the lock of the larder instead.

mod reachable;
mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::Maintenance;
use larder_core::extend::PATIENCE;
use larder_core::record::{self, GarbageRecord};
use larder_core::store::exclusive::ExclusiveLock;
use larder_core::store::{BlobCount, Digest, RecordKey, Revision, StoreExt, Timestamp};
use larder_core::{Error, Result};
use reachable::Reachable;

/// Options of [`Maintenance::gc`].
///
/// ```
/// use std::time::Duration;
/// use larder_maintenance::GcOptions;
///
/// let options = GcOptions::new().grace(Duration::from_secs(3600)).dry_run(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcOptions {
    grace: Duration,
    dry_run: bool,
    exclusive: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl GcOptions {
    /// Default options: a grace period of 24 hours.
    pub const fn new() -> Self {
        Self { grace: Duration::from_secs(24 * 60 * 60), dry_run: false, exclusive: false }
    }

    /// Sets the grace period: how long a removed version can be restored, and the minimum time between marking a blob as
    /// garbage and deleting it.
    ///
    /// It must exceed the duration of any single commit plus the clock differences of all writers. Below
    /// [`MIN_GRACE`](Self::MIN_GRACE) the collection must be [exclusive](Self::exclusive).
    #[must_use]
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Minimum grace period of a collection beside writers: some may be in the middle of a commit.
    pub const MIN_GRACE: Duration = Duration::from_secs(1);

    /// Sets whether to lock the larder against writers for the duration of the collection.
    ///
    /// Commits of new versions, copies and restorations wait for its end; those that began before start again. If the
    /// process dies, the lock ends after twenty seconds. A store that makes its changes one by one, such as a bucket, cannot
    /// be locked.
    #[must_use]
    pub const fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }

    /// Sets whether to report without changing anything.
    #[must_use]
    pub const fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Refuses a grace period that cannot be safe.
    fn check(&self) -> Result<()> {
        if self.exclusive || self.grace >= Self::MIN_GRACE {
            return Ok(());
        }
        Err(Error::Refused {
            action: format!("collect garbage with a grace period of {:?}", self.grace),
            reason: "a version that is being written would lose its bytes; use at least one second, or collect \
                     exclusively while nobody writes"
                .into(),
        })
    }
}

/// The result of [`Maintenance::gc`], or of its dry run.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct GcReport {
    /// Blobs in use.
    pub kept: BlobCount,
    /// Blobs newly marked as garbage: they are deleted after the grace period.
    #[serde(rename = "condemned")]
    pub marked: Vec<Garbage>,
    /// Blobs marked before whose grace period is not over.
    #[serde(rename = "waiting")]
    pub pending: Vec<Garbage>,
    /// Blobs marked before that are in use again.
    #[serde(rename = "pardoned")]
    pub unmarked: Vec<Digest>,
    /// Deleted blobs.
    #[serde(rename = "swept")]
    pub deleted: Vec<Garbage>,
    /// Marked blobs that did not exist any more.
    #[serde(rename = "gone")]
    pub missing: Vec<Digest>,
    /// Deleted temporary files of interrupted writes.
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
    /// Counts the blobs in `garbage` and their bytes.
    pub fn total(garbage: &[Self]) -> BlobCount {
        let mut total = BlobCount::default();
        garbage.iter().for_each(|garbage| total.add(garbage.size));
        total
    }
}

impl Maintenance {
    /// Collects garbage: deletes the blobs that no version needs.
    ///
    /// A removed version needs its blobs until the grace period is over. One run marks a blob as garbage; another deletes
    /// it, at least a grace period later. Writers and other collectors may run at the same time, in any process.
    ///
    /// ```
    /// use larder_core::Registry;
    /// use larder_maintenance::{GcOptions, LarderMaintenance};
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let collected = larder.maintenance().gc(&GcOptions::new().dry_run(true))?;
    /// assert!(collected.deleted.is_empty());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] if a record or manifest of a version cannot be read, as the blobs in use are not known then, for a
    /// grace period that cannot be safe, and if an exclusive lock cannot be had; [`Error::Store`].
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        options.check()?;
        let lock = match options.exclusive && !options.dry_run {
            true => Some(ExclusiveLock::acquire(Arc::clone(&self.store))?),
            false => None,
        };
        let started = self.now();
        let reachable = Reachable::find(self, started, options.grace)?;
        let plan = SweepPlan::make(self, &reachable, started, options.grace)?;
        let mut report = plan.report();
        if options.dry_run {
            return Ok(report);
        }
        self.sweep(plan, &mut report, lock.as_ref())?;
        self.record_collected(reachable.expired)?;
        let (count, bytes) = self.store.remove_unfinished(options.grace)?;
        report.unfinished = BlobCount { count, bytes };
        Ok(report)
    }
}

/// Returns the time from `then` to `now`; zero if `then` is in the future.
fn age(now: Timestamp, then: Timestamp) -> Duration {
    now.as_system_time().duration_since(then.as_system_time()).unwrap_or_default()
}

/// A blob with its garbage record.
struct Marked {
    garbage: Garbage,
    key: RecordKey,
    revision: Revision,
    /// When it was marked; `None` if the record cannot be read.
    since: Option<Timestamp>,
}

/// The changes to make.
#[derive(Default)]
struct SweepPlan {
    kept: BlobCount,
    /// Blobs to mark.
    unmarked: Vec<Garbage>,
    /// Blobs whose record cannot be read: to be marked again.
    unreadable: Vec<Marked>,
    pending: Vec<Garbage>,
    /// Marked blobs that are in use.
    in_use: Vec<Marked>,
    /// Blobs to delete.
    expired: Vec<Marked>,
    missing: Vec<Marked>,
}

impl SweepPlan {
    fn make(
        larder: &Maintenance,
        reachable: &Reachable,
        started: Timestamp,
        grace: Duration,
    ) -> Result<Self> {
        let mut plan = Self::default();
        let mut garbage = BTreeMap::new();
        for blob in larder.store.blobs() {
            let (digest, size) = blob?;
            if reachable.blobs.contains(&digest) {
                plan.kept.add(size);
            } else {
                garbage.insert(digest, size);
            }
        }
        let mut recorded = BTreeSet::new();
        for found in larder.store.known_records(record::GARBAGE) {
            let (key, found) = found?;
            let digest = record::garbage_in(&key)?;
            recorded.insert(digest);
            let read = match record::read::<GarbageRecord>(&key, &found) {
                Ok(read) => Some(read),
                Err(Error::Corrupt { .. }) => None,
                Err(error) => return Err(error),
            };
            let size = garbage.get(&digest).copied();
            let marked = Marked {
                garbage: Garbage { digest, size: size.unwrap_or_default() },
                key,
                revision: found.revision,
                since: read.map(|read| read.condemned),
            };
            // Another collector is deleting it. Its clock may differ from ours.
            let is_claimed = |read: GarbageRecord| {
                read.deleting.is_some_and(|begun| age(started, begun) < grace.max(PATIENCE))
            };
            match (read, size) {
                _ if reachable.blobs.contains(&digest) => plan.in_use.push(marked),
                (Some(read), _) if is_claimed(read) => plan.pending.push(marked.garbage),
                (_, None) => plan.missing.push(marked),
                (None, _) => plan.unreadable.push(marked),
                (Some(read), _) if age(started, read.condemned) >= grace => {
                    plan.expired.push(marked);
                }
                _ => plan.pending.push(marked.garbage),
            }
        }
        garbage.retain(|digest, _| !recorded.contains(digest));
        plan.unmarked =
            garbage.into_iter().map(|(digest, size)| Garbage { digest, size }).collect();
        Ok(plan)
    }

    /// Returns the report of a run that makes all of the changes.
    fn report(&self) -> GcReport {
        let garbage = |all: &[Marked]| all.iter().map(|one| one.garbage).collect::<Vec<_>>();
        let digests = |all: &[Marked]| all.iter().map(|one| one.garbage.digest).collect();
        GcReport {
            kept: self.kept,
            marked: self.unmarked.iter().copied().chain(garbage(&self.unreadable)).collect(),
            pending: self.pending.clone(),
            unmarked: digests(&self.in_use),
            deleted: garbage(&self.expired),
            missing: digests(&self.missing),
            unfinished: BlobCount::default(),
        }
    }
}
