//! `deployments/NAME`.

use std::time::Duration;

use larder_core::record::{FORMAT, misnamed};
use larder_core::store::{Digest, RecordKey, Timestamp, VersionNumber};
use larder_core::{Identifier, Reference, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The prefix of the keys of deployments.
pub const DEPLOYMENTS: &str = "deployments/";
/// Maximum number of events of a record; the oldest are dropped.
const MOST_EVENTS: usize = 50;
/// Maximum bytes of a reason.
const MOST_REASON: usize = 1_000;

/// `deployments/NAME`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeploymentRecord {
    larder: u64,
    /// The reference to serve.
    #[serde(with = "text")]
    pub(crate) reference: Reference,
    /// When it was first deployed.
    pub(crate) created: Timestamp,
    /// When what is to be served was last changed by a person.
    pub(crate) changed: Timestamp,
    /// The author of that change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    /// True if a version with another signature may take over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_signature_change: bool,
    /// The version that gets a share of the requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) canary: Option<CanaryRecord>,
    /// The version that serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) serving: Option<ServingRecord>,
    /// The history, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<EventRecord>,
}

/// A canary, with its rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CanaryRecord {
    #[serde(with = "text")]
    pub(crate) reference: Reference,
    /// From 0 to 1.
    pub(crate) share: f64,
    /// Milliseconds before each verdict.
    pub(crate) interval: u64,
    /// Requests without which there is no verdict.
    pub(crate) min_requests: u64,
    /// From 0 to 1.
    pub(crate) max_error_rate: f64,
    /// Microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_p90: Option<u64>,
    /// When it was deployed.
    pub(crate) since: Timestamp,
}

/// The version that serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServingRecord {
    pub(crate) name: Identifier,
    pub(crate) version: VersionNumber,
    pub(crate) manifest: Digest,
    /// The digest of its signature.
    pub(crate) signature: Digest,
    pub(crate) since: Timestamp,
    /// When a server last said so.
    pub(crate) seen: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventRecord {
    pub(crate) at: Timestamp,
    pub(crate) event: EventKind,
    pub(crate) name: Identifier,
    pub(crate) version: VersionNumber,
    pub(crate) manifest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// The kind of an event of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// Somebody changed what is to be served.
    Deployed,
    /// A version took over.
    Serving,
    /// A version was refused.
    Refused,
    /// A version could not be loaded or warmed up.
    Failed,
    /// The canary took over.
    Promoted,
    /// The canary was given up.
    RolledBack,
}

impl std::fmt::Display for EventKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deployed => "deployed",
            Self::Serving => "serving",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled back",
        })
    }
}

larder_core::store::documents!(DeploymentRecord: fault);

fn fault(record: &DeploymentRecord, _: &RecordKey) -> Option<&'static str> {
    let is_share = |share: f64| (0.0..=1.0).contains(&share);
    match &record.canary {
        Some(canary) if !is_share(canary.share) => Some("its `share` is not from 0 to 1"),
        Some(canary) if !is_share(canary.max_error_rate) => {
            Some("its `max_error_rate` is not from 0 to 1")
        }
        _ => None,
    }
}

impl DeploymentRecord {
    pub(crate) fn new(reference: Reference, at: Timestamp) -> Self {
        Self {
            larder: FORMAT,
            reference,
            created: at,
            changed: at,
            by: None,
            allow_signature_change: false,
            canary: None,
            serving: None,
            events: Vec::new(),
        }
    }

    /// Adds an event; the oldest go.
    pub(crate) fn add(&mut self, mut event: EventRecord) {
        event.reason = event.reason.map(|reason| shortened(&reason));
        self.events.push(event);
        let over = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..over);
    }

    /// Returns the event of a version since what is to be served was changed.
    pub(crate) fn event_of(&self, kind: EventKind, manifest: &Digest) -> Option<&EventRecord> {
        self.events.iter().rev().find(|event| {
            event.event == kind && event.manifest == *manifest && event.at >= self.changed
        })
    }
}

impl CanaryRecord {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.interval)
    }

    pub(crate) fn max_p90(&self) -> Option<Duration> {
        self.max_p90.map(Duration::from_micros)
    }

    /// Returns whether it asks for the same, whenever it was deployed.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        *self == Self { since: self.since, ..other.clone() }
    }
}

fn shortened(text: &str) -> String {
    if text.len() <= MOST_REASON {
        return text.to_owned();
    }
    let mut end = MOST_REASON - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

/// The key of the record of a deployment.
pub(crate) fn key_of(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{DEPLOYMENTS}{name}"))
}

/// The name in the key of a deployment.
pub(super) fn name_in(key: &RecordKey) -> Result<Identifier> {
    let name = key.as_str().strip_prefix(DEPLOYMENTS).unwrap_or_default();
    Identifier::new(name).map_err(|_| misnamed(key, "its key is no identifier"))
}

/// References as text.
mod text {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        reference: &Reference,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(reference)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Reference, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
