//! One job, from the claim to its end, on a thread of its own.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::value::RawValue;

use crate::claim::{AttemptEnd, Claim, Claimed};
use crate::context::{JobContext, Shared};
use crate::jobs::Jobs;
use crate::table::TriggerEntry;
use crate::{MOST_LINE, MOST_OUTPUT, cut};
use larder_core::extend::Records;
use larder_core::extend::catch_panic;
use larder_core::store::JobStatus;
use larder_core::store::{Timestamp, VersionNumber};
use larder_core::versions::JobId;
use larder_core::{BoxError, Component, Error, Identifier, Ready, Result};

/// How many causes of a failure are kept.
const MOST_CAUSES: usize = 32;
/// How many loaded components a worker keeps for the next jobs of the same version.
const MOST_INSTANCES: usize = 32;

/// A job that a worker runs, as its thread and the worker see it.
pub(crate) struct Running {
    pub(crate) id: JobId,
    pub(crate) shared: Arc<Shared>,
    state: Mutex<RunState>,
}

enum RunState {
    /// Its thread tries to claim it.
    Claiming,
    Held {
        claim: Box<Claim>,
        since: Instant,
        beaten: Instant,
        timeout: Option<Duration>,
        late: bool,
    },
    /// The worker ended it, or lost it: what its thread says does not count.
    GivenUp,
}

/// What became of a job, as far as a worker is concerned.
pub(crate) enum JobOutcome {
    /// It is over, by this worker or before.
    Over,
    /// It is to be looked at again; perhaps at a time that is known.
    Later(Option<Timestamp>),
    /// Its code is not linked in.
    NotHere,
}

