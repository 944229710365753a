//! Claiming a job, extending its lease and writing its result.

use std::time::Duration;

use larder_core::store::{Change, Expected, JobStatus, Outcome, Timestamp};
use larder_core::versions::JobId;
use larder_core::{Error, Result, record};
use serde_json::value::RawValue;

use crate::claim::Claim;
use crate::jobs::Jobs;
use crate::output::OutputBatch;
use crate::readiness::{InspectedJob, Readiness};
use crate::record::{JobRecord, Lease, job_key, queue_key};
use crate::run_id::unique_text;

/// Delay before the second attempt; doubles for each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
/// Maximum delay before an attempt.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// The result of claiming a job.
pub(crate) enum ClaimOutcome {
    Acquired(Box<Claim>),
    /// Not ready, until the given time if known.
    Later(Option<Timestamp>),
    /// Finished without running.
    Ended,
    /// Already finished, or missing.
    Finished,
    /// The type or trigger is not linked in, or the record is damaged.
    NotLinked,
}

/// The result of an attempt.
pub(crate) enum AttemptEnd {
    Succeeded(Option<Box<RawValue>>),
    /// Retried up to `retries` times in all.
    Failed {
        error: Vec<String>,
        retries: u32,
    },
    /// Not retried.
    FailedPermanently(Vec<String>),
    Skipped(String),
}

impl Jobs {
    /// Claims a job for the duration `lease`, if it is ready.
    pub(crate) fn claim_job(&self, id: &JobId, lease: Duration) -> Result<ClaimOutcome> {
        self.transact(id, |tx| {
            let inspected = self.inspect(std::slice::from_ref(id))?.pop();
            let Some(InspectedJob { found, readiness, .. }) = inspected else {
                return Err(Error::internal(format!("{id} was not inspected")));
            };
            let Some((found, mut job)) = found else {
                return Ok(Outcome::Done(match readiness {
                    Readiness::Damaged(_) => ClaimOutcome::NotLinked,
                    _ => ClaimOutcome::Finished,
                }));
            };
            let expected = Expected::Revision(found.revision);
            match readiness {
                Readiness::Ready => {}
                Readiness::Wait(until) => return Ok(Outcome::Done(ClaimOutcome::Later(until))),
                Readiness::NotLinked | Readiness::Damaged(_) => {
                    return Ok(Outcome::Done(ClaimOutcome::NotLinked));
                }
                Readiness::Missing | Readiness::Finished => {
                    return Ok(Outcome::Done(ClaimOutcome::Finished));
                }
                Readiness::End(status, reason) => {
                    let job = job.finish(status, self.now(), vec![reason]);
                    tx.push(record::put(job_key(id)?, &job, expected)?);
                    tx.remove_any(queue_key(id)?);
                    return Ok(Outcome::Commit(ClaimOutcome::Ended));
                }
            }
            if job.status == JobStatus::Running {
                job.losses = job.losses.saturating_add(1);
            }
            let now = self.now();
            let holder = format!("{:.32}", blake3::hash(unique_text("claim").as_bytes()).to_hex());
            job.status = JobStatus::Running;
            job.attempt = job.attempt.saturating_add(1);
            job.started = Some(now);
            job.not_before = None;
            job.progress = None;
            job.error.clear();
            let until = Timestamp::new(now.as_system_time() + lease);
            job.lease = Some(Lease { holder: holder.clone(), until });
            tx.push(record::put(job_key(id)?, &job, expected)?);
            let claim = Claim { id: id.clone(), job, holder, lease };
            Ok(Outcome::Commit(ClaimOutcome::Acquired(Box::new(claim))))
        })
        .or_else(|error| match error {
            // Contended by other workers; retried later.
            Error::Conflict { .. } => Ok(ClaimOutcome::Later(None)),
            error => Err(error),
        })
    }

    /// Changes a claimed job, after the changes `before`; `None` if the claim is lost.
    pub(crate) fn change_held(
        &self,
        claim: &Claim,
        before: &[Change],
        change: impl Fn(JobRecord) -> JobRecord,
    ) -> Result<Option<JobRecord>> {
        let key = job_key(&claim.id)?;
        self.transact(&claim.id, |tx| {
            let Some(job) = claim.read(tx)? else { return Ok(Outcome::Done(None)) };
            let job = change(job);
            tx.extend(before.iter().cloned());
            tx.put(key.clone(), &job)?;
            Ok(Outcome::Commit(Some(job)))
        })
    }

    /// Extends the lease of a job; `None` if the claim is lost.
    pub(crate) fn extend_lease(
        &self,
        claim: &Claim,
        batch: &OutputBatch,
    ) -> Result<Option<JobRecord>> {
        self.change_held(claim, &batch.changes, |mut job| {
            let until = Timestamp::new(self.now().as_system_time() + claim.lease);
            job.lease = Some(Lease { holder: claim.holder.clone(), until });
            if batch.progress.is_some() {
                job.progress.clone_from(&batch.progress);
            }
            job
        })
    }

    /// Writes the result of an attempt; `None` if the claim is lost.
    pub(crate) fn end_attempt(
        &self,
        claim: &Claim,
        batch: &OutputBatch,
        outcome: &AttemptEnd,
    ) -> Result<Option<JobStatus>> {
        let now = self.now();
        let key = job_key(&claim.id)?;
        self.transact(&claim.id, |tx| {
            let Some(mut job) = claim.read(tx)? else { return Ok(Outcome::Done(None)) };
            if batch.progress.is_some() {
                job.progress.clone_from(&batch.progress);
            }
            let job = after_attempt(job, outcome, now);
            let status = job.status;
            tx.extend(batch.changes.iter().cloned());
            tx.put(key.clone(), &job)?;
            if status.is_over() {
                tx.remove_any(queue_key(&claim.id)?);
            }
            Ok(Outcome::Commit(Some(status)))
        })
    }
}

/// Returns the job after an attempt.
fn after_attempt(mut job: JobRecord, outcome: &AttemptEnd, now: Timestamp) -> JobRecord {
    let was_cancelled = job.cancel.is_some();
    match outcome {
        AttemptEnd::Succeeded(output) => {
            job.output.clone_from(output);
            job.finish(JobStatus::Succeeded, now, Vec::new())
        }
        AttemptEnd::Skipped(reason) => {
            // A skipped attempt does not count.
            job.attempt -= job.attempt.min(1);
            job.started = None;
            job.finish(JobStatus::Skipped, now, vec![reason.clone()])
        }
        AttemptEnd::Failed { error, .. } | AttemptEnd::FailedPermanently(error)
            if was_cancelled =>
        {
            job.failures = job.failures.saturating_add(1);
            job.finish(JobStatus::Cancelled, now, error.clone())
        }
        AttemptEnd::Failed { error, retries } if job.failures < *retries => {
            let delay = FIRST_BACKOFF.saturating_mul(1 << job.failures.min(16)).min(MAX_BACKOFF);
            job.failures = job.failures.saturating_add(1);
            job.status = JobStatus::Pending;
            job.lease = None;
            job.not_before = Some(Timestamp::new(now.as_system_time() + delay));
            job.error.clone_from(error);
            job
        }
        AttemptEnd::Failed { error, .. } | AttemptEnd::FailedPermanently(error) => {
            job.failures = job.failures.saturating_add(1);
            job.finish(JobStatus::Failed, now, error.clone())
        }
    }
}
