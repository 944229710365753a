//! What a job is given when it runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;

use crate::claim::Claim;
use crate::jobs::Jobs;
use crate::record::{JobRecord, LogRecord, ProgressRecord, job_key, log_key};
use crate::{MOST_LINE, MOST_LINES, cut};
use larder_core::store::Timestamp;
use larder_core::store::{Change, Expected, JobStatus, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Larder, Result, record};

/// What a trigger is given when it runs: who it is, what happened, and a way to tell how far it is.
pub struct JobContext {
    pub(crate) handle: Jobs,
    pub(crate) claim: Claim,
    pub(crate) shared: Arc<Shared>,
    /// How many versions this attempt published, or found published.
    pub(crate) published: AtomicU32,
}

/// What the thread of a job and its worker tell each other.
#[derive(Default)]
pub(crate) struct Shared {
    /// The job is to stop.
    pub(crate) cancelled: AtomicBool,
    pub(crate) said: Mutex<Said>,
}

/// What a job said and is not written yet.
#[derive(Default)]
pub(crate) struct Said {
    progress: Option<ProgressRecord>,
    lines: Vec<(Timestamp, String)>,
    /// How many lines of this attempt there were, and how many parts were written.
    count: usize,
    parts: u32,
}

/// What is to be written of what a job said.
pub(crate) struct UnwrittenOutput {
    pub(crate) progress: Option<ProgressRecord>,
    pub(crate) changes: Vec<Change>,
    lines: usize,
}

impl Shared {
    pub(crate) fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is not written yet. Until it [was](Self::wrote), it is given again.
    pub(crate) fn news(&self, claim: &Claim) -> Result<UnwrittenOutput> {
        let said = self.said();
        let (progress, lines) = (said.progress.clone(), said.lines.len());
        let mut changes = Vec::new();
        if lines > 0 {
            let key = log_key(&claim.id, claim.job.attempt, said.parts)?;
            // If it was written and the answer was lost, it is written again with more.
            let log = LogRecord::new(said.lines.clone());
            changes.push(record::put(key, &log, Expected::Anything)?);
        }
        Ok(UnwrittenOutput { progress, changes, lines })
    }

    /// What was given is written.
    pub(crate) fn wrote(&self, news: &UnwrittenOutput) {
        let mut said = self.said();
        said.parts += u32::from(news.lines > 0);
        let written = news.lines.min(said.lines.len());
        said.lines.drain(..written);
        // The job may have said more meanwhile.
        if said.progress == news.progress {
            said.progress = None;
        }
    }

    pub(crate) fn has_news(&self) -> bool {
        let said = self.said();
        said.progress.is_some() || !said.lines.is_empty()
    }
}

impl JobContext {
    /// The larder.
    pub fn larder(&self) -> &Larder {
        self.handle.larder()
    }

    /// The job. The name and the number of its version are in it.
    pub fn id(&self) -> &JobId {
        &self.claim.id
    }

    /// The reference to the version that it is a job of: `name@7`.
    pub fn reference(&self) -> larder_core::Reference {
        let id = self.id();
        larder_core::Reference::new(id.name().clone(), larder_core::Selector::Version(id.version()))
    }

    /// The name of the trigger.
    pub fn trigger(&self) -> &str {
        &self.claim.job.trigger
    }

    /// What happened: `apply`, `remove`, `cron(…)`, or the name of an event that was fired.
    pub fn event(&self) -> &str {
        &self.claim.job.event
    }

    /// Which attempt this is, from 1. One whose worker was lost counts.
    pub fn attempt(&self) -> u32 {
        self.claim.job.attempt
    }

