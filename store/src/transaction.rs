//! Optimistic transactions over a [`Store`]: read, decide, commit, and try again on conflict.
//!
//! [`transact`] is the only retry loop. Its closure reads through a [`Transaction`], which remembers the revision of each
//! record, and adds changes to it; a change of a record that was read expects that revision. When another writer was first,
//! the closure runs again with a fresh transaction after a [`Backoff`].
//!
//! Reads are repeatable: a second read of a key returns the first answer. Changes reach the store in the order in which they
//! were added, which is what makes a commit that stops half-way harmless on stores without atomic commits.

use std::collections::HashMap;
use std::fmt;
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::key::RecordKey;
use crate::record::{self, Document};
use crate::store::{Change, Committed, Expected, Record, Store};

/// Maximum number of attempts before [`Error::Conflict`].
const MAX_ATTEMPTS: u32 = 1_000;
/// Upper bound of the first pause; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
/// Upper bound of every pause.
const MAX_PAUSE: Duration = Duration::from_micros(25_600);

/// The outcome of an attempt of [`transact`].
#[derive(Debug)]
pub enum Outcome<T> {
    /// Commit the changes, and return the value once they are durable.
    Commit(T),
    /// Return the value and drop the changes that were added.
    Done(T),
    /// Drop the changes and try again: what was read is about to change.
    Retry,
}

/// Runs `attempt` until its changes are committed, pausing between attempts.
///
/// `what` names the thing to be written in the error. Anything that must happen once, after the commit, belongs after this
/// call: an attempt may run many times.
///
/// # Errors
/// The errors of `attempt`, which end the transaction; [`Error::Conflict`] when other writers were first too often;
/// [`Error::Store`].
pub fn transact<'a, T>(
    store: &'a dyn Store,
    what: impl fmt::Display,
    attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
) -> Result<T> {
    transact_up_to(MAX_ATTEMPTS, store, what, attempt)
}

fn transact_up_to<'a, T>(
    max_attempts: u32,
    store: &'a dyn Store,
    what: impl fmt::Display,
    mut attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
) -> Result<T> {
    let mut backoff = Backoff::default();
    for number in 0..max_attempts {
        if number > 0 {
            backoff.pause();
        }
        let mut transaction = Transaction::new(store);
        transaction.attempt = number;
        transaction.is_last_attempt = number + 1 == max_attempts;
        match attempt(&mut transaction)? {
            Outcome::Done(value) => return Ok(value),
            Outcome::Retry => {}
            Outcome::Commit(value) => {
                if transaction.commit_once()? == Committed::All {
                    return Ok(value);
                }
            }
        }
    }
    Err(Error::Conflict { what: what.to_string() })
}

/// Records that were read, and changes that expect them to be unchanged.
pub struct Transaction<'a> {
    store: &'a dyn Store,
    attempt: u32,
    is_last_attempt: bool,
    read: HashMap<RecordKey, Option<Record>>,
    changes: Vec<Change>,
}

impl<'a> Transaction<'a> {
    /// A transaction that is tried once, by [`commit_once`](Self::commit_once).
    pub fn new(store: &'a dyn Store) -> Self {
        let (read, changes) = (HashMap::new(), Vec::new());
        Self { store, attempt: 0, is_last_attempt: true, read, changes }
    }

    /// The number of this attempt, from 0. After the first one, a store without atomic commits may hold a part of what an
    /// earlier attempt wrote.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// True if [`Outcome::Retry`] and a conflict end in [`Error::Conflict`].
    pub fn is_last_attempt(&self) -> bool {
        self.is_last_attempt
    }

    /// Reads a record.
    pub fn get(&mut self, key: &RecordKey) -> Result<Option<Record>> {
        let [record] = self.get_each([key])?;
        Ok(record)
    }

    /// Reads records in one round trip.
    pub fn get_each<const N: usize>(
        &mut self,
        keys: [&RecordKey; N],
    ) -> Result<[Option<Record>; N]> {
        self.fetch(&keys)?;
        Ok(keys.map(|key| self.read.get(key).cloned().flatten()))
    }

    /// Reads records in one round trip, in the order asked for.
    pub fn get_all(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.fetch(&keys.iter().collect::<Vec<_>>())?;
        Ok(keys.iter().map(|key| self.read.get(key).cloned().flatten()).collect())
    }

    /// Reads and decodes a record.
    pub fn read<T: Document>(&mut self, key: &RecordKey) -> Result<Option<T>> {
        self.get(key)?.map(|found| record::read(key, &found)).transpose()
    }

    /// Reads the `keys` that were not read before.
    fn fetch(&mut self, keys: &[&RecordKey]) -> Result<()> {
        let unread = keys.iter().filter(|key| !self.read.contains_key(**key));
        let unread: Vec<RecordKey> = unread.map(|key| (*key).clone()).collect();
        if unread.is_empty() {
            return Ok(());
        }
        let found = self.store.get_records(&unread)?;
        if found.len() != unread.len() {
            let reason = format!("it returned {} records for {} keys", found.len(), unread.len());
            return Err(Error::store(format!("read records of {}", self.store.url()), reason));
        }
        self.read.extend(unread.into_iter().zip(found));
        Ok(())
    }

