//! Inserting batches as a version each: while one is committed, the next ones are encoded and written.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use larder_core::{Error, Result};

use super::insert::{Insert, Inserted};
use super::source::Source;
use super::{CollectionVersion, UntypedCollection};
use crate::engine::{Batches, EngineVersion, PendingWrite};

/// Batches that are encoded and written before their turn.
const MOST_AHEAD: usize = 4;

/// An insert whose rows are encoded.
pub(super) struct BegunInsert<'a> {
    pub(super) version: NewVersion<'a>,
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) skipped: u64,
}

/// The version of an insert; one that creates the collection is there already.
pub(super) enum NewVersion<'a> {
    Pending(Box<dyn PendingWrite + 'a>),
    Created(Arc<dyn EngineVersion>),
}

impl BegunInsert<'_> {
    pub(super) fn commit(self) -> Result<Inserted> {
        let Self { version, inserted, updated, skipped } = self;
        let version = match version {
            NewVersion::Pending(write) => write.commit()?,
            NewVersion::Created(version) => version,
        };
        Ok(Inserted { version: CollectionVersion::new(version), inserted, updated, skipped })
    }
}

/// The versions that [`UntypedCollection::insert_versions`] writes: an iterator of [`Inserted`].
pub struct InsertedVersions<'a> {
    collection: &'a UntypedCollection,
    batches: Batches<'a>,
    insert: Insert<'a>,
    /// The newest version known.
    head: Option<CollectionVersion>,
    /// The next inserts, of which only the last may be an error.
    ahead: VecDeque<Result<BegunInsert<'a>>>,
    /// True once there is nothing more to read.
    is_read: bool,
}

impl<'a> InsertedVersions<'a> {
    pub(super) fn new(
        collection: &'a UntypedCollection,
        batches: Batches<'a>,
        insert: Insert<'a>,
    ) -> Self {
        let (head, ahead) = (None, VecDeque::new());
        Self { collection, batches, insert, head, ahead, is_read: false }
    }

    /// Reads and encodes the next batch.
    fn begin(&mut self) {
        let begun = match self.batches.next() {
            None => None,
            Some(Err(error)) => Some(Err(error)),
            Some(Ok(batch)) => {
                let insert = self.insert.again();
                Some(self.collection.begin_insert(self.head.clone(), Source::of(batch), insert))
            }
        };
        self.is_read = !matches!(begun, Some(Ok(_)));
        self.ahead.extend(begun);
    }

    /// Commits an insert, and begins the next ones meanwhile.
    fn commit(&mut self, begun: BegunInsert<'a>) -> Result<Inserted> {
        // These depend on what the version before left.
        let waits = self.insert.upsert || self.insert.evolve || self.insert.rejects.is_some();
        if waits || self.head.is_none() {
            return begun.commit();
        }
        let begun = Mutex::new(Some(begun));
        let commit = || {
            let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).take();
            begun.map_or_else(|| Err(failed("it began twice")), BegunInsert::commit)
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, commit);
            while !self.is_read && self.ahead.len() < MOST_AHEAD {
                self.begin();
            }
            match thread {
                Ok(thread) => thread.join().unwrap_or_else(|_| Err(failed("it panicked"))),
                // No thread could be spawned.
                Err(_) => commit(),
            }
        })
    }
}

impl Iterator for InsertedVersions<'_> {
    type Item = Result<Inserted>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ahead.is_empty() && !self.is_read {
            match self.collection.head() {
                Ok(head) => self.head = head,
                Err(error) => {
                    self.is_read = true;
                    return Some(Err(error));
                }
            }
            self.begin();
        }
        let inserted = self.ahead.pop_front()?.and_then(|begun| self.commit(begun));
        match &inserted {
            Ok(inserted) => self.head = Some(inserted.version.clone()),
            Err(_) => {
                self.is_read = true;
                self.ahead.clear();
            }
        }
        Some(inserted)
    }
}

fn failed(reason: &str) -> Error {
    Error::internal(format!("the commit of an insert failed: {reason}"))
}

impl Insert<'_> {
    /// Returns the same again, for another batch.
    pub(super) fn again(&mut self) -> Insert<'_> {
        let Self { key, schema, valid_permille, evolve, upsert, strict, rejects } = self;
        Insert {
            key: key.clone(),
            schema: schema.clone(),
            valid_permille: *valid_permille,
            evolve: *evolve,
            upsert: *upsert,
            strict: *strict,
            rejects: match rejects {
                Some(take) => Some(&mut **take),
                None => None,
            },
        }
    }
}

impl fmt::Debug for InsertedVersions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InsertedVersions")
            .field("collection", &self.collection.name())
            .field("ahead", &self.ahead.len())
            .finish_non_exhaustive()
    }
}
