//! One job on its own thread, from claim to result.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use larder_core::extend::{Records, catch_panic};
use larder_core::store::{JobStatus, Timestamp, VersionNumber};
use larder_core::versions::JobId;
use larder_core::{BoxError, Component, Error, Identifier, Ready, Result};
use serde_json::value::RawValue;

use crate::claim::Claim;
use crate::claiming::{AttemptEnd, ClaimOutcome};
use crate::context::JobContext;
use crate::items::RegistryJobs;
use crate::jobs::Jobs;
use crate::output::AttemptState;
use crate::table::TriggerEntry;
use crate::{MAX_LINE, MAX_OUTPUT, truncate};

/// Maximum recorded causes of a failure.
const MAX_CAUSES: usize = 32;
/// Maximum components that a worker caches.
const MAX_COMPONENTS: usize = 32;

/// A job of a worker, shared by its thread and the worker.
pub(crate) struct Running {
    pub(crate) id: JobId,
    pub(crate) attempt: Arc<AttemptState>,
    state: Mutex<RunState>,
}

enum RunState {
    /// Its thread is claiming it.
    Claiming,
    Held {
        claim: Box<Claim>,
        started: Instant,
        extended_at: Instant,
        timeout: Option<Duration>,
        timed_out: bool,
    },
    /// Finished or lost by the worker; the result of its thread is ignored.
    Abandoned,
}

/// The result of running a job.
pub(crate) enum JobOutcome {
    /// The job has finished, here or elsewhere.
    Finished,
    /// Retry at the given time, if known.
    Later(Option<Timestamp>),
    /// The type or trigger is not linked in.
    NotLinked,
}

