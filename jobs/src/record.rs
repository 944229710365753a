//! The records of jobs: their keys and their JSON.

mod kinds;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use larder_core::record::{self, Document, FORMAT};
use larder_core::store::{Corruption, Digest, Timestamp, TypeTag, VersionNumber};
use larder_core::store::{JobStatus, RecordKey};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result};

/// `jobs/NAME/@N/@ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRecord {
    handle: u64,
    pub(crate) status: JobStatus,
    #[serde(rename = "type")]
    pub(crate) type_tag: TypeTag,
    /// The manifest of its version: another one under the same number is not what it is a job of.
    pub(crate) manifest: Digest,
    pub(crate) trigger: String,
    pub(crate) event: String,
    /// What the event carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<Box<RawValue>>,
    /// The ids of the jobs that it depends on, by the names of their triggers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) depends_on: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    /// When its next attempt may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) finished: Option<Timestamp>,
    /// How often it was claimed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) attempt: u32,
    /// How often it failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failures: u32,
    /// How often a lease of it was over before it was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) losses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    /// When somebody asked for it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cancel: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<ProgressRecord>,
    /// Why it ended so, outermost cause first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) error: Vec<String>,
    /// `null` is an output too.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Box<RawValue>>,
}

/// Who has a job, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lease {
    pub(crate) holder: String,
    pub(crate) until: Timestamp,
}

/// How far a job says it is.
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
    handle: u64,
    pub(crate) job: JobId,
    pub(crate) created: Timestamp,
}

/// `logs/NAME/@N/@ID/@ATTEMPT-PART`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRecord {
    handle: u64,
    pub(crate) lines: Vec<(Timestamp, String)>,
}

/// `made/NAME/@N/@ID/@K`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeRecord {
    handle: u64,
    pub(crate) version: VersionNumber,
}

/// `cron/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CronRecord {
    handle: u64,
    /// The schedules were looked at up to then.
    pub(crate) fired: Timestamp,
}

fn some<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(value).map(Some)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

macro_rules! documents {
    ($($record:ident),*) => {
        $(impl Document for $record {
            fn format(&self) -> u64 {
                self.handle
            }
        })*
    };
}

documents!(JobRecord, QueueRecord, LogRecord, MadeRecord, CronRecord);

impl JobRecord {
    pub(crate) fn new(
        type_tag: TypeTag,
        manifest: Digest,
        trigger: String,
        event: String,
        created: Timestamp,
    ) -> Self {
        Self {
            handle: FORMAT,
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

    /// Whether the claim of `holder` is the one that counts.
    pub(crate) fn is_held_by(&self, holder: &str) -> bool {
        self.status == JobStatus::Running
            && self.lease.as_ref().is_some_and(|lease| lease.holder == holder)
    }

    /// The same job, as if nothing had happened to it yet.
    pub(crate) fn again(self) -> Self {
        let new = Self::new(self.type_tag, self.manifest, self.trigger, self.event, self.created);
        // Attempts are counted on: what they said is kept by their numbers.
        let attempt = self.attempt;
        Self { payload: self.payload, depends_on: self.depends_on, attempt, ..new }
    }

    /// The same job, over.
    pub(crate) fn over(mut self, status: JobStatus, now: Timestamp, error: Vec<String>) -> Self {
        self.status = status;
        self.finished = Some(now);
        self.error = error;
        (self.lease, self.not_before, self.cancel) = (None, None, None);
        self
    }
}

impl QueueRecord {
    pub(crate) fn new(job: JobId, created: Timestamp) -> Self {
        Self { handle: FORMAT, job, created }
    }
}

impl LogRecord {
    pub(crate) fn new(lines: Vec<(Timestamp, String)>) -> Self {
        Self { handle: FORMAT, lines }
    }
}

impl MadeRecord {
    pub(crate) fn new(version: VersionNumber) -> Self {
        Self { handle: FORMAT, version }
    }
}

impl CronRecord {
    pub(crate) fn new(fired: Timestamp) -> Self {
        Self { handle: FORMAT, fired }
    }
}

pub(crate) const JOBS: &str = "jobs/";
pub(crate) const QUEUE: &str = "queue/@";
pub(crate) const LOGS: &str = "logs/";
pub(crate) const MADE: &str = "made/";
pub(crate) const CRON: &str = "cron/";

// Identifiers, numbers and ids are narrower than keys, so none of these is ever refused.

pub(crate) fn job_key(id: &JobId) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{}", jobs_of_version(id.name(), id.version()), id.id()))
}

/// The beginning of the keys of a name's jobs.
pub(crate) fn jobs_of(name: &Identifier) -> String {
    format!("{JOBS}{name}/@")
}

/// The beginning of the keys of a version's jobs.
pub(crate) fn jobs_of_version(name: &Identifier, version: VersionNumber) -> String {
    format!("{JOBS}{name}/@{:010}/@", version.get())
}

/// The job in the key of a [`JobRecord`].
pub(crate) fn job_in(key: &RecordKey) -> Result<JobId> {
    let parts = record::parts_of(key, JOBS).ok().and_then(|(name, rest)| {
        let (number, id) = rest.split_once("/@")?;
        let id = JobId::new(&name, VersionNumber::new(number.parse().ok()?)?, id).ok()?;
        (job_key(&id).ok()? == *key).then_some(id)
    });
    parts.ok_or_else(|| {
        let fault = Corruption::Unreadable("its key is that of no job".into());
        Error::corrupt(format!("the record {key}"), fault)
    })
}

/// The key of a job's line in the queue: in the order of time, and another one for each job.
pub(crate) fn queue_key(id: &JobId) -> Result<RecordKey> {
    // Runs of one schedule begin at one time for many names.
    let name = blake3::hash(format!("{}@{}", id.name(), id.version().get()).as_bytes()).to_hex();
    RecordKey::new(&format!("{QUEUE}{}-{:.12}", id.id(), name.as_str()))
}

/// The beginning of the keys of what a job said.
pub(crate) fn logs_of(id: &JobId) -> String {
    format!("{LOGS}{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(crate) fn log_key(id: &JobId, attempt: u32, part: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{attempt:06}-{part:06}", logs_of(id)))
}

/// The beginning of the keys of what a job published.
pub(crate) fn made_of(id: &JobId) -> String {
    format!("{MADE}{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(crate) fn made_key(id: &JobId, number: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{number:06}", made_of(id)))
}

pub(crate) fn cron_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{CRON}{name}"))
}

/// The name in the key of a [`CronRecord`].
pub(crate) fn cron_in(key: &RecordKey) -> Result<Identifier> {
    Identifier::new(key.as_str().strip_prefix(CRON).unwrap_or_default()).map_err(|_| {
        let fault = Corruption::Unreadable("its key is no identifier".into());
        Error::corrupt(format!("the record {key}"), fault)
    })
}
