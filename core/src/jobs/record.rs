//! The records of jobs: their keys and their JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::id::JobId;
use crate::digest::Digest;
use crate::error::{Error, Corruption, Result};
use crate::name::{Identifier, TypeTag, VersionNumber};
use crate::record::{self, Document, FORMAT};
use crate::store::{JobStatus, RecordKey};
use crate::time::Timestamp;

/// `jobs/NAME/@N/@ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobRecord {
    larder: u64,
    pub(super) status: JobStatus,
    #[serde(rename = "type")]
    pub(super) type_tag: TypeTag,
    /// The manifest of its version: another one under the same number is not what it is a job of.
    pub(super) manifest: Digest,
    pub(super) trigger: String,
    pub(super) event: String,
    /// What the event carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Box<RawValue>>,
    /// The ids of the jobs that it depends on, by the names of their triggers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) depends_on: BTreeMap<String, String>,
    pub(super) created: Timestamp,
    /// When its next attempt may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finished: Option<Timestamp>,
    /// How often it was claimed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) attempt: u32,
    /// How often it failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) failures: u32,
    /// How often a lease of it was over before it was.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) losses: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lease: Option<Lease>,
    /// When somebody asked for it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cancel: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) progress: Option<ProgressRecord>,
    /// Why it ended so, outermost cause first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) error: Vec<String>,
    /// `null` is an output too.
    #[serde(default, deserialize_with = "some", skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<Box<RawValue>>,
}

/// Who has a job, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lease {
    pub(super) holder: String,
    pub(super) until: Timestamp,
}

/// How far a job says it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgressRecord {
    pub(super) fraction: f64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

/// `queue/@ID-…`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueueRecord {
    larder: u64,
    pub(super) job: JobId,
    pub(super) created: Timestamp,
}

/// `logs/NAME/@N/@ID/@ATTEMPT-PART`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogRecord {
    larder: u64,
    pub(super) lines: Vec<(Timestamp, String)>,
}

/// `made/NAME/@N/@ID/@K`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeRecord {
    larder: u64,
    pub(super) version: VersionNumber,
}

/// `cron/NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CronRecord {
    larder: u64,
    /// The schedules were looked at up to then.
    pub(super) fired: Timestamp,
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
                self.larder
            }
        })*
    };
}

documents!(JobRecord, QueueRecord, LogRecord, MadeRecord, CronRecord);

impl JobRecord {
    pub(super) fn new(
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

    /// Whether the claim of `holder` is the one that counts.
    pub(super) fn is_held_by(&self, holder: &str) -> bool {
        self.status == JobStatus::Running
            && self.lease.as_ref().is_some_and(|lease| lease.holder == holder)
    }

    /// The same job, as if nothing had happened to it yet.
    pub(super) fn again(self) -> Self {
        let new = Self::new(self.type_tag, self.manifest, self.trigger, self.event, self.created);
        // Attempts are counted on: what they said is kept by their numbers.
        let attempt = self.attempt;
        Self { payload: self.payload, depends_on: self.depends_on, attempt, ..new }
    }

    /// The same job, over.
    pub(super) fn over(mut self, status: JobStatus, now: Timestamp, error: Vec<String>) -> Self {
        self.status = status;
        self.finished = Some(now);
        self.error = error;
        (self.lease, self.not_before, self.cancel) = (None, None, None);
        self
    }
}

impl QueueRecord {
    pub(super) fn new(job: JobId, created: Timestamp) -> Self {
        Self { larder: FORMAT, job, created }
    }
}

impl LogRecord {
    pub(super) fn new(lines: Vec<(Timestamp, String)>) -> Self {
        Self { larder: FORMAT, lines }
    }
}

impl MadeRecord {
    pub(super) fn new(version: VersionNumber) -> Self {
        Self { larder: FORMAT, version }
    }
}

impl CronRecord {
    pub(super) fn new(fired: Timestamp) -> Self {
        Self { larder: FORMAT, fired }
    }
}

pub(super) const JOBS: &str = "jobs/";
pub(super) const QUEUE: &str = "queue/@";
pub(super) const CRON: &str = "cron/";

// Identifiers, numbers and ids are narrower than keys, so none of these is ever refused.

pub(super) fn job_key(id: &JobId) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{}", jobs_of_version(id.name(), id.version()), id.id()))
}

/// The beginning of the keys of a name's jobs.
pub(super) fn jobs_of(name: &Identifier) -> String {
    format!("{JOBS}{name}/@")
}

/// The beginning of the keys of a version's jobs.
pub(super) fn jobs_of_version(name: &Identifier, version: VersionNumber) -> String {
    format!("{JOBS}{name}/@{:010}/@", version.get())
}

/// The job in the key of a [`JobRecord`].
pub(super) fn job_in(key: &RecordKey) -> Result<JobId> {
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
pub(super) fn queue_key(id: &JobId) -> Result<RecordKey> {
    // Runs of one schedule begin at one time for many names.
    let name = blake3::hash(format!("{}@{}", id.name(), id.version().get()).as_bytes()).to_hex();
    RecordKey::new(&format!("{QUEUE}{}-{:.12}", id.id(), name.as_str()))
}

/// The beginning of the keys of what a job said.
pub(super) fn logs_of(id: &JobId) -> String {
    format!("logs/{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(super) fn log_key(id: &JobId, attempt: u32, part: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{attempt:06}-{part:06}", logs_of(id)))
}

/// The beginning of the keys of what a job published.
pub(super) fn made_of(id: &JobId) -> String {
    format!("made/{}/@{:010}/@{}/@", id.name(), id.version().get(), id.id())
}

pub(super) fn made_key(id: &JobId, number: u32) -> Result<RecordKey> {
    RecordKey::new(&format!("{}{number:06}", made_of(id)))
}

pub(super) fn cron_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{CRON}{name}"))
}

/// The name in the key of a [`CronRecord`].
pub(super) fn cron_in(key: &RecordKey) -> Result<Identifier> {
    Identifier::new(key.as_str().strip_prefix(CRON).unwrap_or_default()).map_err(|_| {
        let fault = Corruption::Unreadable("its key is no identifier".into());
        Error::corrupt(format!("the record {key}"), fault)
    })
}
