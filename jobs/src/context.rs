//! The context of a running job.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_core::store::{Absence, JobStatus, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Larder, Reference, Result, Selector, record};
use serde::de::DeserializeOwned;

use crate::claim::Claim;
use crate::jobs::Jobs;
use crate::output::AttemptState;
use crate::record::{JobRecord, ProgressRecord, job_key};
use crate::{MAX_LINE, truncate};

/// The context of a running job: its identity and event, and methods to report progress.
pub struct JobContext {
    pub(crate) jobs: Jobs,
    pub(crate) claim: Claim,
    pub(crate) state: Arc<AttemptState>,
    /// The number of `publish` calls of this attempt.
    pub(crate) published: AtomicU32,
}

impl JobContext {
    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        self.jobs.larder()
    }

    /// Returns the id of the job, which includes the name and version.
    pub fn id(&self) -> &JobId {
        &self.claim.id
    }

    /// Returns the reference of the job's version: `name@7`.
    pub fn reference(&self) -> Reference {
        let id = self.id();
        Reference::new(id.name().clone(), Selector::Version(id.version()))
    }

    /// Returns the name of the trigger.
    pub fn trigger(&self) -> &str {
        &self.claim.job.trigger
    }

    /// Returns the event: `apply`, `remove`, `cron(…)`, or the name of a custom event.
    pub fn event(&self) -> &str {
        &self.claim.job.event
    }

    /// Returns the attempt, from 1. Attempts whose worker was lost count.
    pub fn attempt(&self) -> u32 {
        self.claim.job.attempt
    }

    /// Decodes the payload of the event; JSON `null` if it has none.
    ///
    /// # Errors
    /// [`Error::Decode`] if the payload is not a `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let json = self.claim.job.payload.as_ref().map_or("null", |payload| payload.get());
        serde_json::from_str(json)
            .map_err(|error| self.decode_error::<T>("the payload of the event".into(), error))
    }

    /// Decodes the output of the trigger `name`, a dependency that stores its output.
    ///
    /// # Errors
    /// [`Error::NotFound`] if `name` is not a dependency or has no output; [`Error::Decode`] if the output is not a `T`;
    /// [`Error::Store`].
    pub fn output<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let missing = || Error::NotFound {
            reference: format!("the output of `{name}`, for {}", self.id()),
            absence: Absence::Unknown,
            similar: Vec::new(),
        };
        let id = self.claim.job.depends_on.get(name).ok_or_else(missing)?;
        let key = job_key(&self.id().sibling(id)?)?;
        let found = self.jobs.store().get_record(&key)?.ok_or_else(missing)?;
        let job: JobRecord = record::read(&key, &found)?;
        let output = job.output.filter(|_| job.status == JobStatus::Succeeded);
        let output = output.ok_or_else(missing)?;
        serde_json::from_str(output.get())
            .map_err(|error| self.decode_error::<T>(format!("the output of `{name}`"), error))
    }

    fn decode_error<T>(&self, what: String, error: serde_json::Error) -> Error {
        Error::Decode {
            what: format!("{what}, for {}", self.id()),
            type_name: std::any::type_name::<T>().to_owned(),
            path: String::new(),
            source: error.into(),
        }
    }

    /// Reports progress: a fraction from 0 to 1 and a message.
    ///
    /// Cheap to call often: the latest report is written twice a second.
    pub fn progress(&self, fraction: f64, message: impl AsRef<str>) {
        let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let message = truncate(message.as_ref(), MAX_LINE);
        self.state.set_progress(ProgressRecord { fraction, message });
    }

    /// Logs a line. The first 1,000 lines of an attempt are kept, up to 1,000 bytes each.
    pub fn log(&self, line: impl AsRef<str>) {
        self.state.log(self.jobs.now(), line.as_ref());
    }

    /// Returns `true` once the job should stop: it was cancelled, timed out or lost its lease.
    ///
    /// Threads cannot be stopped from outside, so long jobs should poll this.
    pub fn is_cancelled(&self) -> bool {
        self.state.cancelled.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobContext({}, `{}`)", self.id(), self.trigger())
    }
}
