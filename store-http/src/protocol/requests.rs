//! Requests and their answers.

use bytes::Bytes;
use larder_store::Committed;
use serde::{Deserialize, Serialize};

use super::Request;
use super::limits::{MAX_CHANGES, MAX_ITEMS, MAX_PREFIX};
use super::wire::{WireChange, WireDigest, WireKey, WireRecord};

/// [`Store::get_records`](larder_store::Store::get_records).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetRecords {
    /// The keys.
    pub keys: Vec<WireKey>,
}

/// The answer to [`GetRecords`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GotRecords {
    /// The records of the first keys: of all of them, or of as many as the budget of an answer holds, at least of one.
    pub records: Vec<Option<WireRecord>>,
}

/// [`Store::list_records`](larder_store::Store::list_records).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRecords {
    /// The beginning of the keys.
    pub prefix: String,
    /// The last key of the page before.
    pub after: Option<WireKey>,
    /// Maximum number of records.
    pub limit: usize,
}

/// The answer to [`ListRecords`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedRecords {
    /// The records that the caller may read.
    pub records: Vec<(WireKey, WireRecord)>,
    /// Where to go on if the page is empty and is not the end: the last key that was looked at.
    pub after: Option<WireKey>,
}

/// [`Store::commit`](larder_store::Store::commit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// A random name of this commit. A server that has seen it repeats its answer, so a commit whose answer was lost can
    /// be sent again.
    pub id: u128,
    /// The changes.
    pub changes: Vec<WireChange>,
}

/// The answer to [`Commit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CommitAnswer {
    /// [`Committed::All`].
    All,
    /// [`Committed::Conflict`].
    Conflict {
        /// The index of the change whose precondition failed.
        at: usize,
        /// The number of changes, from the first, that stand.
        made: usize,
    },
}

impl From<Committed> for CommitAnswer {
    fn from(committed: Committed) -> Self {
        match committed {
            Committed::All => Self::All,
            Committed::Conflict { at, made } => Self::Conflict { at, made },
        }
    }
}

impl From<CommitAnswer> for Committed {
    fn from(answer: CommitAnswer) -> Self {
        match answer {
            CommitAnswer::All => Self::All,
            CommitAnswer::Conflict { at, made } => Self::Conflict { at, made },
        }
    }
}

/// [`Store::stat_blobs`](larder_store::Store::stat_blobs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatBlobs {
    /// The digests.
    pub digests: Vec<WireDigest>,
}

/// The answer to [`StatBlobs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobSizes {
    /// The size of each blob, in the order of the request.
    pub sizes: Vec<Option<u64>>,
}

/// [`Store::list_blobs`](larder_store::Store::list_blobs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListBlobs {
    /// The last digest of the page before.
    pub after: Option<WireDigest>,
    /// Maximum number of blobs.
    pub limit: usize,
}

/// The answer to [`ListBlobs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedBlobs {
    /// Digests and sizes.
    pub blobs: Vec<(WireDigest, u64)>,
}

/// [`Store::read_blobs`](larder_store::Store::read_blobs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadBlobs {
    /// The digests.
    pub digests: Vec<WireDigest>,
}

/// The answer to [`ReadBlobs`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoundBlobs {
    /// The blobs of the first digests: of all of them, or of as many as the budget of an answer holds, at least of one.
    pub blobs: Vec<Option<FoundBlob>>,
}

/// A blob in an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBlob {
    /// The content of a small blob.
    Bytes(Bytes),
    /// The size of a large one, which is read by `GET`.
    Size(u64),
}

/// [`Store::remove_blobs`](larder_store::Store::remove_blobs).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveBlobs {
    /// The digests.
    pub digests: Vec<WireDigest>,
}

/// The answer of a request that has nothing to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {}

/// [`Store::remove_unfinished`](larder_store::Store::remove_unfinished).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoveUnfinished {
    /// Minimum age in milliseconds.
    pub older_than: u64,
}

/// The answer to [`RemoveUnfinished`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemovedUnfinished {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Request for GetRecords {
    const ROUTE: &'static str = "/store/v1/records/get";
    type Answer = GotRecords;

    fn check(&self) -> Result<(), String> {
        at_most(self.keys.len(), MAX_ITEMS, "keys")
    }
}

impl Request for ListRecords {
    const ROUTE: &'static str = "/store/v1/records/list";
    type Answer = ListedRecords;

    fn check(&self) -> Result<(), String> {
        at_most(self.limit, MAX_ITEMS, "records in a page")?;
        at_most(self.prefix.len(), MAX_PREFIX, "bytes in a prefix")
    }
}

impl Request for Commit {
    const ROUTE: &'static str = "/store/v1/commit";
    type Answer = CommitAnswer;

    fn check(&self) -> Result<(), String> {
        at_most(self.changes.len(), MAX_CHANGES, "changes in a commit")
    }
}

impl Request for StatBlobs {
    const ROUTE: &'static str = "/store/v1/blobs/stat";
    type Answer = BlobSizes;

    fn check(&self) -> Result<(), String> {
        at_most(self.digests.len(), MAX_ITEMS, "digests")
    }
}

impl Request for ListBlobs {
    const ROUTE: &'static str = "/store/v1/blobs/list";
    type Answer = ListedBlobs;

    fn check(&self) -> Result<(), String> {
        at_most(self.limit, MAX_ITEMS, "blobs in a page")
    }
}

impl Request for ReadBlobs {
    const ROUTE: &'static str = "/store/v1/blobs/read";
    type Answer = FoundBlobs;

    fn check(&self) -> Result<(), String> {
        at_most(self.digests.len(), MAX_ITEMS, "digests")
    }
}

impl Request for RemoveBlobs {
    const ROUTE: &'static str = "/store/v1/blobs/remove";
    type Answer = Done;

    fn check(&self) -> Result<(), String> {
        at_most(self.digests.len(), MAX_ITEMS, "digests")
    }
}

impl Request for RemoveUnfinished {
    const ROUTE: &'static str = "/store/v1/unfinished/remove";
    type Answer = RemovedUnfinished;

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

fn at_most(count: usize, most: usize, what: &str) -> Result<(), String> {
    match count <= most {
        true => Ok(()),
        false => Err(format!("there are {count} {what}; the maximum is {most}")),
    }
}
