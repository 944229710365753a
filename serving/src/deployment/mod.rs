//! Deployments as records: what serves under a name.

mod info;
mod kinds;
mod manage;
mod options;
mod record;
mod signature;

pub use info::{CanaryInfo, DeploymentEvent, DeploymentInfo, ServingInfo};
pub use manage::{DeployOutcome, Deployed, LarderDeployments};
pub use options::{CanaryOptions, DeployOptions};
pub use record::{DEPLOYMENTS, EventKind};

pub(crate) use info::BEAT;
pub(crate) use manage::{other_signature, read_each};
pub(crate) use record::{CanaryRecord, DeploymentRecord, EventRecord, ServingRecord, key_of};
pub(crate) use signature::digest_of;
