//! A [Larder](https://docs.rs/larder) over HTTP: what a server of Larder serves, as a store and as models.
//!
//! The store is at `https://HOST/PATH`, where `PATH` is empty or the prefix under which a reverse proxy serves the larder.
//! The server holds the records and blobs in a store of its own, and checks every change.
//!
//! | option | meaning |
//! | --- | --- |
//! | `ca` | a file of certificates (PEM) to trust instead of the system's |
//! | `timeout` | how long the server may be silent, by default `60s` |
//! | `retries` | number of retries after a transient failure, by default 7: about ten seconds |
//! | `insecure` | `true` allows `http://` to another machine |
//!
//! The token is the variable `LARDER_TOKEN`, else the one that [`tokens`] keeps for the server. It is sent to that server
//! only: redirects are refused. A URL holds no token.
//!
//! ```no_run
//! # fn main() -> larder_store::Result<()> {
//! use larder_store_http::HttpStore;
//!
//! let store = HttpStore::open(&"https://larder.example.com/team?ca=ca.pem".parse()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! To keep memory small, blobs above 1 MiB that are being encoded or loaded pass through an unnamed file in the system's
//! temporary folder (`TMPDIR`). Copies do not: a local file is sent from where it is, and a fetched blob is passed on piece
//! by piece. Blobs are sent and fetched as one stream, which continues where a connection was cut.

pub mod protocol;

#[cfg(feature = "client")]
mod blobs;
#[cfg(feature = "client")]
mod config;
#[cfg(feature = "client")]
mod connection;
#[cfg(feature = "client")]
pub mod endpoint;
#[cfg(feature = "client")]
mod failure;
#[cfg(feature = "client")]
pub mod login;
#[cfg(feature = "client")]
mod records;
#[cfg(feature = "client")]
mod source;
#[cfg(feature = "client")]
mod store;
#[cfg(feature = "client")]
mod tls;
#[cfg(feature = "client")]
pub mod tokens;
#[cfg(feature = "client")]
mod writer;

#[cfg(feature = "client")]
pub use endpoint::Endpoint;
#[cfg(feature = "client")]
pub use store::HttpStore;

#[cfg(feature = "client")]
mod linked {
    use std::sync::Arc;

    use larder_store::{Scheme, link};

    use crate::HttpStore;

    link!(Scheme::new("http", |url| Ok(Arc::new(HttpStore::open(url)?))));
    link!(Scheme::new("https", |url| Ok(Arc::new(HttpStore::open(url)?))));
}
