//! A [Larder](https://docs.rs/larder) store in one SQLite file, at `sqlite:PATH`.
//!
//! Records and small blobs are rows. Blobs above 64 KiB are files in the folder `PATH.blobs`, which is created with
//! the first of them. The database is in WAL mode with `synchronous = FULL`: a commit is one transaction and one
//! sync. Many processes on one machine may use it at once.
//!
//! ```sh
//! sqlite3 larder.db "select key, value from records order by key"
//! ```

mod connect;
mod readers;
mod schema;
mod store;

pub use store::SqliteStore;

use std::sync::Arc;

use larder_store::files::is_nothing;
use larder_store::{Scheme, link};

link!(
    Scheme::new("sqlite", |url| {
        url.allow_options(&[])?;
        Ok(Arc::new(SqliteStore::open(url.path()?)?))
    })
    .probed(|url| Ok(!is_nothing(url.path()?)))
);
