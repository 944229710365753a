//! A [Larder](https://docs.rs/larder) queue on [NATS JetStream](https://docs.nats.io), at `nats://HOST:4222`.
//!
//! It brings the ids of jobs to workers on many machines, at once, and from nobody's polling. It carries ids and
//! nothing else: what a job is and how far it is stands in its record in the larder.
//!
//! ```no_run
//! # fn main() -> larder_core::Result<()> {
//! use std::sync::Arc;
//!
//! use larder_core::{Registry, Worker};
//! use larder_queue_nats::NatsQueue;
//!
//! let queue = Arc::new(NatsQueue::open(&"nats://queue.example:4222?stream=wine".parse()?)?);
//! let larder = Registry::linked()?.open("postgres://shelf/larder")?.with_executor(queue);
//! Worker::new(&larder).concurrency(4).run(|| false)?; // on as many machines as you like
//! # Ok(())
//! # }
//! ```
//!
//! | option | means |
//! | --- | --- |
//! | `stream` | the stream that holds the ids, made if it is not there; `larder` if nothing is said. A larder has one of its own |
//! | `ack_wait` | after how long without a word of its worker a job is brought to another; `30s` |
//! | `replicas` | on how many servers of a cluster the stream is kept; 1 |
//! | `tls` | `required`: never without TLS. `tls://` as the scheme says the same |
//! | `ca` | a file with the certificates that a server's may be signed by |
//! | `credentials` | a file of NATS's own with a token and a key |
//! | `token` | a token; not shown |
//!
//! A user and a password stand before an `@`, and are not shown: `nats://ann:secret@queue.example`. Several servers of a
//! cluster are joined by commas.
//!
//! # What may be lost
//!
//! A server says that it has a message before the disk has it, and syncs every two minutes unless its `sync_interval` says
//! otherwise; a loss of power may take ids along. None of that loses a job. Workers look into the larder every ten seconds, and
//! submit again what is there and nobody has; an id that comes twice is claimed once. So a queue that is wiped, restarted or
//! slow costs time and nothing else. An id that belongs to another larder is dropped, and found again in the same way: that is
//! why each larder better has a stream of its own.

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