impl Running {
    pub(crate) fn new(id: JobId) -> Self {
        Self { id, attempt: Arc::default(), state: Mutex::new(RunState::Claiming) }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, RunState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims the job and runs it, on the job's thread.
    pub(crate) fn run(
        &self,
        jobs: &Jobs,
        lease: Duration,
        components: &ComponentCache,
    ) -> Result<JobOutcome> {
        let claim = match jobs.claim_job(&self.id, lease)? {
            ClaimOutcome::Acquired(claim) => claim,
            ClaimOutcome::Later(until) => return Ok(JobOutcome::Later(until)),
            ClaimOutcome::Ended | ClaimOutcome::Finished => return Ok(JobOutcome::Finished),
            ClaimOutcome::NotLinked => return Ok(JobOutcome::NotLinked),
        };
        let Some(table) = jobs.registry().triggers_of(claim.job.type_tag.as_str()) else {
            return Ok(JobOutcome::NotLinked);
        };
        let Some(entry) = table.find(&claim.job.trigger) else { return Ok(JobOutcome::NotLinked) };
        let now = Instant::now();
        *self.state() = RunState::Held {
            claim: claim.clone(),
            started: now,
            extended_at: now,
            timeout: entry.timeout(),
            timed_out: false,
        };
        let mut outcome = self.run_attempt(jobs, &claim, entry, components);
        // From here on the worker neither extends the lease nor finishes the job.
        match std::mem::replace(&mut *self.state(), RunState::Abandoned) {
            RunState::Held { timed_out: true, timeout: Some(timeout), .. } => {
                outcome = AttemptEnd::Failed {
                    error: vec![timeout_message(timeout)],
                    retries: entry.retries(),
                };
            }
            RunState::Held { .. } => {}
            _ => return Ok(JobOutcome::Finished),
        }
        let batch = self.attempt.next_batch(&claim)?;
        let ended = retry_within(lease, || jobs.end_attempt(&claim, &batch, &outcome))?;
        Ok(match ended {
            Some(JobStatus::Pending) => JobOutcome::Later(None),
            _ => JobOutcome::Finished,
        })
    }

    fn run_attempt(
        &self,
        jobs: &Jobs,
        claim: &Claim,
        entry: &TriggerEntry,
        components: &ComponentCache,
    ) -> AttemptEnd {
        let retries = entry.retries();
        let failed = |error: BoxError| AttemptEnd::Failed { error: causes(&*error), retries };
        let component = match components.get(jobs, claim) {
            Ok(component) => component,
            Err(error) => return failed(error.into()),
        };
        if let Some(field) = entry.unmet(component.peek()) {
            return AttemptEnd::Skipped(format!("it requires `{field}`, which is not set"));
        }
        // Set up once and shared by all jobs of the version on this worker.
        let component = match component.get() {
            Ok(component) => component,
            Err(error) => return failed(error.into()),
        };
        let context = JobContext {
            jobs: jobs.clone(),
            claim: claim.clone(),
            state: self.attempt.clone(),
            published: AtomicU32::new(0),
        };
        let what = format!("the trigger `{}`", entry.name());
        // Other jobs use the component concurrently, so it must tolerate a panic anyway.
        match catch_panic(&what, || (entry.run)(component, &context)).flatten() {
            Err(error) => failed(error),
            Ok(None) => AttemptEnd::Succeeded(None),
            Ok(Some(json)) if json.len() > MAX_OUTPUT => {
                AttemptEnd::FailedPermanently(vec![format!(
                    "its output has {} bytes, more than {MAX_OUTPUT}; apply large values, and return a reference",
                    json.len()
                )])
            }
            Ok(Some(json)) => match RawValue::from_string(json) {
                Ok(output) => AttemptEnd::Succeeded(Some(output)),
                Err(error) => failed(error.into()),
            },
        }
    }

    /// Extends the lease and writes output when due, and stops a job that timed out or was cancelled. Polled by the
    /// worker.
    pub(crate) fn heartbeat(&self, jobs: &Jobs) -> Heartbeat {
        let mut state = self.state();
        let RunState::Held { claim, started, extended_at, timeout, timed_out } = &mut *state else {
            return Heartbeat::Idle;
        };
        let took = started.elapsed();
        if let Some(timeout) = *timeout
            && took >= timeout
        {
            self.attempt.cancelled.store(true, Ordering::Relaxed);
            *timed_out = true;
            let is_last = claim.job.failures >= retries_of(jobs, claim);
            // Before a retry, this attempt gets time to stop, so that the two do not overlap.
            if is_last || took >= timeout.saturating_mul(2) {
                let mut error = vec![timeout_message(timeout)];
                if !is_last {
                    error.push("it did not stop when cancelled".into());
                }
                let outcome = AttemptEnd::FailedPermanently(error);
                let batch = self.attempt.next_batch(claim);
                let ended = batch.and_then(|batch| jobs.end_attempt(claim, &batch, &outcome));
                if ended.is_ok() {
                    *state = RunState::Abandoned;
                    return Heartbeat::Abandoned;
                }
                return Heartbeat::Idle;
            }
        }
        let has_unwritten =
            self.attempt.has_unwritten() && extended_at.elapsed() >= OUTPUT_INTERVAL;
        if !has_unwritten && extended_at.elapsed() < claim.lease / 3 {
            return Heartbeat::Idle;
        }
        let extended = self.attempt.next_batch(claim).and_then(|batch| {
            let job = jobs.extend_lease(claim, &batch)?;
            self.attempt.mark_written(&batch);
            Ok(job)
        });
        match extended {
            Ok(Some(job)) => {
                if job.cancel.is_some() {
                    self.attempt.cancelled.store(true, Ordering::Relaxed);
                }
                *extended_at = Instant::now();
                Heartbeat::Extended
            }
            // Another worker has claimed it.
            Ok(None) => {
                self.attempt.cancelled.store(true, Ordering::Relaxed);
                *state = RunState::Abandoned;
                Heartbeat::Abandoned
            }
            Err(_) => {
                // Retried until the lease expires; then another worker may claim it.
                if extended_at.elapsed() >= claim.lease {
                    self.attempt.cancelled.store(true, Ordering::Relaxed);
                }
                Heartbeat::Idle
            }
        }
    }
}

/// The result of a heartbeat.
pub(crate) enum Heartbeat {
    Idle,
    Extended,
    Abandoned,
}

/// Maximum delay of progress and log lines.
pub(crate) const OUTPUT_INTERVAL: Duration = Duration::from_millis(500);

fn retries_of(jobs: &Jobs, claim: &Claim) -> u32 {
    let table = jobs.registry().triggers_of(claim.job.type_tag.as_str());
    table.and_then(|table| table.find(&claim.job.trigger)).map_or(0, TriggerEntry::retries)
}

fn timeout_message(timeout: Duration) -> String {
    format!("it took longer than {}", humantime::format_duration(timeout))
}

/// Retries a failed write until the lease expires, so that the result of the attempt is not lost.
fn retry_within<T>(lease: Duration, mut write: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(10);
    loop {
        match write() {
            Err(Error::Store { .. } | Error::Conflict { .. }) if start.elapsed() < lease => {
                thread::sleep(pause);
                pause = (pause * 2).min(Duration::from_secs(1));
            }
            written => return written,
        }
    }
}

/// Returns the messages of an error and its sources.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> Vec<String> {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.take(MAX_CAUSES).map(|cause| truncate(&cause.to_string(), MAX_LINE)).collect()
}

/// The components loaded by a worker.
#[derive(Default)]
pub(crate) struct ComponentCache {
    loaded: Mutex<HashMap<(Identifier, VersionNumber), CachedComponent>>,
}

type CachedComponent = Arc<Ready<dyn Component>>;

impl ComponentCache {
    /// Returns the component of a job's version, shared by all of its jobs.
    fn get(&self, jobs: &Jobs, claim: &Claim) -> Result<CachedComponent> {
        let key = (claim.id.name().clone(), claim.id.version());
        // The lock is held while loading, so each version is loaded once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = loaded.get(&key) {
            return Ok(component.clone());
        }
        let component = Arc::new(jobs.larder().load_version(claim.id.name(), claim.id.version())?);
        if loaded.len() >= MAX_COMPONENTS {
            loaded.clear();
        }
        loaded.insert(key, component.clone());
        Ok(component)
    }
}