    /// What the event carries; `None` for a `T` that may be without it.
    ///
    /// # Errors
    /// [`Error::Decode`] if it is no `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T> {
        let json = self.claim.job.payload.as_ref().map_or("null", |payload| payload.get());
        serde_json::from_str(json)
            .map_err(|error| self.misfit::<T>("what its event carries".into(), error))
    }

    /// What the trigger `name` returned, on which this one depends; it keeps it by `outputs`.
    ///
    /// # Errors
    /// [`Error::NotFound`] if this one does not depend on it, or it keeps nothing; [`Error::Decode`] if that is no `T`;
    /// [`Error::Store`].
    pub fn output<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let missing = || Error::NotFound {
            reference: format!("the output of `{name}`, for {}", self.id()),
            similar: Vec::new(),
        };
        let id = self.claim.job.depends_on.get(name).ok_or_else(missing)?;
        let key = job_key(&self.id().sibling(id)?)?;
        let found = self.handle.store().get_record(&key)?.ok_or_else(missing)?;
        let job: JobRecord = record::read(&key, &found)?;
        let output = job.output.filter(|_| job.status == JobStatus::Succeeded);
        let output = output.ok_or_else(missing)?;
        serde_json::from_str(output.get())
            .map_err(|error| self.misfit::<T>(format!("the output of `{name}`"), error))
    }

    fn misfit<T>(&self, what: String, error: serde_json::Error) -> Error {
        Error::Decode {
            what: format!("{what}, for {}", self.id()),
            type_name: std::any::type_name::<T>().to_owned(),
            path: String::new(),
            source: error.into(),
        }
    }

    /// Tells how far the job is: from 0 to 1, and what it does.
    ///
    /// It may be told often: what is new is written twice a second.
    pub fn progress(&self, fraction: f64, message: impl AsRef<str>) {
        let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
        let message = cut(message.as_ref(), MOST_LINE);
        self.shared.said().progress = Some(ProgressRecord { fraction, message });
    }

    /// Keeps a line for people: of each attempt the first 1,000, of 1,000 bytes each.
    pub fn log(&self, line: impl AsRef<str>) {
        let now = self.handle.now();
        let mut said = self.shared.said();
        said.count += 1;
        if said.count <= MOST_LINES {
            said.lines.push((now, cut(line.as_ref(), MOST_LINE)));
        }
    }

    /// Whether the job should stop: somebody cancelled it, its time is over, or its lease.
    ///
    /// Nobody can stop a thread from outside, so a job that takes long asks this now and then.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for JobContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobContext({}, `{}`)", self.id(), self.trigger())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use larder_core::store::Digest;

    #[test]
    fn what_could_not_be_written_is_written_later_and_once() {
        let now = Timestamp::new(std::time::SystemTime::UNIX_EPOCH);
        let tag = "acme/it".parse().unwrap();
        let job = JobRecord::new(tag, Digest::of(b""), "t".into(), "apply".into(), now);
        let id = "it@1/019aa1b2c3d4-9f8e7d6c5b4a-0001".parse().unwrap();
        let claim = Claim { id, job, holder: "h".into(), lease: std::time::Duration::ZERO };
        let shared = Shared::default();
        let say = |text: &str| shared.said().lines.push((now, text.into()));
        let change = |news: &UnwrittenOutput| match &news.changes[..] {
            [Change::PutRecord { key, value, .. }] => {
                let said: LogRecord = serde_json::from_slice(value).unwrap();
                let lines: Vec<_> = said.lines.into_iter().map(|(_, text)| text).collect();
                (key.as_str().rsplit('-').next().unwrap().to_owned(), lines.join(" "))
            }
            changes => panic!("{changes:?}"),
        };
        assert!(shared.news(&claim).unwrap().changes.is_empty());
        say("a");
        drop(shared.news(&claim).unwrap()); // the store failed
        say("b");
        let news = shared.news(&claim).unwrap();
        assert_eq!(change(&news), ("000000".into(), "a b".into()));
        say("c"); // while they were written
        shared.wrote(&news);
        let news = shared.news(&claim).unwrap();
        assert_eq!(change(&news), ("000001".into(), "c".into()));
        shared.wrote(&news);
        assert!(!shared.has_news());
    }
}
