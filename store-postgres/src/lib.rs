//! A [Larder](https://docs.rs/larder) store in a Postgres database, at `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
//!
//! Many machines may use it at once: a commit is one transaction. All tables are in one schema, by default `larder`, which
//! is created if it is missing. The database may contain other schemas. Requires Postgres 10 or later.
//!
//! ```sh
//! psql models -c "select key, value from larder.records order by key"
//! ```
//!
//! | option | |
//! | --- | --- |
//! | `schema` | the schema, by default `larder` |
//! | `pool` | the maximum number of connections of one handle, by default 8 |
//! | `retries` | the number of retries after a transient failure, by default 7, about ten seconds |
//! | `sslmode` | `disable`; `prefer`, the default: TLS if the server supports it; `require`; `verify-full`: TLS with a trusted certificate of the host |
//! | `sslrootcert` | with `verify-full`: a PEM file of trusted certificates, instead of the system's |
//! | `host` | the folder of the Unix socket, for a URL without a host: `postgres:///models?host=/var/run/postgresql` |
//!
//! User, password and database are percent-encoded: `%3F` for `?`, `%40` for `@`. `PGUSER` and `PGPASSWORD` are used if the
//! URL has no user or password.
//!
//! ```no_run
//! # fn main() -> larder_store::Result<()> {
//! use larder_store_postgres::PostgresStore;
//!
//! let store = PostgresStore::open(&"postgres://ann@db.example.com/models?sslmode=verify-full".parse()?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Blobs are rows too, which suits many small ones: they share the backup and the transactions. For models of several
//! gigabytes, keep only the records in the database, and the blobs in a bucket or folder:
//! `postgres://ann@db.example.com/models?blobs=s3://models/blobs`.

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

use larder_store::{Scheme, link};

link!(
    Scheme::new("postgres", |url| Ok(Arc::new(PostgresStore::open(url)?)))
        .probed(PostgresStore::is_there)
);
link!(
    Scheme::new("postgresql", |url| Ok(Arc::new(PostgresStore::open(url)?)))
        .probed(PostgresStore::is_there)
);
