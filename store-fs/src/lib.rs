//! A [Larder](https://docs.rs/larder) store in a folder that a person can read, at `fs:PATH`, or `file:///PATH`.
//!
//! ```text
//! larder/
//!   larder.json                       says what this folder is
//!   lock                              held by whoever commits
//!   blobs/1f/1f2e…                    one blob, read-only: a manifest (JSON) or an artifact
//!   records/names/wine.json           one record, JSON
//!   records/versions/wine/@0000000001.json
//!   tmp/                              records that are being written
//! ```
//!
//! Many processes may use the folder at once: whoever commits holds a lock on the file `lock`, and every
//! file appears by renaming, so that readers need no lock. The folder must be on a file system whose
//! advisory locks work between all those processes; network file systems often lack them.

mod layout;
mod marker;
mod store;

pub use layout::{key_at, record_path};
pub use marker::marker;
pub use store::FsStore;

use std::path::PathBuf;
use std::sync::Arc;

use larder_core::store::files::is_nothing;
use larder_core::{Item, Result, StoreUrl, link};

link!(
    Item::store("fs", |url| {
        url.allow_options(&[])?;
        Ok(Arc::new(FsStore::open(url.path()?)?))
    })
    .probed(|url| Ok(!is_nothing(url.path()?)))
);

link!(
    Item::store("file", |url| {
        url.allow_options(&[])?;
        Ok(Arc::new(FsStore::open(&path_of(url)?)?))
    })
    .probed(|url| Ok(!is_nothing(&path_of(url)?)))
);

/// The path of a URL such as `file:///home/ann/my%20models`, by RFC 8089.
fn path_of(url: &StoreUrl) -> Result<PathBuf> {
    let path = match url.rest().strip_prefix("//") {
        Some(place) => place.strip_prefix("localhost").unwrap_or(place),
        None => url.rest(),
    };
    if !path.starts_with('/') {
        return Err(url.refused("it is written `file:///PATH`; `fs:PATH` is from where you are"));
    }
    Ok(StoreUrl::decode(path)?.into())
}
