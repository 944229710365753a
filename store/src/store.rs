//! Stores: where blobs and records are kept.
//!
//! A store holds two kinds of objects. *Blobs* are immutable bytes named by their digest. *Records* are small JSON
//! documents under a hierarchical [`RecordKey`], each with a revision, written on a precondition. The interface asks
//! for what an object store can do: put one object on a condition. A store that can do more says so in its
//! [`Capabilities`].
//!
//! Users call the handle `Larder`, not a store. Implementors run the laws of `larder-testkit` in a test.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::blob::{Blob, BlobWriter};
use crate::digest::Digest;
use crate::error::Result;
use crate::key::RecordKey;

/// A place for blobs and records.
///
/// Methods are called from many threads at once, and by many processes on the same place if the store can be opened by
/// many. Errors are [`Error::Store`](crate::Error::Store) unless a method names another, and say what was attempted
/// on what. No method has a default, so a wrapper cannot forget to forward one; shorthands are in [`StoreExt`](crate::StoreExt).
pub trait Store: Any + Send + Sync + fmt::Debug {
    /// Returns the URL that opens this store again, without secrets.
    fn url(&self) -> String;

    /// Returns what this store can do.
    fn capabilities(&self) -> Capabilities;

    /// Opens a writer for one blob of any size.
    ///
    /// The blob is not visible before [`BlobWriter::finish`] returns `Ok`.
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>>;

    /// Finds blobs. Returns them in the order of `digests`, with `None` for a missing blob.
    ///
    /// Small blobs are read in as few round trips as the store allows. The content of large ones is mapped, shared or
    /// fetched when it is read, so that the answer needs little memory. It is not compared with the digest.
    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>>;

    /// Returns the sizes of blobs in the order of `digests`, with `None` for a missing blob.
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>>;

    /// Lists up to `limit` blobs and their sizes, ordered by digest, after `after`.
    ///
    /// An empty answer marks the end.
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>>;

    /// Removes blobs. Missing ones are skipped. Bytes returned earlier stay readable.
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()>;

    /// Removes what dead writers left unfinished more than `older_than` ago. Returns the number of files and bytes.
    ///
    /// Files of living writers are left alone.
    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)>;

    /// Returns records in the order of `keys`, with `None` for a missing record.
    ///
    /// Everything committed before the call is seen, whichever process committed it.
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>>;

    /// Lists up to `limit` records whose keys begin with `prefix`, in byte order of the keys, after `after`.
    ///
    /// An empty answer marks the end. A record created or removed during a listing may or may not be listed; every other
    /// record is listed exactly once, even if it is rewritten meanwhile.
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>>;

    /// Makes `changes` in order. Each key occurs at most once.
    ///
    /// `Ok(Committed::All)` means that all changes were made and survive a loss of power. Blobs are durable before any
    /// record that follows them. A record changes as a whole; checking its precondition and changing it are one atomic
    /// step.
    ///
    /// A failed precondition ends the commit with [`Committed::Conflict`]. With [`Capabilities::atomic_commit`]
    /// nothing is changed then, nor after an `Err` or a crash. Without it, an unbroken run of record changes from the
    /// first stands, and blobs may stay behind as garbage.
    fn commit(&self, changes: &[Change]) -> Result<Committed>;
}

/// Capabilities of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A commit is made as a whole or not at all.
    pub atomic_commit: bool,
    /// No other commit takes effect between the check of a commit's first precondition and its last change.
    pub isolated_commit: bool,
    /// Size in bytes up to which a blob is better passed to [`Store::commit`] as [`Change::PutBlob`] than written
    /// with a writer.
    pub inline_blob: usize,
    /// Blobs are fetched over a network, so a copy on this machine is worth keeping.
    pub is_remote: bool,
}

/// One change of a [`Store::commit`].
#[derive(Debug, Clone)]
pub enum Change {
    /// Stores a small blob. An existing blob stays as it is.
    PutBlob {
        /// The digest of `bytes`, computed by the caller.
        digest: Digest,
        /// The content.
        bytes: Bytes,
    },
    /// Writes a record.
    PutRecord {
        /// The key.
        key: RecordKey,
        /// The JSON.
        value: Bytes,
        /// The precondition.
        expected: Expected,
    },
    /// Removes a record. A missing one is skipped, unless `expected` asks for it.
    RemoveRecord {
        /// The key.
        key: RecordKey,
        /// The precondition.
        expected: Expected,
    },
}

/// The precondition of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Any record, or none.
    Anything,
    /// No record under the key.
    Absent,
    /// The record under the key has this revision.
    Revision(Revision),
}

impl Expected {
    /// Compares with the current revision. For stores that check under their own lock or transaction.
    pub fn is_met_by(&self, current: Option<&Revision>) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => current.is_none(),
            Self::Revision(revision) => current == Some(revision),
        }
    }
}

/// The outcome of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Every change was made and is durable.
    All,
    /// A precondition failed.
    Conflict {
        /// The index of the change whose precondition failed.
        at: usize,
        /// The number of changes, from the first, that were made and stand: 0 if the store is atomic.
        made: usize,
    },
}

/// The content of a record at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The revision: differs whenever the content differs.
    pub revision: Revision,
    /// The JSON.
    pub value: Bytes,
}

/// An opaque name of a record's content, compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Arc<str>);

impl Revision {
    /// Derives a revision from the content, for stores without revisions of their own.
    pub fn of(value: &[u8]) -> Self {
        Self::new(Digest::of(value).to_hex())
    }

    /// Creates a revision from a store's own text, such as an ETag or a counter.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Returns the store's own text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
