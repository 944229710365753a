//! A [Larder](https://docs.rs/larder) store in an SQLite file, with a folder for large blobs, at `sqlite:PATH`.
//!
//! Records and small blobs are rows. Blobs above 64 KiB are files in the folder `PATH.blobs`, which is created with
//! the first of them and belongs to the larder like the file; with the option `inline` (`sqlite:PATH?inline=100MB`),
//! blobs up to that size are rows. The database is in WAL mode with `synchronous = FULL`: a commit is one transaction and one
//! sync. Many processes on one machine may use it at once.
//!
//! ```sh
//! sqlite3 larder.db "select key, value from records order by key"
//! ```

mod connect;
mod database;
mod outside;
mod place;
mod reader;
mod readers;
mod row;
mod schema;
mod store;

pub use store::SqliteStore;

use std::sync::Arc;

use larder_store::files::is_nothing;
use larder_store::{Result, Scheme, StoreUrl, link, parse_size};

/// The option of a URL for [`SqliteStore::with_inline`].
const INLINE: &str = "inline";

link!(
    Scheme::new("sqlite", |url| {
        let inline = inline(url)?;
        let store = SqliteStore::open(url.path()?)?;
        Ok(Arc::new(match inline {
            Some(bytes) => store.with_inline(bytes)?,
            None => store,
        }))
    })
    .probed(|url| Ok(!is_nothing(url.path()?) && !schema::is_blank(url.path()?)))
);

/// Returns the value of the option `inline`.
fn inline(url: &StoreUrl) -> Result<Option<u64>> {
    url.allow_options(&[INLINE])?;
    let Some(text) = url.option(INLINE) else { return Ok(None) };
    match parse_size(text).filter(|bytes| store::is_inline(*bytes)) {
        Some(bytes) => Ok(Some(bytes)),
        None => {
            Err(url.refused("the option `inline` is a size from 64KiB to 999MB, such as `100MB`"))
        }
    }
}