    /// Writes a record, if it is as this transaction read it: unchanged, or still absent.
    ///
    /// # Errors
    /// [`Error::Internal`] if it was not read.
    pub fn put<T: Document>(&mut self, key: RecordKey, document: &T) -> Result<()> {
        let expected = self.expected(&key)?;
        self.push(record::put(key, document, expected)?);
        Ok(())
    }

    /// Writes a record, if there is none.
    pub fn put_new<T: Document>(&mut self, key: RecordKey, document: &T) -> Result<()> {
        self.push(record::put(key, document, Expected::Absent)?);
        Ok(())
    }

    /// Writes a record, whatever is there.
    pub fn put_any<T: Document>(&mut self, key: RecordKey, document: &T) -> Result<()> {
        self.push(record::put(key, document, Expected::Anything)?);
        Ok(())
    }

    /// Removes a record, if it is as this transaction read it.
    ///
    /// # Errors
    /// [`Error::Internal`] if it was not read.
    pub fn remove(&mut self, key: RecordKey) -> Result<()> {
        let expected = self.expected(&key)?;
        self.push(Change::RemoveRecord { key, expected });
        Ok(())
    }

    /// Removes a record, whatever is there.
    pub fn remove_any(&mut self, key: RecordKey) {
        self.push(Change::RemoveRecord { key, expected: Expected::Anything });
    }

    /// Makes the commit depend on a record that it leaves as it was read.
    ///
    /// # Errors
    /// [`Error::Internal`] if it was not read.
    pub fn require(&mut self, key: RecordKey) -> Result<()> {
        let Some(found) = self.read.get(&key) else { return Err(unread(&key)) };
        let change = record::unchanged(key, found.as_ref());
        self.push(change);
        Ok(())
    }

    /// Adds a change with an expectation of its own, or a blob.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Adds changes, in their order.
    pub fn extend(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.changes.extend(changes);
    }

    /// The number of changes so far.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Returns true if there are no changes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn expected(&self, key: &RecordKey) -> Result<Expected> {
        let found = self.read.get(key).ok_or_else(|| unread(key))?;
        Ok(record::expect(found.as_ref()))
    }

    /// Commits the changes without a retry. Without changes, the store is not called.
    ///
    /// Refuses to overwrite or remove a record of a newer format, also where a change has no precondition.
    ///
    /// For writes that lose to another writer for good, and for attempts that must know how many changes a store without
    /// atomic commits made.
    pub fn commit_once(&mut self) -> Result<Committed> {
        let changes = std::mem::take(&mut self.changes);
        if !changes.is_empty() {
            self.refuse_newer(&changes)?;
        }
        self.read.clear();
        if changes.is_empty() { Ok(Committed::All) } else { self.store.commit(&changes) }
    }

    /// Reads the records that `changes` replace unread; after a conflict also those that are expected to be absent.
    fn refuse_newer(&mut self, changes: &[Change]) -> Result<()> {
        let replaced = changes.iter().filter_map(|change| match change {
            Change::PutRecord { key, expected, .. } | Change::RemoveRecord { key, expected } => {
                let is_unread = match expected {
                    Expected::Anything => true,
                    Expected::Absent => self.attempt > 0,
                    Expected::Revision(_) => false,
                };
                is_unread.then_some(key)
            }
            Change::PutBlob { .. } => None,
        });
        let replaced: Vec<&RecordKey> = replaced.collect();
        self.fetch(&replaced)?;
        let found = replaced.iter().filter_map(|key| Some((*key, self.read.get(*key)?.as_ref()?)));
        found.into_iter().try_for_each(|(key, found)| record::refuse_newer(key, found))
    }

    /// Commits changes none of which has a precondition, such as blobs.
    ///
    /// # Errors
    /// [`Error::Store`], also if the store reports a conflict all the same.
    pub fn commit_unconditional(&mut self) -> Result<()> {
        match self.commit_once()? {
            Committed::All => Ok(()),
            Committed::Conflict { at, .. } => {
                let reason =
                    format!("it reports a conflict at change {at}, which has no precondition");
                Err(Error::store(format!("write to {}", self.store.url()), reason))
            }
        }
    }
}

fn unread(key: &RecordKey) -> Error {
    Error::internal(format!("a transaction changes the record {key}, which it did not read"))
}

/// Pauses that grow exponentially up to a maximum, each of a random length.
///
/// The length is uniform between nothing and the bound ("full jitter"), so that writers that met once do not meet again.
#[derive(Debug, Default)]
pub struct Backoff {
    pauses: u32,
}

impl Backoff {
    /// Sleeps for the next pause.
    pub fn pause(&mut self) {
        thread::sleep(self.next_pause());
    }

    fn next_pause(&mut self) -> Duration {
        let bound = FIRST_PAUSE.saturating_mul(1 << self.pauses.min(16)).min(MAX_PAUSE);
        self.pauses = self.pauses.saturating_add(1);
        bound.mul_f64(fastrand::f64())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
