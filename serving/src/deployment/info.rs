//! Deployments, as callers see them.

use std::time::Duration;

use larder_core::store::{Digest, Timestamp, VersionNumber};
use larder_core::{Identifier, Reference, Selector};
use serde::{Serialize, Serializer};

use super::record::{CanaryRecord, DeploymentRecord, EventKind, EventRecord, ServingRecord};

/// A server says that it serves at least once in this time.
pub(crate) const BEAT: Duration = Duration::from_secs(60);

/// A deployment: a name under which servers serve a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeploymentInfo {
    /// Its name.
    pub name: Identifier,
    /// The reference to serve: a tag or a name is followed.
    #[serde(serialize_with = "text")]
    pub reference: Reference,
    /// When it was first deployed.
    pub created: Timestamp,
    /// When somebody last changed what is to be served.
    pub changed: Timestamp,
    /// The author of that change.
    pub by: Option<String>,
    /// True if a version with another signature may take over.
    pub allow_signature_change: bool,
    /// The version that serves, once a server has said so.
    pub serving: Option<ServingInfo>,
    /// The version that gets a share of the requests.
    pub canary: Option<CanaryInfo>,
    /// The history, oldest first.
    pub events: Vec<DeploymentEvent>,
}

/// The version that serves.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServingInfo {
    /// The name of the version.
    pub name: Identifier,
    /// Its number.
    pub version: VersionNumber,
    /// The digest of its manifest.
    pub digest: Digest,
    /// Since when it serves.
    pub since: Timestamp,
    /// When a server last said so; servers do at least once a minute.
    pub seen: Timestamp,
}

impl ServingInfo {
    /// Returns the reference to exactly this version.
    pub fn reference(&self) -> Reference {
        Reference::new(self.name.clone(), Selector::Version(self.version))
    }

    /// Returns whether a server said so lately.
    pub fn is_alive(&self, now: Timestamp) -> bool {
        let age = now.as_system_time().duration_since(self.seen.as_system_time());
        age.map_or(true, |age| age < BEAT * 5 / 2)
    }
}

/// A canary and its rules.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CanaryInfo {
    /// The version.
    #[serde(serialize_with = "text")]
    pub reference: Reference,
    /// Its share of the requests, from 0 to 1.
    pub share: f64,
    /// Seconds before each verdict.
    #[serde(serialize_with = "seconds")]
    pub interval: Duration,
    /// The number of requests on one server without which there is no verdict.
    pub min_requests: u64,
    /// The share of its requests that may fail.
    pub max_error_rate: f64,
    /// The seconds within which it must answer 90 % of its requests.
    #[serde(serialize_with = "some_seconds")]
    pub max_p90: Option<Duration>,
    /// When it was deployed.
    pub since: Timestamp,
}

/// Something that happened to a deployment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DeploymentEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: EventKind,
    /// The name of the version.
    pub name: Identifier,
    /// Its number.
    pub version: VersionNumber,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The author, if a person did it.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl DeploymentInfo {
    pub(crate) fn new(name: Identifier, record: DeploymentRecord) -> Self {
        Self {
            name,
            reference: record.reference,
            created: record.created,
            changed: record.changed,
            by: record.by,
            allow_signature_change: record.allow_signature_change,
            serving: record.serving.map(Into::into),
            canary: record.canary.map(Into::into),
            events: record.events.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<ServingRecord> for ServingInfo {
    fn from(it: ServingRecord) -> Self {
        let ServingRecord { name, version, manifest: digest, since, seen, .. } = it;
        Self { name, version, digest, since, seen }
    }
}

impl From<CanaryRecord> for CanaryInfo {
    fn from(it: CanaryRecord) -> Self {
        Self {
            interval: it.interval(),
            max_p90: it.max_p90(),
            reference: it.reference,
            share: it.share,
            min_requests: it.min_requests,
            max_error_rate: it.max_error_rate,
            since: it.since,
        }
    }
}

impl From<EventRecord> for DeploymentEvent {
    fn from(it: EventRecord) -> Self {
        let EventRecord { at, event, name, version, manifest: digest, by, reason } = it;
        Self { at, event, name, version, digest, by, reason }
    }
}

fn text<S: Serializer>(reference: &Reference, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reference)
}

fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

fn some_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
