//! Serving models of Larder: everything but HTTP.
//!
//! - [`Serving`] predicts: a [`ModelPool`] keeps models loaded by use within a memory bound; workers, one per core and
//!   shared by all models, run requests, and merge those that wait while all are busy.
//!
//! Threads only; a request can be [awaited](Pending) from an async program without blocking it.

#![forbid(unsafe_code)]

mod arm;
mod engine;
mod error;
mod job;
mod loaded;
mod merge;
mod metrics;
mod options;
mod pace;
mod pending;
mod pool;
mod request;
mod serving;

pub use crate::arm::ArmStats;
pub use crate::error::{ServeError, ServeResult};
pub use crate::loaded::LoadedModel;
pub use crate::metrics::{Histogram, HistogramSnapshot, ModelMetrics, Outcome};
pub use crate::options::ServingOptions;
pub use crate::pending::{Pending, Ticket};
pub use crate::pool::ModelPool;
pub use crate::request::{Answer, Call, Input, Output, Request};
pub use crate::serving::Serving;
