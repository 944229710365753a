//! Looking at jobs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::jobs::Jobs;
use crate::judge::Verdict;
use crate::record::{
    JOBS, JobRecord, LogRecord, QUEUE, QueueRecord, job_in, job_key, jobs_of, jobs_of_version,
    logs_of, queue_key,
};
use larder_core::store::{Corruption, Timestamp, TypeTag, VersionNumber};
use larder_core::store::{JobStatus, Record, RecordKey, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Identifier, Result, record};

/// What is known of a job.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct JobInfo {
    /// The job.
    pub id: JobId,
    /// The name of its component.
    pub name: Identifier,
    /// The version that it is a job of.
    pub version: VersionNumber,
    /// The type of the component.
    #[serde(rename = "type")]
    pub type_tag: TypeTag,
    /// The trigger.
    pub trigger: String,
    /// What happened: `apply`, `remove`, `cron(…)`, or the name of an event that was fired.
    pub event: String,
    /// How far it is.
    pub status: JobStatus,
    /// How often it was claimed; one that is skipped never was.
    pub attempt: u32,
    /// How often it failed.
    pub failures: u32,
    /// How often its worker was lost.
    pub losses: u32,
    /// When it was made.
    pub created: Timestamp,
    /// When its last attempt began.
    pub started: Option<Timestamp>,
    /// When it was over.
    pub finished: Option<Timestamp>,
    /// When its next attempt may begin, if it failed.
    pub not_before: Option<Timestamp>,
    /// Who has it, while it runs: another text for each claim.
    pub holder: Option<String>,
    /// Until when it is had, unless the holder says more.
    pub until: Option<Timestamp>,
    /// When somebody asked for it to be cancelled, while it still runs.
    pub cancelling: Option<Timestamp>,
    /// How far it says it is, from 0 to 1.
    pub fraction: Option<f64>,
    /// What it says that it does.
    pub message: Option<String>,
    /// Why it ended so, or why its last attempt failed; the outermost cause first.
    pub error: Vec<String>,
    /// The jobs that it depends on, by their triggers.
    pub depends_on: BTreeMap<String, JobId>,
    /// What the event carries.
    pub payload: Option<Box<RawValue>>,
    /// What it returned, if it keeps that.
    pub output: Option<Box<RawValue>>,
}

/// One line that a job said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct JobLine {
    /// Which attempt said it.
    pub attempt: u32,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// Which jobs are meant.
///
/// ```
/// use larder_core::JobsQuery;
/// use larder_core::store::JobStatus;
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
    /// All of them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Those of a name.
    #[must_use]
    pub fn name(mut self, name: Identifier) -> Self {
        self.name = Some(name);
        self
    }

    /// Those of a version of the name.
    #[must_use]
    pub fn version(mut self, version: VersionNumber) -> Self {
        self.version = Some(version);
        self
    }

    /// Those with this status, or another one that was named.
    #[must_use]
    pub fn status(mut self, status: JobStatus) -> Self {
        self.statuses.push(status);
        self
    }

    fn fits(&self, job: &JobInfo) -> bool {
        let fits = |wanted: &Identifier| *wanted == job.name;
        self.name.as_ref().is_none_or(fits)
            && self.version.is_none_or(|version| version == job.version)
            && (self.statuses.is_empty() || self.statuses.contains(&job.status))
    }

    /// Whether only those are meant that are not over.
    fn is_unfinished(&self) -> bool {
        !self.statuses.is_empty() && !self.statuses.iter().any(|status| status.is_over())
    }
}

impl Jobs {
    /// The jobs that are meant; those of a version in the order of time.
    ///
    /// Jobs that are not over are found without looking at those that are.
    pub fn list(&self, query: &JobsQuery) -> impl Iterator<Item = Result<JobInfo>> + '_ {
        let query = query.clone();
        let prefix = match (&query.name, query.version) {
            _ if query.is_unfinished() => QUEUE.to_owned(),
            (Some(name), Some(version)) => jobs_of_version(name, version),
            (Some(name), None) => jobs_of(name),
            (None, _) => JOBS.to_owned(),
        };
        self.store().records(prefix).filter_map(move |found| {
            let read = |(key, found): (RecordKey, Record)| {
                if key.as_str().starts_with(QUEUE) {
                    let line: QueueRecord = record::read(&key, &found)?;
                    if queue_key(&line.job)? != key {
                        let fault = Corruption::Unreadable("it leads to another job".into());
                        return Err(Error::corrupt(format!("the record {key}"), fault));
                    }
                    let key = job_key(&line.job)?;
                    // The job may not have been written, or may be over.
                    let Some(found) = self.store().get_record(&key)? else { return Ok(None) };
                    return self.job_info(line.job, &key, &found).map(Some);
                }
                self.job_info(job_in(&key)?, &key, &found).map(Some)
            };
            let job = found.and_then(read).transpose()?;
            match job {
                Ok(job) if !query.fits(&job) => None,
                job => Some(job),
            }
        })
    }

    /// One job.
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

    /// What a job said, oldest first: of each attempt the first 1,000 lines.
    ///
    /// # Errors
    /// As [`job`](Larder::job).
    pub fn log(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<Vec<JobLine>> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        self.get(&id)?;
        let mut lines = Vec::new();
        for found in self.store().records(logs_of(&id)) {
            let (key, found) = found?;
            let part = key.as_str().rsplit('@').next().and_then(|part| part.split_once('-'));
            let attempt = part.and_then(|(attempt, _)| attempt.parse().ok()).unwrap_or_default();
            let said: LogRecord = record::read(&key, &found)?;
            lines.extend(said.lines.into_iter().map(|(at, text)| JobLine { attempt, at, text }));
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
        Error::NotFound { reference: format!("the job {id}"), similar: Vec::new() }
    }

    /// The jobs of the same run that depend on one that is over.
    pub(crate) fn jobs_after(&self, id: &JobId) -> Result<Vec<JobId>> {
        let run = format!("{}{}-", jobs_of_version(id.name(), id.version()), id.run());
        let mut after = Vec::new();
        for found in self.store().records(run) {
            let (key, found) = found?;
            let job: JobRecord = record::read(&key, &found)?;
            if !job.status.is_over() && job.depends_on.values().any(|needed| needed == id.id()) {
                after.push(job_in(&key)?);
            }
        }
        Ok(after)
    }

    /// Whether there is a job that is not over and that this program could run, now or later.
    pub(crate) fn has_unfinished_jobs(&self) -> Result<bool> {
        let mut lines = self.store().records(QUEUE);
        loop {
            let mut jobs = Vec::new();
            for found in lines.by_ref().take(PAGE) {
                let (key, found) = found?;
                // A line that is damaged leads nowhere.
                if let Ok(line) = record::read::<QueueRecord>(&key, &found) {
                    jobs.push(line.job);
                }
            }
            if jobs.is_empty() {
                return Ok(false);
            }
            let looked = self.look_at(&jobs)?;
            let unfinished = |verdict: &Verdict| {
                matches!(verdict, Verdict::Run | Verdict::End(..) | Verdict::Wait(_))
            };
            if looked.iter().any(|looked| unfinished(&looked.verdict)) {
                return Ok(true);
            }
        }
    }
}

const PAGE: usize = 200;
