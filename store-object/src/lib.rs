//! A [Larder](https://docs.rs/larder) store in a bucket, at `s3://BUCKET/PREFIX`, `gs://` and `az://`.
//!
//! ```text
//! PREFIX/larder.json                            the kind of store and its format
//! PREFIX/blobs/1f/1f2e…                         one blob: a manifest (JSON) or an artifact
//! PREFIX/records/versions/wine/@0000000001      one record, JSON
//! ```
//!
//! Many machines may use it at once. There is no lock: each record is written on a condition
//! (`If-None-Match`, `If-Match`), and opening a service that ignores conditions fails.
//!
//! The endpoint and credentials are read from the environment, under the names used by the tools of each service
//! (`AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID` …; `GOOGLE_…`; `AZURE_…`), or from options of the URL,
//! which take precedence. Values of options are not escaped:
//!
//! | scheme | options | secret options, never printed |
//! | --- | --- | --- |
//! | `s3` | `endpoint`, `region`, `virtual_hosted`, `anonymous` | `access_key_id`, `secret_access_key`, `session_token` |
//! | `gs` | `endpoint`, `service_account` (a file), `anonymous` | |
//! | `az` | `endpoint`, `account`, `anonymous` | `access_key` |
//! | all | `retries`: number of retries after a transient failure, by default 7 | |
//!
//! An endpoint that begins with `http://`, of the URL or of the environment (`AWS_ENDPOINT_URL`), is used without TLS.
//!
//! ```no_run
//! # fn main() -> larder_store::Result<()> {
//! use larder_store_object::BucketStore;
//!
//! let url = "s3://models/team?endpoint=http://127.0.0.1:9000&region=eu-central-1".parse()?;
//! let store = BucketStore::open(&url)?;
//! # Ok(())
//! # }
//! ```
//!
//! To keep memory small, blobs above 1 MiB that are being encoded and blobs above 8 MiB that are loaded pass through an
//! unnamed file in the system's temporary folder (`TMPDIR`). Copies do not: a local file is sent from where it is, and
//! a fetched blob is passed on part by part.

mod blobs;
mod bucket;
mod config;
mod failure;
mod marker;
mod records;
mod source;
mod store;
mod writer;

pub use object_store;
pub use store::BucketStore;

use std::sync::Arc;

use larder_store::{Scheme, link};

link!(Scheme::new("s3", |url| Ok(Arc::new(BucketStore::open(url)?))).probed(BucketStore::is_there));
link!(Scheme::new("gs", |url| Ok(Arc::new(BucketStore::open(url)?))).probed(BucketStore::is_there));
link!(Scheme::new("az", |url| Ok(Arc::new(BucketStore::open(url)?))).probed(BucketStore::is_there));
