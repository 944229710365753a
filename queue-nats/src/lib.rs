//! Job queue of [Larder](https://docs.rs/larder) on [NATS JetStream](https://docs.nats.io), at `nats://HOST:4222`.
//!
//! Delivers job ids to workers on many machines without polling. The state of a job is its record in the larder.
//!
//! ```no_run
//! # fn main() -> larder_core::Result<()> {
//! use std::sync::Arc;
//!
//! use larder_core::Registry;
//! use larder_jobs::{LarderJobs, Worker};
//! use larder_queue_nats::NatsQueue;
//!
//! let queue = Arc::new(NatsQueue::open(&"nats://queue.example:4222?stream=wine".parse()?)?);
//! let larder = Registry::linked()?.open("postgres://db.example/larder")?.with_queue(queue);
//! Worker::new(&larder).concurrency(4).run(|| false)?; // on any number of machines
//! # Ok(())
//! # }
//! ```
//!
//! | option | meaning |
//! | --- | --- |
//! | `stream` | stream of the ids, created if missing; default `larder`. Use one per larder |
//! | `ack_wait` | time without a report of the worker after which a job is redelivered; default `30s` |
//! | `replicas` | number of servers that keep the stream; default 1 |
//! | `tls` | `required` rejects connections without TLS, as does the scheme `tls://` |
//! | `ca` | file with the CA certificates of the servers |
//! | `credentials` | NATS credentials file |
//! | `token` | token; never shown |
//!
//! A user and a password precede `@` and are never shown: `nats://ann:secret@queue.example`. Servers of a cluster are
//! separated by commas.
//!
//! # Durability
//!
//! NATS acknowledges a message before it is synced to disk (`sync_interval`, two minutes by default), so a power failure may
//! lose ids, but never jobs: every ten seconds, workers search the larder for unclaimed jobs and submit them again. A
//! duplicate id is claimed once. An id of another larder is dropped and submitted again by its own workers.

mod config;
mod queue;
mod receipt;

pub use async_nats;
pub use queue::NatsQueue;

use std::sync::Arc;

use larder_core::link;
use larder_jobs::queue;

link!(queue("nats", |url| Ok(Arc::new(NatsQueue::open(url)?))));
link!(queue("tls", |url| Ok(Arc::new(NatsQueue::open(url)?))));
