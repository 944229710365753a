//! The state of a deployment on one server.

use larder_core::store::Timestamp;
use larder_core::{Identifier, Reference, VersionInfo};

/// A deployment on this server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeploymentStatus {
    /// Its name.
    pub name: Identifier,
    /// The reference to serve.
    pub reference: Option<Reference>,
    /// The version that serves.
    pub serving: Option<VersionStatus>,
    /// True if a version serves.
    pub is_ready: bool,
    /// Why the version that is to be served does not serve.
    pub reason: Option<String>,
    /// The version that gets a share of the requests.
    pub canary: Option<CanaryStatus>,
}

/// A version that serves on this server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct VersionStatus {
    /// The version.
    pub version: VersionInfo,
    /// Since when.
    pub since: Timestamp,
    /// The requests that it answered, or failed to, since it serves.
    pub requests: u64,
    /// The number of failed requests.
    pub failures: u64,
}

/// A canary on this server.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CanaryStatus {
    /// The version, once it is loaded.
    pub version: Option<VersionStatus>,
    /// Its share of the requests.
    pub share: f64,
    /// Why it gets none.
    pub reason: Option<String>,
}
