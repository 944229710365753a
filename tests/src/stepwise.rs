//! A store in memory that makes commits change by change, as a bucket does, and where a test comes in between.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::store::{Capabilities, Change, Committed};
use larder::store::{MemoryStore, Store, StoreExt};
use larder::{Error, Result};

type Before = Box<dyn Fn(&MemoryStore, &[Change], usize) -> Result<bool> + Send + Sync>;

/// The store. What it made stays in the [`MemoryStore`], for whoever comes next.
pub struct Stepwise {
    store: MemoryStore,
    before: Before,
    isolated: bool,
}

impl Stepwise {
    /// Asks `before` ahead of each change, which it is told by the commit and the place in it: `false` ends the commit
    /// there as if another writer had come between.
    pub fn new(
        store: &MemoryStore,
        before: impl Fn(&MemoryStore, &[Change], usize) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        Self { store: store.clone(), before: Box::new(before), isolated: false }
    }

    /// Checks all preconditions of a commit before its first change, as a folder does under its lock.
    #[must_use]
    pub fn isolated(self) -> Self {
        Self { isolated: true, ..self }
    }

    /// Makes `left` changes, and then no more, as if its writer had died.
    pub fn stopping_after(left: usize, store: &MemoryStore) -> Self {
        let left = AtomicUsize::new(left);
        Self::new(store, move |_, _, _| {
            let one_less = |left: usize| left.checked_sub(1);
            match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less) {
                Ok(_) => Ok(true),
                Err(_) => Err(Error::store("write to test:stepwise", "the power went out")),
            }
        })
    }
}

impl fmt::Debug for Stepwise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stepwise")
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Stepwise {
    crate::delegate!(
        store: write_blob read_blobs stat_blobs list_blobs remove_blobs remove_unfinished
        get_records list_records
    );

    fn url(&self) -> String {
        "test:stepwise".into()
    }

    fn capabilities(&self) -> Capabilities {
        let isolated_commit = self.isolated;
        Capabilities { atomic_commit: false, isolated_commit, ..self.store.capabilities() }
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        for (at, change) in changes.iter().enumerate().filter(|_| self.isolated) {
            if let Change::PutRecord { key, expected, .. }
            | Change::RemoveRecord { key, expected } = change
            {
                let found = self.store.get_record(key)?;
                if !expected.is_met_by(found.as_ref().map(|record| &record.revision)) {
                    return Ok(Committed::Conflict { at, made: 0 });
                }
            }
        }
        for (at, change) in changes.iter().enumerate() {
            let goes_on = (self.before)(&self.store, changes, at)?;
            if !goes_on || self.store.commit(std::slice::from_ref(change))? != Committed::All {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}
