//! Stores of Larder: where blobs and records are kept.
//!
//! This crate is all that a store needs: the trait [`Store`], records and their keys, digests, URLs and
//! errors. It also has the stores that need no service: [`MemoryStore`], [`Composite`], which keeps blobs in
//! another store than records, and, with the feature `files`, [`Cached`].
//!
//! A store in a crate of its own announces itself by [`link!`]:
//!
//! ```
//! use std::sync::Arc;
//! use larder_store::{MemoryStore, Scheme, link};
//!
//! link!(Scheme::new("scratch", |url| {
//!     url.allow_options(&[])?;
//!     Ok(Arc::new(MemoryStore::new()))
//! }));
//! ```

mod blob;
#[cfg(feature = "files")]
mod cached;
mod composite;
mod deferred;
pub mod digest;
pub mod error;
pub mod exclusive;
mod ext;
#[cfg(feature = "files")]
pub mod files;
mod key;
pub mod kind;
pub mod links;
mod memory;
pub mod name;
mod panics;
pub mod record;
#[cfg(feature = "runtime")]
pub mod runtime;
mod scheme;
pub mod size;
mod status;
mod store;
pub mod threads;
pub mod time;
#[cfg(feature = "tls")]
pub mod tls;
pub mod transaction;
pub mod url;

pub use bytes;
#[doc(hidden)]
pub use inventory;

pub use crate::blob::{Blob, BlobSource, BlobWriter};
#[cfg(feature = "files")]
pub use crate::cached::{BlobCache, Cached};
pub use crate::composite::{Composite, refuse_half};
pub use crate::deferred::Deferred;
pub use crate::digest::Digest;
pub use crate::error::{
    Absence, BoxError, Corruption, Error, ItemKind, Remedy, Result, with_causes,
};
pub use crate::ext::{StoreExt, content, copy_verified, verified};
pub use crate::key::RecordKey;
pub use crate::kind::{
    Access, Action, BlobRoot, CopyRule, LinkedKind, ListRoots, RecordKind, RecordLink, ReplaceRule,
    WriterNeeds,
};
pub use crate::links::{Link, for_each_link};
pub use crate::memory::MemoryStore;
pub use crate::name::{EventName, Identifier, TagName, TreePath, TypeTag, VersionNumber};
pub use crate::panics::catch_panic;
pub use crate::scheme::{LinkedScheme, Scheme};
pub use crate::size::parse_size;
pub use crate::status::{BlobCount, Hook, JobStatus};
pub use crate::store::{Capabilities, Change, Committed, Expected, Record, Revision, Store};
pub use crate::time::Timestamp;
pub use crate::transaction::{Backoff, Outcome, Transaction, transact};
pub use crate::url::StoreUrl;

link!(Scheme::new("memory", |url| {
    url.allow_options(&[])?;
    match url.rest() {
        "" => Ok(std::sync::Arc::new(MemoryStore::new())),
        _ => Err(url.refused("a store in memory has no place: write `memory:`")),
    }
}));
