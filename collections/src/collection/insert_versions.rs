//! Inserting batches as a version each: while one is committed, the next ones are encoded and written.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use arrow_array::RecordBatch;
use larder_core::{Error, Result};

use super::insert::{FittedInsert, Insert, Inserted};
use super::source::Source;
use super::{CollectionVersion, UntypedCollection};
use crate::engine::{Batches, EngineVersion, PendingWrite};

/// Batches that are encoded and written before their turn, and committed together: few, and more while a commit takes longer.
const FEW_AHEAD: usize = 4;
const MOST_AHEAD: usize = 16;

/// Inserts whose rows are encoded, each for a version of its own.
pub(super) struct BegunInserts<'a> {
    pub(super) version: NewVersion<'a>,
    /// One for each version.
    pub(super) counts: Vec<InsertCounts>,
}

/// The versions of inserts; one that creates the collection is there already.
pub(super) enum NewVersion<'a> {
    Pending(Box<dyn PendingWrite + 'a>),
    Created(Arc<dyn EngineVersion>),
}

/// Numbers of the rows of an insert.
#[derive(Clone, Copy)]
pub(super) struct InsertCounts {
    pub(super) inserted: u64,
    pub(super) updated: u64,
    pub(super) skipped: u64,
}

impl InsertCounts {
    fn of(self, version: Arc<dyn EngineVersion>) -> Inserted {
        let Self { inserted, updated, skipped } = self;
        Inserted { version: CollectionVersion::new(version), inserted, updated, skipped }
    }
}

impl BegunInserts<'_> {
    /// Writes the version of a single insert.
    pub(super) fn commit(self) -> Result<Inserted> {
        self.commit_all().pop_back().unwrap_or_else(|| Err(failed("it wrote no version")))
    }

    /// Writes the versions; the last result may be an error.
    fn commit_all(self) -> VecDeque<Result<Inserted>> {
        let mut versions = Vec::new();
        let ended = match self.version {
            NewVersion::Pending(write) => write.commit_all(&mut versions),
            NewVersion::Created(version) => {
                versions.push(version);
                Ok(())
            }
        };
        let inserted = self.counts.into_iter().zip(versions);
        let inserted = inserted.map(|(counts, version)| Ok(counts.of(version)));
        inserted.chain(ended.err().map(Err)).collect()
    }
}

impl UntypedCollection {
    /// Begins an insert into the version `head`; creates the collection if there is none.
    pub(super) fn begin_insert<'a>(
        &self,
        head: Option<CollectionVersion>,
        source: Source<'a>,
        insert: Insert<'a>,
    ) -> Result<BegunInserts<'_>> {
        let FittedInsert { head, created, write, updated, counts } =
            self.fit_insert(head, source, insert)?;
        let version = match (&head, created) {
            (Some(head), _) => NewVersion::Pending(self.engine.begin(head.engine(), write)?),
            (None, Some(new)) => NewVersion::Created(self.engine.create(new, write)?),
            (None, None) => return Err(Error::internal("a collection has no schema".to_owned())),
        };
        Ok(BegunInserts { version, counts: vec![counts.with_updated(updated)] })
    }

    /// Adds an insert of new rows to those that began, as a version that follows theirs.
    fn add_insert<'a>(
        &self,
        begun: &mut BegunInserts<'_>,
        head: Option<CollectionVersion>,
        source: Source<'a>,
        insert: Insert<'a>,
    ) -> Result<()> {
        let FittedInsert { write, counts, .. } = self.fit_insert(head, source, insert)?;
        if let (NewVersion::Pending(pending), Some(inserts)) = (&mut begun.version, write.inserts) {
            pending.add(inserts)?;
            begun.counts.push(counts.with_updated(0));
        }
        Ok(())
    }
}

