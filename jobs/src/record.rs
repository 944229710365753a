//! The records of jobs: keys and JSON.

mod kinds;

use std::collections::BTreeMap;

use larder_core::record::{self, FORMAT};
use larder_core::store::{
    Corruption, Digest, JobStatus, RecordKey, Timestamp, TypeTag, VersionNumber,
};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// `jobs/NAME/@N/@ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRecord {
    larder: u64,
    pub(crate) status: JobStatus,
    #[serde(rename = "type")]
    pub(crate) type_tag: TypeTag,
    /// The manifest of its version; a different manifest under the same number cancels the job.
    pub(crate) manifest: Digest,
    pub(crate) trigger: String,
    pub(crate) event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Box<RawValue>>,
    /// The ids of its dependencies, by trigger.
    #[serde(
        default,
        deserialize_with = "record::unique",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) depends_on: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    /// The earliest start of the next attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished: Option<Timestamp>,
    /// The number of claims.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempt: u32,
    /// The number of failed attempts.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failures: u32,
    /// The number of expired leases.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) losses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    /// The time of a cancellation request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<ProgressRecord>,
    /// The causes of its status, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) error: Vec<String>,
    /// May be JSON `null`, which differs from no output.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Box<RawValue>>,
}

/// The holder of a job and the expiry of its claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lease {
    pub(crate) holder: String,
    pub(crate) until: Timestamp,
}

/// The progress that a job reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProgressRecord {
    pub(crate) fraction: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
}

/// `queue/@ID-…`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueRecord {
    larder: u64,
    pub(crate) job: JobId,
    pub(crate) created: Timestamp,
}

/// `logs/NAME/@N/@ID/@ATTEMPT-PART`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRecord {
    larder: u64,
    pub(crate) lines: Vec<(Timestamp, String)>,
}

/// `made/NAME/@N/@ID/@K`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedRecord {
    larder: u64,
    pub(crate) version: VersionNumber,
}

/// `cron/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CronRecord {
    larder: u64,
    /// The time up to which schedules were evaluated.
    pub(crate) fired: Timestamp,
}

fn some<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(value).map(Some)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

larder_core::store::documents!(
    JobRecord,
    QueueRecord: queue_fault,
    LogRecord,
    PublishedRecord,
    CronRecord,
);

fn queue_fault(line: &QueueRecord, key: &RecordKey) -> Option<&'static str> {
    let is_own = queue_key(&line.job).is_ok_and(|own| own == *key);
    (!is_own).then_some("its `job` is not the one in its key")
}

impl JobRecord {
    pub(crate) fn new(
        type_tag: TypeTag,
        manifest: Digest,
        trigger: String,
        event: String,
        created: Timestamp,
    ) -> Self {
        Self {
            larder: FORMAT,
            status: JobStatus::Pending,
            type_tag,
            manifest,
            trigger,
            event,
            payload: None,
            depends_on: BTreeMap::new(),
            created,
            not_before: None,
            started: None,
            finished: None,
            attempt: 0,
            failures: 0,
            losses: 0,
            lease: None,
            cancel: None,
            progress: None,
            error: Vec::new(),
            output: None,
        }
    }

    /// Returns `true` if the claim of `holder` is current.
    pub(crate) fn is_held_by(&self, holder: &str) -> bool {
        self.status == JobStatus::Running
            && self.lease.as_ref().is_some_and(|lease| lease.holder == holder)
    }

    /// Resets the job to its state before the first attempt.
    pub(crate) fn reset(self) -> Self {
        let new = Self::new(self.type_tag, self.manifest, self.trigger, self.event, self.created);
        // Attempts go on counting: log keys contain their numbers.
        let attempt = self.attempt;
        Self { payload: self.payload, depends_on: self.depends_on, attempt, ..new }
    }

    /// Finishes the job with `status`.
    pub(crate) fn finish(mut self, status: JobStatus, now: Timestamp, error: Vec<String>) -> Self {
        self.status = status;
        self.finished = Some(now);
        self.error = error;
        (self.lease, self.not_before, self.cancel) = (None, None, None);
        self
    }
}

impl QueueRecord {
    pub(crate) fn new(job: JobId, created: Timestamp) -> Self {
        Self { larder: FORMAT, job, created }
    }
}

impl LogRecord {
    pub(crate) fn new(lines: Vec<(Timestamp, String)>) -> Self {
        Self { larder: FORMAT, lines }
    }
}

impl PublishedRecord {
    pub(crate) fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl CronRecord {
    pub(crate) fn new(fired: Timestamp) -> Self {
        Self { larder: FORMAT, fired }
    }
}

pub(crate) const JOBS: &str = "jobs/";
pub(crate) const QUEUE: &str = "queue/@";
pub(crate) const LOGS: &str = "logs/";
pub(crate) const MADE: &str = "made/";
pub(crate) const CRON: &str = "cron/";

// Identifiers, version numbers and job ids are valid key segments, so these keys are always valid.

pub(crate) fn job_key(id: &JobId) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{}", version_jobs_prefix(id.name(), id.version()), id.id()))
}

/// Returns the key prefix of the jobs of a name.
pub(crate) fn jobs_prefix(name: &Identifier) -> String {
    format!("{JOBS}{name}/@")
}

/// Returns the key prefix of the jobs of a version.
pub(crate) fn version_jobs_prefix(name: &Identifier, version: VersionNumber) -> String {
    format!("{JOBS}{name}/@{:010}/@", version.get())
}

/// Parses the key of a [`JobRecord`].
pub(crate) fn job_id_of(key: &RecordKey) -> Result<JobId> {
    let parts = record::parts_of(key, JOBS).ok().and_then(|(name, rest)| {
        let (number, id) = rest.split_once("/@")?;
        let id = JobId::new(&name, VersionNumber::new(number.parse().ok()?)?, id).ok()?;
        (job_key(&id).ok()? == *key).then_some(id)
    });
    parts.ok_or_else(|| {
        let fault = Corruption::Unreadable("its key is not a job key".into());
        Error::corrupt(format!("the record {key}"), fault)
    })
}

/// Returns the key of a job's queue entry; ordered by time and unique to the job.
pub(crate) fn queue_key(id: &JobId) -> Result<RecordKey> {
    // Runs of equal schedules share their time across names.
    let name = blake3::hash(format!("{}@{}", id.name(), id.version().get()).as_bytes()).to_hex();
    RecordKey::new(&format!("{QUEUE}{}-{:.12}", id.id(), name.as_str()))
}

/// Returns the key prefix of the log of a job.
pub(crate) fn logs_prefix(id: &JobId) -> String {
    format!("{LOGS}{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(crate) fn log_key(id: &JobId, attempt: u32, part: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{attempt:06}-{part:06}", logs_prefix(id)))
}

/// Returns the key prefix of the versions that a job published.
pub(crate) fn published_prefix(id: &JobId) -> String {
    format!("{MADE}{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(crate) fn published_key(id: &JobId, number: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{number:06}", published_prefix(id)))
}

pub(crate) fn cron_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{CRON}{name}"))
}

/// Parses the key of a [`CronRecord`].
pub(crate) fn cron_name_of(key: &RecordKey) -> Result<Identifier> {
    Identifier::new(key.as_str().strip_prefix(CRON).unwrap_or_default()).map_err(|_| {
        let fault = Corruption::Unreadable("its key is not an identifier".into());
        Error::corrupt(format!("the record {key}"), fault)
    })
}
