//! The exclusive lock of a larder: while it is held, no commit can refer to a blob.
//!
//! The lock is one record. A writer reads it when it looks at the blobs that it will refer to, and its commit depends on
//! the record being unchanged: a commit that began before the lock was taken fails, and one that begins while it is held
//! waits. The record stays when the lock is released, so that a lock that came and went in between is noticed.
//!
//! The owner rewrites the record every few seconds. If it does not change for [`LEASE`], the owner is considered dead:
//! the next writer releases the lock in its own commit.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kind::{Action, RecordKind, foreign};
use crate::record::{self, expect, random, unchanged};
use crate::store::{Change, Committed, Record, Store};
use crate::{RecordKey, StoreExt};

/// The key of the record.
const KEY: &str = "exclusive/gc";
/// Time without a change of the record after which its owner is considered dead. Measured by each observer alone, so clocks
/// are not compared.
pub const LEASE: Duration = Duration::from_secs(20);
/// Time between two changes of the record.
const BEAT: Duration = Duration::from_secs(2);
/// Pause between two looks at the record.
const PAUSE: Duration = Duration::from_millis(50);

/// The content of `exclusive/gc`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExclusiveRecord {
    larder: u64,
    /// Random for each time that the lock is taken.
    holder: String,
    /// Counts the changes.
    beat: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    released: bool,
}

crate::documents!(ExclusiveRecord);

crate::kind!(
    RecordKind::new(
        "exclusive",
        KEY,
        "exclusive/",
        |key| match key.as_str() {
            KEY => Ok(None),
            _ => Err(foreign(key, "its key is not `exclusive/gc`")),
        },
        |key, found| record::read::<ExclusiveRecord>(key, found).map(drop),
    )
    // Any writer releases the lock of a collector that died; only a collector takes it.
    .needs(|key, found| {
        let is_released = record::read::<ExclusiveRecord>(key, found)?.released;
        Ok(vec![(if is_released { Action::Write } else { Action::Maintain }, None)])
    })
    .access(Action::Write, Action::Write)
    .removed_by(Action::Maintain)
);

/// The part of a writer's commit that fails if the larder was locked since the record under [`key`](Self::key) was read.
#[derive(Debug)]
pub struct Permit {
    /// The commit must include this change. If the larder is locked, it releases the lock.
    pub change: Change,
    /// The larder is locked: only if the record does not change for [`LEASE`] may the writer go on.
    pub is_locked: bool,
}

impl Permit {
    /// The key that a writer reads before it looks at blobs; `None` if the store cannot lock.
    ///
    /// # Errors
    /// None in practice.
    pub fn key(store: &dyn Store) -> Result<Option<RecordKey>> {
        store.capabilities().isolated_commit.then(|| RecordKey::new(KEY)).transpose()
    }

    /// Returns what the record under `key` means for a writer.
    ///
    /// # Errors
    /// [`Error::NewerFormat`].
    pub fn of(store: &dyn Store, key: RecordKey, found: Option<&Record>) -> Result<Self> {
        let is_remote = store.capabilities().is_remote;
        let before = match found.map(|found| record::read::<ExclusiveRecord>(&key, found)) {
            // Commits that depend on a record that is there need not wait for each other. In a local store it is not
            // worth a file.
            None if !is_remote => {
                return Ok(Self { change: unchanged(key, None), is_locked: false });
            }
            Some(Ok(read)) if read.released => {
                return Ok(Self { change: unchanged(key, found), is_locked: false });
            }
            None | Some(Err(Error::Corrupt { .. })) => ExclusiveRecord::taken(),
            Some(read) => read?,
        };
        let released = ExclusiveRecord { beat: before.beat + 1, released: true, ..before };
        let change = record::put(key, &released, expect(found))?;
        Ok(Self { change, is_locked: found.is_some() })
    }

    /// Returns whether `change` only makes a commit depend on the lock.
    pub fn is_dependency(change: &Change) -> bool {
        match change {
            Change::PutRecord { key, .. } | Change::RemoveRecord { key, .. } => key.as_str() == KEY,
            Change::PutBlob { .. } => false,
        }
    }

    /// The error of a writer that waited too long.
    pub fn refused(store: &dyn Store) -> Error {
        Error::Refused {
            action: format!("write to {}", store.url()),
            reason:
                "an exclusive garbage collection has locked the larder; try again when it has ended"
                    .into(),
        }
    }
}

impl ExclusiveRecord {
    fn taken() -> Self {
        Self { larder: record::FORMAT, holder: random(), beat: 0, released: false }
    }
}

