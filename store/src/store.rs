//! Stores: where blobs and records are kept.
//!
//! A store holds two kinds of thing. *Blobs* are immutable bytes named by their digest. *Records* are
//! small JSON documents under a hierarchical [`RecordKey`], each with a revision, written on a
//! precondition. The shape is that of the store with the hardest life, an object store, which can put
//! one object on a condition and no more; a store that can do more says so in its [`Capabilities`].
//!
//! Users never call a store: the handle `Larder` does. Whoever writes one holds it to the laws of
//! `larder-testkit`.

use std::any::Any;
use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::Result;
use crate::ext;
use crate::key::RecordKey;

/// A place for blobs and records.
///
/// Every method may be called from many threads at once, and by many processes on the same place if
/// the store can be opened by many. An `Err` from any method is [`Error::Store`](crate::Error::Store),
/// unless its doc names another, and says what was attempted on what.
pub trait Store: Any + Send + Sync + fmt::Debug {
    /// The URL that opens this store again, without secrets.
    fn url(&self) -> String;

    /// What this store can do beyond the least.
    fn capabilities(&self) -> Capabilities;

    /// Whether blobs come from so far away that a copy on this machine is worth having.
    fn is_remote(&self) -> bool {
        false
    }

    /// Opens a writer for one blob of any size.
    ///
    /// Nothing is visible to anyone before [`BlobWriter::finish`] returns `Ok`.
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>>;

    /// Keeps bytes that are all there already, such as a map of a file, as the blob `digest`, durably: what a writer
    /// and its [`finish`](BlobWriter::finish) do, where the bytes need no place to wait in.
    fn keep_blob(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        ext::keep_blob(self, digest, &bytes)
    }

    /// The bytes of blobs, in the order asked for; `None` for a blob that is not there.
    ///
    /// A store gives what it has: checking the digest is the caller's part. Bytes of large blobs are
    /// mapped or handed over, not copied.
    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>>;

    /// Hands the bytes of one blob to `take`, piece by piece and in their order; `false` if it is not there.
    ///
    /// It is for bytes that go elsewhere: whatever the size of the blob, a few pieces of it are in memory. As of
    /// [`get_blobs`](Store::get_blobs), checking the digest is the caller's part, and what was taken before an `Err`
    /// or `false` is worth nothing. An error of `take` ends it and is given back.
    fn read_blob(
        &self,
        digest: &Digest,
        take: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<bool> {
        ext::read_blob(self, digest, take)
    }

    /// The sizes of blobs, in the order asked for; `None` for a blob that is not there.
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>>;

    /// The file that holds a blob's bytes and nothing else, if this store keeps it as one on this machine.
    ///
    /// It is for reading only, and for copying without a second copy in memory. The caller checks the
    /// digest of what it copied.
    fn blob_file(&self, _digest: &Digest) -> Result<Option<PathBuf>> {
        Ok(None)
    }

    /// Up to `limit` blobs and their sizes, in the order of their digests, after `after`.
    ///
    /// An empty answer is the end.
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>>;

    /// Removes blobs. One that is not there is no error. Bytes that were handed out stay readable.
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()>;

    /// Removes what writers that died left unfinished more than `older_than` ago, and never what a living one
    /// works on; gives how many files and bytes that were.
    fn remove_unfinished(&self, _older_than: Duration) -> Result<(u64, u64)> {
        Ok((0, 0))
    }

    /// Records, in the order asked for; `None` for a record that is not there.
    ///
    /// Whatever was committed before the call is seen, by whichever process.
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>>;

    /// Up to `limit` records whose keys begin with `prefix`, in byte order of the keys, after `after`.
    ///
    /// An empty answer is the end. A record that appears or is removed during a listing may or may not be
    /// seen; every other one is seen exactly once, also one that is written again meanwhile.
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>>;

    /// Makes `changes`, in their order. No two of them are about one key.
    ///
    /// `Ok(Committed::All)` means that all of them were made and survive a loss of power. Blobs are
    /// durable before any record that follows them. Each record is changed as a whole; its precondition
    /// and its change are one step that nobody can come between.
    ///
    /// A precondition that fails ends the commit with [`Committed::Conflict`]. With
    /// [`Capabilities::atomic_commit`] nothing was changed then, nor after an `Err` or a crash; without it,
    /// records stand as an unbroken run from the first, and blobs may stay behind as garbage.
    fn commit(&self, changes: &[Change]) -> Result<Committed>;
}

/// What a store can do beyond the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether a commit is made as a whole or not at all.
    pub atomic_commit: bool,
    /// Blobs up to this many bytes are better given to [`Store::commit`] as [`Change::PutBlob`] than
    /// written one by one.
    pub inline_blob: usize,
}

/// A blob that is being written. Dropping it abandons the blob and leaves nothing behind.
pub trait BlobWriter: Write + Send {
    /// Keeps what was written as the blob `digest`, durably.
    ///
    /// The caller has computed `digest` over exactly the bytes written. If the blob is there already,
    /// the new bytes are dropped and the old ones stay.
    fn finish(self: Box<Self>, digest: &Digest) -> Result<()>;
}

/// One change of a [`Store::commit`].
#[derive(Debug, Clone)]
pub enum Change {
    /// Keeps a blob. If it is there already, nothing changes.
    PutBlob {
        /// Its digest, computed by the caller over `bytes`.
        digest: Digest,
        /// Its bytes.
        bytes: Bytes,
    },
    /// Writes a record.
    PutRecord {
        /// Its key.
        key: RecordKey,
        /// Its JSON.
        value: Bytes,
        /// What must be so for it to be written.
        expected: Expected,
    },
    /// Removes a record. One that is not there is no error, unless `expected` asks for it.
    RemoveRecord {
        /// Its key.
        key: RecordKey,
        /// What must be so for it to be removed.
        expected: Expected,
    },
}

/// The precondition of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// None.
    Anything,
    /// There is no record under the key.
    Absent,
    /// The record under the key is still at this revision.
    Revision(Revision),
}

impl Expected {
    /// Whether `current` is as expected: for stores that check under a lock of their own.
    pub fn is_met_by(&self, current: Option<&Revision>) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => current.is_none(),
            Self::Revision(revision) => current == Some(revision),
        }
    }
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Committed {
    /// Every change was made and is durable.
    All,
    /// A precondition failed.
    Conflict {
        /// The index of the change whose precondition failed.
        at: usize,
        /// How many changes, from the first, were made all the same: 0 if the store is atomic.
        made: usize,
    },
}

/// A record's content as it was at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Names this content: it differs whenever the content differs.
    pub revision: Revision,
    /// The JSON.
    pub value: Bytes,
}

/// Names the content of a record at one time; opaque, compared for equality only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Revision(Arc<str>);

impl Revision {
    /// The digest of the content, for stores that have no revisions of their own.
    pub fn of(value: &[u8]) -> Self {
        Self::new(Digest::of(value).to_hex())
    }

    /// A revision, from whatever the store tells contents apart by.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The store's own text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
