//! Serving models of Larder: everything but HTTP.
//!
//! - [`Serving`] predicts: a [`ModelPool`] keeps models loaded by use within a memory bound; workers, one per core and
//!   shared by all models, run requests, and merge those that wait while all are busy.
//! - [`LarderDeployments`] adds deployments to a larder, as records; a [`Deployer`] serves them: it follows their tags,
//!   checks and warms up new versions, and judges canaries.
//!
//! Threads only; a request can be [awaited](Pending) from an async program without blocking it.

#![forbid(unsafe_code)]

mod arm;
mod deployer;
mod deployment;
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
pub use crate::deployer::{
    CanaryStatus, Deployer, DeploymentStatus, Endpoint, Route, VersionStatus,
};
pub use crate::deployment::{
    CanaryInfo, CanaryOptions, DEPLOYMENTS, DeployOptions, DeployOutcome, Deployed,
    DeploymentEvent, DeploymentInfo, EventKind, LarderDeployments, ServingInfo,
};
pub use crate::error::{ServeError, ServeResult};
pub use crate::loaded::LoadedModel;
pub use crate::metrics::{Histogram, HistogramSnapshot, ModelMetrics, Outcome};
pub use crate::options::ServingOptions;
pub use crate::pending::{Pending, Ticket};
pub use crate::pool::ModelPool;
pub use crate::request::{Answer, Call, Input, Output, Request};
pub use crate::serving::Serving;