/// The versions that [`UntypedCollection::insert_versions`] writes: an iterator of [`Inserted`].
pub struct InsertedVersions<'a> {
    collection: &'a UntypedCollection,
    batches: Batches<'a>,
    insert: Insert<'a>,
    /// The newest version known.
    head: Option<CollectionVersion>,
    /// The versions that are durable, and are still to be returned; the last may be an error.
    done: VecDeque<Result<Inserted>>,
    /// The next inserts.
    ahead: Option<BegunInserts<'a>>,
    /// The error that follows them.
    error: Option<Error>,
    /// True once there is nothing more to read.
    is_read: bool,
}

impl<'a> InsertedVersions<'a> {
    pub(super) fn new(
        collection: &'a UntypedCollection,
        batches: Batches<'a>,
        insert: Insert<'a>,
    ) -> Self {
        let (head, done, ahead, error) = (None, VecDeque::new(), None, None);
        Self { collection, batches, insert, head, done, ahead, error, is_read: false }
    }

    /// Reads and encodes the next batch.
    fn begin(&mut self) {
        let begun = match self.batches.next() {
            None => Ok(false),
            Some(batch) => batch.and_then(|batch| self.begin_batch(batch)).map(|()| true),
        };
        self.is_read = !matches!(begun, Ok(true));
        self.error = begun.err();
    }

    fn begin_batch(&mut self, batch: RecordBatch) -> Result<()> {
        let Self { collection, head, insert, ahead, .. } = self;
        let (head, insert, source) = (head.clone(), insert.again(), Source::of(batch));
        match ahead {
            Some(begun) => collection.add_insert(begun, head, source, insert),
            None => {
                *ahead = Some(collection.begin_insert(head, source, insert)?);
                Ok(())
            }
        }
    }

    /// Returns true if at least `count` inserts began.
    fn has_ahead(&self, count: usize) -> bool {
        self.ahead.as_ref().is_some_and(|begun| begun.counts.len() >= count)
    }

    /// Commits inserts, and begins the next ones meanwhile.
    fn commit(&mut self, begun: BegunInserts<'a>) -> VecDeque<Result<Inserted>> {
        // These depend on what the version before left.
        let waits = self.insert.upsert || self.insert.evolve || self.insert.rejects.is_some();
        if waits || self.head.is_none() {
            return begun.commit_all();
        }
        let begun = Mutex::new(Some(begun));
        let failed = |reason: &str| VecDeque::from([Err(failed(reason))]);
        let commit = || {
            let begun = begun.lock().unwrap_or_else(PoisonError::into_inner).take();
            begun.map_or_else(|| failed("it began twice"), BegunInserts::commit_all)
        };
        thread::scope(|scope| {
            let thread = thread::Builder::new().spawn_scoped(scope, commit);
            let is_busy = || thread.as_ref().is_ok_and(|thread| !thread.is_finished());
            while !self.is_read
                && (!self.has_ahead(FEW_AHEAD) || is_busy() && !self.has_ahead(MOST_AHEAD))
            {
                self.begin();
            }
            match thread {
                Ok(thread) => thread.join().unwrap_or_else(|_| failed("it panicked")),
                // No thread could be spawned.
                Err(_) => commit(),
            }
        })
    }

    /// Commits the inserts that began, and those that follow until one version is there.
    fn advance(&mut self) -> Result<()> {
        if self.ahead.is_none() && !self.is_read {
            self.head = self.collection.head()?;
            self.begin();
        }
        if let Some(begun) = self.ahead.take() {
            self.done = self.commit(begun);
        }
        match self.done.back() {
            Some(Ok(last)) => self.head = Some(last.version.clone()),
            Some(Err(_)) => {}
            None => return self.error.take().map_or(Ok(()), Err),
        }
        Ok(())
    }
}

impl Iterator for InsertedVersions<'_> {
    type Item = Result<Inserted>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done.is_empty()
            && let Err(error) = self.advance()
        {
            self.done.push_back(Err(error));
        }
        let inserted = self.done.pop_front();
        if let Some(Err(_)) = inserted {
            self.is_read = true;
            (self.ahead, self.error) = (None, None);
        }
        inserted
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
            .field("done", &self.done.len())
            .finish_non_exhaustive()
    }
}
