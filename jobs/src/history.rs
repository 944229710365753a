//! Listing jobs and reading their logs.

use std::collections::BTreeMap;

use larder_core::store::{
    Absence, Corruption, JobStatus, Record, RecordKey, StoreExt, Timestamp, TypeTag, VersionNumber,
};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result, record};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::jobs::Jobs;
use crate::readiness::Readiness;
use crate::record::{
    JOBS, JobRecord, LogRecord, QUEUE, QueueRecord, job_id_of, job_key, jobs_prefix, logs_prefix,
    version_jobs_prefix,
};

/// The details of a job.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct JobInfo {
    /// The id of the job.
    pub id: JobId,
    /// The name of its component.
    pub name: Identifier,
    /// The version of the component.
    pub version: VersionNumber,
    /// The type tag of the component.
    #[serde(rename = "type")]
    pub type_tag: TypeTag,
    /// The name of the trigger.
    pub trigger: String,
    /// The event: `apply`, `remove`, `cron(…)`, or the name of a custom event.
    pub event: String,
    /// The status.
    pub status: JobStatus,
    /// The number of attempts; 0 if it was skipped.
    pub attempt: u32,
    /// The number of failed attempts.
    pub failures: u32,
    /// The number of attempts whose worker was lost.
    pub losses: u32,
    /// The creation time.
    pub created: Timestamp,
    /// The start of the last attempt.
    pub started: Option<Timestamp>,
    /// The time at which it finished.
    pub finished: Option<Timestamp>,
    /// The earliest start of the next attempt, after a failure.
    pub not_before: Option<Timestamp>,
    /// The holder of the claim while it runs; unique to each claim.
    pub holder: Option<String>,
    /// The time at which the lease expires.
    pub until: Option<Timestamp>,
    /// The time of the cancellation request, while it still runs.
    pub cancelling: Option<Timestamp>,
    /// The reported progress, from 0 to 1.
    pub fraction: Option<f64>,
    /// The reported progress message.
    pub message: Option<String>,
    /// The causes of its status or of the last failed attempt, outermost first.
    pub error: Vec<String>,
    /// The jobs that it depends on, by trigger.
    pub depends_on: BTreeMap<String, JobId>,
    /// The payload of the event.
    pub payload: Option<Box<RawValue>>,
    /// The return value, if the trigger stores it.
    pub output: Option<Box<RawValue>>,
}

/// A log line of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobLine {
    /// The attempt.
    pub attempt: u32,
    /// The time.
    pub at: Timestamp,
    /// The text.
    pub text: String,
}

/// A filter on jobs.
///
/// ```
/// use larder_jobs::{JobStatus, JobsQuery};
///
/// let query = JobsQuery::new().name("wine/quality".parse()?).status(JobStatus::Failed);
/// # let _ = query;
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct JobsQuery {
    name: Option<Identifier>,
    version: Option<VersionNumber>,
    statuses: Vec<JobStatus>,
}

impl JobsQuery {
    /// Matches all jobs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Restricts to a name.
    #[must_use]
    pub fn name(mut self, name: Identifier) -> Self {
        self.name = Some(name);
        self
    }

    /// Restricts to a version.
    #[must_use]
    pub fn version(mut self, version: VersionNumber) -> Self {
        self.version = Some(version);
        self
    }

    /// Restricts to a status; repeated calls add further ones.
    #[must_use]
    pub fn status(mut self, status: JobStatus) -> Self {
        self.statuses.push(status);
        self
    }

    fn matches(&self, job: &JobInfo) -> bool {
        self.name.as_ref().is_none_or(|name| *name == job.name)
            && self.version.is_none_or(|version| version == job.version)
            && (self.statuses.is_empty() || self.statuses.contains(&job.status))
    }

    /// Returns `true` if only unfinished jobs match.
    fn is_unfinished(&self) -> bool {
        !self.statuses.is_empty() && !self.statuses.iter().any(|status| status.is_over())
    }
}

