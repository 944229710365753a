//! A [Larder](https://docs.rs/larder) store in a folder of plain files, at `fs:PATH` or `file:///PATH`.
//!
//! ```text
//! larder/
//!   larder.json                       the kind of store and its format
//!   lock                              locked during a commit
//!   blobs/1f/1f2e…                    one blob, read-only: a manifest (JSON) or an artifact
//!   records/names/wine.json           one record, JSON
//!   records/versions/wine/@0000000001.json
//!   tmp/                              records being written
//! ```
//!
//! Many processes may use the folder at once. A commit holds an advisory lock on the file `lock`; every file
//! appears by renaming, so reading one needs no lock. The file system must support advisory locks between all these
//! processes, which network file systems often do not.

mod layout;
mod marker;
mod store;

pub use layout::{key_at, record_path};
pub use marker::marker;
pub use store::FsStore;

use std::path::PathBuf;
use std::sync::Arc;

use larder_store::files::is_nothing;
use larder_store::{Result, Scheme, StoreUrl, link};

link!(
    Scheme::new("fs", |url| {
        url.allow_options(&[])?;
        Ok(Arc::new(FsStore::open(url.path()?)?))
    })
    .probed(|url| Ok(!is_nothing(url.path()?)))
);

link!(
    Scheme::new("file", |url| {
        url.allow_options(&[])?;
        Ok(Arc::new(FsStore::open(&path_of(url)?)?))
    })
    .probed(|url| Ok(!is_nothing(&path_of(url)?)))
);

/// Returns the path of a URL such as `file:///home/ann/my%20models`, by RFC 8089.
fn path_of(url: &StoreUrl) -> Result<PathBuf> {
    let path = match url.rest().strip_prefix("//") {
        Some(place) => place.strip_prefix("localhost").unwrap_or(place),
        None => url.rest(),
    };
    if !path.starts_with('/') {
        return Err(
            url.refused("a file URL is written `file:///PATH`; for a relative path use `fs:PATH`")
        );
    }
    Ok(StoreUrl::decode(path)?.into())
}
