//! A [Larder](https://docs.rs/larder) store in a Postgres database, at `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
//!
//! Many machines may use it at once: a commit is one transaction. All is in one schema, `larder`, which is made
//! where it is not there, so the database may hold other things beside it. Postgres 10 or later.
//!
//! ```sh
//! psql models -c "select key, value from larder.records order by key"
//! ```
//!
//! | option | |
//! | --- | --- |
//! | `schema` | the schema; `larder` |
//! | `pool` | how many connections one handle has at most; 8 |
//! | `retries` | how often something is tried again that failed for a reason that may pass; 7, about ten seconds |
//! | `sslmode` | `disable`; `prefer`, TLS if the server has it, which is the default; `require`; `verify-full`, TLS and a certificate of that host |
//! | `sslrootcert` | with `verify-full`: a file of the certificates that are trusted (PEM), instead of the system's |
//! | `host` | the folder of the server's socket, for a URL without a host: `postgres:///models?host=/var/run/postgresql` |
//!
//! In user, password and database `%3F` stands for `?`, `%40` for `@` and so on. What the URL does not say of user and
//! password, `PGUSER` and `PGPASSWORD` do.
//!
//! ```no_run
//! # fn main() -> larder_core::Result<()> {
//! use larder_store_postgres::PostgresStore;
//!
//! let store = PostgresStore::open(&"postgres://ann@shelf/models?sslmode=verify-full".parse()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Blobs are rows too. That is good for many small ones: they are in the same backup, and in the same transaction. Where
//! models have gigabytes, let the database keep the records and a bucket or a folder the blobs:
//! `postgres://ann@shelf/models?blobs=s3://models/blobs`.

mod blobs;
mod commit;
mod config;
mod failure;
mod pool;
mod records;
mod schema;
mod store;
mod tls;
mod writer;

pub use store::PostgresStore;

use std::sync::Arc;

use larder_core::{Item, link};

link!(
    Item::store("postgres", |url| Ok(Arc::new(PostgresStore::open(url)?)))
        .probed(PostgresStore::is_there)
);
link!(
    Item::store("postgresql", |url| Ok(Arc::new(PostgresStore::open(url)?)))
        .probed(PostgresStore::is_there)
);