impl Jobs {
    /// Lists the matching jobs; jobs of a version are ordered by time.
    ///
    /// A query for unfinished jobs does not read finished ones.
    pub fn list(&self, query: &JobsQuery) -> impl Iterator<Item = Result<JobInfo>> + '_ {
        let query = query.clone();
        let prefix = match (&query.name, query.version) {
            _ if query.is_unfinished() => QUEUE.to_owned(),
            (Some(name), Some(version)) => version_jobs_prefix(name, version),
            (Some(name), None) => jobs_prefix(name),
            (None, _) => JOBS.to_owned(),
        };
        self.store().known_records(prefix).filter_map(move |found| {
            let read = |(key, found): (RecordKey, Record)| {
                if key.as_str().starts_with(QUEUE) {
                    let entry: QueueRecord = record::read(&key, &found)?;
                    let key = job_key(&entry.job)?;
                    // A commit that crashed may leave an entry without a job.
                    let Some(found) = self.store().get_record(&key)? else { return Ok(None) };
                    return self.job_info(entry.job, &key, &found).map(Some);
                }
                self.job_info(job_id_of(&key)?, &key, &found).map(Some)
            };
            let job = found.and_then(read).transpose()?;
            match job {
                Ok(job) if !query.matches(&job) => None,
                job => Some(job),
            }
        })
    }

    /// Returns the details of a job.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::Store`].
    pub fn get(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<JobInfo> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        let key = job_key(&id)?;
        match self.store().get_record(&key)? {
            Some(found) => self.job_info(id, &key, &found),
            None => Err(self.no_such_job(&id)),
        }
    }

    /// Returns the log of a job, oldest line first: the first 1,000 lines of each attempt.
    ///
    /// # Errors
    /// As [`get`](Jobs::get).
    pub fn log(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<Vec<JobLine>> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        self.get(&id)?;
        let mut lines = Vec::new();
        for found in self.store().known_records(logs_prefix(&id)) {
            let (key, found) = found?;
            let part = key.as_str().rsplit('@').next().and_then(|part| part.split_once('-'));
            let attempt = part.and_then(|(attempt, _)| attempt.parse().ok()).unwrap_or_default();
            let log: LogRecord = record::read(&key, &found)?;
            lines.extend(log.lines.into_iter().map(|(at, text)| JobLine { attempt, at, text }));
        }
        Ok(lines)
    }

    pub(crate) fn job_info(&self, id: JobId, key: &RecordKey, found: &Record) -> Result<JobInfo> {
        let job: JobRecord = record::read(key, found)?;
        let depends_on = job.depends_on.iter().map(|(trigger, needed)| {
            let needed = id.sibling(needed).map_err(|error| {
                Error::corrupt(
                    format!("the record {key}"),
                    Corruption::Unreadable(error.to_string()),
                )
            });
            Ok((trigger.clone(), needed?))
        });
        let (fraction, message) = match job.progress {
            Some(progress) => (Some(progress.fraction), Some(progress.message)),
            None => (None, None),
        };
        let (holder, until) = match job.lease {
            Some(lease) => (Some(lease.holder), Some(lease.until)),
            None => (None, None),
        };
        Ok(JobInfo {
            name: id.name().clone(),
            version: id.version(),
            depends_on: depends_on.collect::<Result<_>>()?,
            id,
            type_tag: job.type_tag,
            trigger: job.trigger,
            event: job.event,
            status: job.status,
            attempt: job.attempt,
            failures: job.failures,
            losses: job.losses,
            created: job.created,
            started: job.started,
            finished: job.finished,
            not_before: job.not_before,
            holder,
            until,
            cancelling: job.cancel,
            fraction,
            message: message.filter(|message| !message.is_empty()),
            error: job.error,
            payload: job.payload,
            output: job.output,
        })
    }

    pub(crate) fn no_such_job(&self, id: &JobId) -> Error {
        let (reference, absence) = (format!("the job {id}"), Absence::NoJob);
        Error::NotFound { reference, absence, similar: Vec::new() }
    }

    /// Returns the unfinished jobs of the same run that depend on `id`.
    pub(crate) fn dependents(&self, id: &JobId) -> Result<Vec<JobId>> {
        let run = format!("{}{}-", version_jobs_prefix(id.name(), id.version()), id.run());
        let mut after = Vec::new();
        for found in self.store().known_records(run) {
            let (key, found) = found?;
            let job: JobRecord = record::read(&key, &found)?;
            if !job.status.is_over() && job.depends_on.values().any(|needed| needed == id.id()) {
                after.push(job_id_of(&key)?);
            }
        }
        Ok(after)
    }

    /// Returns `true` if this process could run an unfinished job, now or later.
    pub(crate) fn has_unfinished_jobs(&self) -> Result<bool> {
        let mut entries = self.store().known_records(QUEUE);
        loop {
            let mut jobs = Vec::new();
            for found in entries.by_ref().take(PAGE) {
                let (key, found) = found?;
                // Damaged entries are skipped.
                if let Ok(entry) = record::read::<QueueRecord>(&key, &found) {
                    jobs.push(entry.job);
                }
            }
            if jobs.is_empty() {
                return Ok(false);
            }
            let inspected = self.inspect(&jobs)?;
            let unfinished = |readiness: &Readiness| {
                matches!(readiness, Readiness::Ready | Readiness::End(..) | Readiness::Wait(_))
            };
            if inspected.iter().any(|job| unfinished(&job.readiness)) {
                return Ok(true);
            }
        }
    }
}

/// Maximum queue entries per page.
const PAGE: usize = 200;