/// The exclusive lock of a larder. Dropping it releases it.
#[derive(Debug)]
pub struct ExclusiveLock {
    owner: Arc<Owner>,
    beats: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Owner {
    store: Arc<dyn Store>,
    key: RecordKey,
    holder: String,
    held: Mutex<Held>,
    ended: Condvar,
}

#[derive(Debug)]
struct Held {
    /// When the last successful change of the record began.
    since: Instant,
    is_lost: bool,
    is_ended: bool,
}

impl ExclusiveLock {
    /// Locks the larder. Waits only to see whether the owner of a lock that is there is alive.
    ///
    /// # Errors
    /// [`Error::Refused`] if another process holds the lock, and for a store whose commits are not
    /// [isolated](crate::Capabilities::isolated_commit); [`Error::Store`].
    pub fn acquire(store: Arc<dyn Store>) -> Result<Self> {
        let refused = |reason: &str| Error::Refused {
            action: format!("lock {}", store.url()),
            reason: reason.into(),
        };
        let Some(key) = Permit::key(&*store)? else {
            return Err(refused(
                "its records are written one by one, so that other writers cannot be shut out; collect \
                 with a grace period of at least one second",
            ));
        };
        let mut seen: Option<(Record, Instant)> = None;
        loop {
            let since = Instant::now();
            let found = store.get_record(&key)?;
            let permit = Permit::of(&*store, key.clone(), found.as_ref())?;
            if let (true, Some(found)) = (permit.is_locked, &found) {
                match &seen {
                    Some((before, _)) if before != found => {
                        return Err(refused(
                            "another process holds the lock; try again when it has ended",
                        ));
                    }
                    Some((_, first)) if first.elapsed() >= LEASE => {}
                    _ => {
                        seen.get_or_insert_with(|| (found.clone(), since));
                        thread::sleep(PAUSE);
                        continue;
                    }
                }
            }
            let taken = ExclusiveRecord::taken();
            let take = record::put(key.clone(), &taken, expect(found.as_ref()))?;
            if store.commit(&[take])? == Committed::All {
                let held = Mutex::new(Held { since, is_lost: false, is_ended: false });
                let holder = taken.holder;
                let owner = Owner { store, key, holder, held, ended: Condvar::new() };
                let mut lock = Self { owner: Arc::new(owner), beats: None };
                let owner = Arc::clone(&lock.owner);
                let beats = thread::Builder::new().spawn(move || owner.beat());
                // Dropping the lock releases it.
                lock.beats = Some(beats.map_err(|e| Error::store("start a thread", e))?);
                return Ok(lock);
            }
        }
    }

    /// Checks that the lock is held, and will be for some seconds.
    ///
    /// # Errors
    /// [`Error::Refused`] if others may consider this process dead.
    pub fn check(&self) -> Result<()> {
        let held = self.owner.held();
        if held.is_lost || held.since.elapsed() > LEASE / 2 {
            return Err(Error::Refused {
                action: format!("go on with the exclusive lock of {}", self.owner.store.url()),
                reason: "it was not renewed in time and may be lost; run it again".into(),
            });
        }
        Ok(())
    }
}

impl Drop for ExclusiveLock {
    fn drop(&mut self) {
        self.owner.held().is_ended = true;
        self.owner.ended.notify_all();
        if let Some(beats) = self.beats.take() {
            let _ = beats.join();
        }
        // If this fails, the lock ends with its lease.
        let _ = self.owner.write(true);
    }
}

impl Owner {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the record regularly until the lock is dropped or lost.
    fn beat(&self) {
        loop {
            let wait = |held: &mut Held| !held.is_ended;
            let waited = self.ended.wait_timeout_while(self.held(), BEAT, wait);
            let (held, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if held.is_ended || held.is_lost {
                return;
            }
            drop(held);
            let since = Instant::now();
            // An error may pass; if it does not, the lock ends with its lease.
            match self.write(false) {
                Ok(true) => self.held().since = since,
                Ok(false) => self.held().is_lost = true,
                Err(_) => {}
            }
        }
    }

    /// Changes the record; `false` if it is no longer this owner's.
    fn write(&self, released: bool) -> Result<bool> {
        let Some(found) = self.store.get_record(&self.key)? else { return Ok(false) };
        let mut read: ExclusiveRecord = record::read(&self.key, &found)?;
        if read.released || read.holder != self.holder {
            return Ok(false);
        }
        (read.beat, read.released) = (read.beat + 1, released);
        let change = record::put(self.key.clone(), &read, expect(Some(&found)))?;
        Ok(self.store.commit(&[change])? == Committed::All)
    }
}