impl Running {
    pub(crate) fn new(id: JobId) -> Self {
        Self { id, shared: Arc::default(), state: Mutex::new(RunState::Claiming) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the job and runs it. Called on the job's own thread.
    pub(crate) fn run(
        &self,
        handle: &Jobs,
        lease: Duration,
        instances: &Instances,
    ) -> Result<JobOutcome> {
        let claim = match handle.claim_job(&self.id, lease)? {
            Claimed::Mine(claim) => claim,
            Claimed::Later(until) => return Ok(JobOutcome::Later(until)),
            Claimed::Ended | Claimed::Over => return Ok(JobOutcome::Over),
            Claimed::NotHere => return Ok(JobOutcome::NotHere),
        };
        let Some(table) = handle.triggers_of(claim.job.type_tag.as_str()) else {
            return Ok(JobOutcome::NotHere);
        };
        let Some(entry) = table.find(&claim.job.trigger) else { return Ok(JobOutcome::NotHere) };
        let now = Instant::now();
        *self.state() = RunState::Held {
            claim: claim.clone(),
            since: now,
            beaten: now,
            timeout: entry.timeout(),
            late: false,
        };
        let mut outcome = self.attempt(handle, &claim, entry, instances);
        // From here on the worker neither extends the lease nor ends the job.
        match std::mem::replace(&mut *self.state(), RunState::GivenUp) {
            RunState::Held { late: true, timeout: Some(timeout), .. } => {
                outcome =
                    AttemptEnd::Failed { error: vec![late(timeout)], retries: entry.retries() };
            }
            RunState::Held { .. } => {}
            _ => return Ok(JobOutcome::Over),
        }
        let news = self.shared.news(&claim)?;
        let ended = patiently(lease, || handle.end_attempt(&claim, &news, &outcome))?;
        Ok(match ended {
            Some(JobStatus::Pending) => JobOutcome::Later(None),
            _ => JobOutcome::Over,
        })
    }

    fn attempt(
        &self,
        handle: &Jobs,
        claim: &Claim,
        entry: &TriggerEntry,
        instances: &Instances,
    ) -> AttemptEnd {
        let retries = entry.retries();
        let failed = |error: BoxError| AttemptEnd::Failed { error: causes(&*error), retries };
        let component = match instances.get(handle, claim) {
            Ok(component) => component,
            Err(error) => return failed(error.into()),
        };
        if let Some(field) = entry.unmet(component.peek()) {
            return AttemptEnd::Skipped(format!("it requires `{field}`, which is not set"));
        }
        // It is set up once for all jobs of the version that this worker runs.
        let component = match component.get() {
            Ok(component) => component,
            Err(error) => return failed(error.into()),
        };
        let context = JobContext {
            handle: handle.clone(),
            claim: claim.clone(),
            shared: self.shared.clone(),
            published: AtomicU32::new(0),
        };
        let what = format!("the trigger `{}`", entry.name());
        // The component is used again after a panic, as it would be by any other job on another thread.
        match catch_panic(&what, || (entry.run)(component, &context)).flatten() {
            Err(error) => failed(error),
            Ok(None) => AttemptEnd::Succeeded(None),
            Ok(Some(json)) if json.len() > MOST_OUTPUT => AttemptEnd::FailedForGood(vec![format!(
                "its output has {} bytes, of at most {MOST_OUTPUT}: apply what is large, and return its reference",
                json.len()
            )]),
            Ok(Some(json)) => match RawValue::from_string(json) {
                Ok(output) => AttemptEnd::Succeeded(Some(output)),
                Err(error) => failed(error.into()),
            },
        }
    }

    /// Extends the lease if it is time to, and looks whether the job is to stop. Called by the worker, again and again.
    ///
    /// `false` if the worker gives the job up: its thread may go on, but nothing that it says counts.
    pub(crate) fn beat(&self, handle: &Jobs) -> Beat {
        let mut state = self.state();
        let RunState::Held { claim, since, beaten, timeout, late: is_late } = &mut *state else {
            return Beat::Quiet;
        };
        let took = since.elapsed();
        if let Some(timeout) = *timeout
            && took >= timeout
        {
            self.shared.cancelled.store(true, Ordering::Relaxed);
            *is_late = true;
            let is_last = claim.job.failures >= retries_of(handle, claim);
            // Where another attempt is to come, it must not begin beside this one.
            if is_last || took >= timeout.saturating_mul(2) {
                let mut error = vec![late(timeout)];
                if !is_last {
                    error.push("it did not stop when it was told to".into());
                }
                let outcome = AttemptEnd::FailedForGood(error);
                let news = self.shared.news(claim);
                let ended = news.and_then(|news| handle.end_attempt(claim, &news, &outcome));
                if ended.is_ok() {
                    *state = RunState::GivenUp;
                    return Beat::GivenUp;
                }
                return Beat::Quiet;
            }
        }
        let has_news = self.shared.has_news() && beaten.elapsed() >= NEWS;
        if !has_news && beaten.elapsed() < claim.lease / 3 {
            return Beat::Quiet;
        }
        let extended = self.shared.news(claim).and_then(|news| {
            let job = handle.extend_lease(claim, &news)?;
            self.shared.wrote(&news);
            Ok(job)
        });
        match extended {
            Ok(Some(job)) => {
                if job.cancel.is_some() {
                    self.shared.cancelled.store(true, Ordering::Relaxed);
                }
                *beaten = Instant::now();
                Beat::Extended
            }
            // Somebody else has it.
            Ok(None) => {
                self.shared.cancelled.store(true, Ordering::Relaxed);
                *state = RunState::GivenUp;
                Beat::GivenUp
            }
            Err(_) => {
                // It is tried again until the lease is over; then another may have it.
                if beaten.elapsed() >= claim.lease {
                    self.shared.cancelled.store(true, Ordering::Relaxed);
                }
                Beat::Quiet
            }
        }
    }
}

/// What a worker did for a job.
pub(crate) enum Beat {
    Quiet,
    Extended,
    GivenUp,
}

/// How long what a job says may wait to be written.
pub(crate) const NEWS: Duration = Duration::from_millis(500);

fn retries_of(handle: &Jobs, claim: &Claim) -> u32 {
    let table = handle.triggers_of(claim.job.type_tag.as_str());
    table.and_then(|table| table.find(&claim.job.trigger)).map_or(0, TriggerEntry::retries)
}

fn late(timeout: Duration) -> String {
    format!("it took longer than {}", humantime::format_duration(timeout))
}

/// Tries again while the store fails and the lease lasts: the result of an attempt is worth it.
fn patiently<T>(lease: Duration, mut write: impl FnMut() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match write() {
            Err(Error::Store { .. } | Error::Conflict { .. }) if begun.elapsed() < lease => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            written => return written,
        }
    }
}

/// What an error and its causes say.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.take(MOST_CAUSES).map(|cause| cut(&cause.to_string(), MOST_LINE)).collect()
}

/// The components that a worker has loaded.
#[derive(Default)]
pub(crate) struct Instances {
    loaded: Mutex<HashMap<(Identifier, VersionNumber), Instance>>,
}

type Instance = Arc<Ready<dyn Component>>;

impl Instances {
    /// The component of a job's version: the same for all jobs of it, as long as the worker keeps it.
    fn get(&self, handle: &Jobs, claim: &Claim) -> Result<Instance> {
        let of = (claim.id.name().clone(), claim.id.version());
        // Jobs of one version wait for each other here, so that it is loaded once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = loaded.get(&of) {
            return Ok(component.clone());
        }
        let component =
            Arc::new(handle.larder().load_version(claim.id.name(), claim.id.version())?);
        if loaded.len() >= MOST_INSTANCES {
            loaded.clear();
        }
        loaded.insert(of, component.clone());
        Ok(component)
    }
}
