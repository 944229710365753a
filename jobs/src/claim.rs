//! Taking a job, keeping it, and saying how it ended.

use std::time::Duration;

use crate::context::UnwrittenOutput;
use crate::jobs::Jobs;
use crate::judge::{InspectedJob, Verdict};
use crate::record::{JobRecord, Lease, job_key, queue_key};
use crate::run::unlike_any_other;
use larder_core::store::Timestamp;
use larder_core::store::{Change, Expected, JobStatus, Outcome, Transaction};
use larder_core::versions::JobId;
use larder_core::{Error, Result, record};

/// How long a job waits for its second attempt; twice as long for each one after that.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest that it waits.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// How an attempt to claim a job ended.
pub(crate) enum Claimed {
    /// It is ours.
    Mine(Box<Claim>),
    /// It is not to run now; perhaps at a time that is known.
    Later(Option<Timestamp>),
    /// It did not run, and is over now.
    Ended,
    /// It is over, or there is none.
    Over,
    /// Its code is not linked in, or its record is damaged: others may look at it.
    NotHere,
}

/// A job that this process has.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) id: JobId,
    pub(crate) job: JobRecord,
    pub(crate) holder: String,
    pub(crate) lease: Duration,
}

impl Claim {
    /// Reads the record of the job; `None` if another worker has it by now.
    pub(crate) fn read(&self, tx: &mut Transaction<'_>) -> Result<Option<JobRecord>> {
        let job = tx.read::<JobRecord>(&job_key(&self.id)?)?;
        Ok(job.filter(|job| job.is_held_by(&self.holder)))
    }
}

/// How an attempt ended.
pub(crate) enum AttemptEnd {
    Succeeded(Option<Box<serde_json::value::RawValue>>),
    /// It may be tried again, so often in all.
    Failed {
        error: Vec<String>,
        retries: u32,
    },
    /// It is not tried again.
    FailedForGood(Vec<String>),
    Skipped(String),
}

impl Jobs {
    /// Claims a job for the time `lease`, if it is to run now.
    pub(crate) fn claim_job(&self, id: &JobId, lease: Duration) -> Result<Claimed> {
        self.transact(id, |tx| {
            let inspected = self.look_at(std::slice::from_ref(id))?.pop();
            let Some(InspectedJob { found, verdict, .. }) = inspected else {
                return Err(Error::internal(format!("{id} was not looked at")));
            };
            let Some((found, mut job)) = found else {
                return Ok(Outcome::Done(match verdict {
                    Verdict::Damaged(_) => Claimed::NotHere,
                    _ => Claimed::Over,
                }));
            };
            let expected = Expected::Revision(found.revision);
            match verdict {
                Verdict::Run => {}
                Verdict::Wait(until) => return Ok(Outcome::Done(Claimed::Later(until))),
                Verdict::NotLinked | Verdict::Damaged(_) => {
                    return Ok(Outcome::Done(Claimed::NotHere));
                }
                Verdict::Missing | Verdict::Over => return Ok(Outcome::Done(Claimed::Over)),
                Verdict::End(status, reason) => {
                    let job = job.over(status, self.now(), vec![reason]);
                    tx.push(record::put(job_key(id)?, &job, expected)?);
                    tx.remove_any(queue_key(id)?);
                    return Ok(Outcome::Commit(Claimed::Ended));
                }
            }
            if job.status == JobStatus::Running {
                job.losses = job.losses.saturating_add(1);
            }
            let now = self.now();
            let holder =
                format!("{:.32}", blake3::hash(unlike_any_other("claim").as_bytes()).to_hex());
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
            Ok(Outcome::Commit(Claimed::Mine(Box::new(claim))))
        })
        .or_else(|error| match error {
            // Other workers change it all the time: it is looked at again later.
            Error::Conflict { .. } => Ok(Claimed::Later(None)),
            error => Err(error),
        })
    }

    /// Changes a job that this process has, after other changes; `None` if it has it no longer.
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

    /// Keeps a job for another lease; `None` if it is ours no longer.
    pub(crate) fn extend_lease(
        &self,
        claim: &Claim,
        news: &UnwrittenOutput,
    ) -> Result<Option<JobRecord>> {
        self.change_held(claim, &news.changes, |mut job| {
            let until = Timestamp::new(self.now().as_system_time() + claim.lease);
            job.lease = Some(Lease { holder: claim.holder.clone(), until });
            if news.progress.is_some() {
                job.progress.clone_from(&news.progress);
            }
            job
        })
    }

    /// Says how a job ended; `None` if it is ours no longer, and somebody else says so.
    pub(crate) fn end_attempt(
        &self,
        claim: &Claim,
        news: &UnwrittenOutput,
        outcome: &AttemptEnd,
    ) -> Result<Option<JobStatus>> {
        let now = self.now();
        let key = job_key(&claim.id)?;
        self.transact(&claim.id, |tx| {
            let Some(mut job) = claim.read(tx)? else { return Ok(Outcome::Done(None)) };
            if news.progress.is_some() {
                job.progress.clone_from(&news.progress);
            }
            let job = ended(job, outcome, now);
            let status = job.status;
            tx.extend(news.changes.iter().cloned());
            tx.put(key.clone(), &job)?;
            if status.is_over() {
                tx.remove_any(queue_key(&claim.id)?);
            }
            Ok(Outcome::Commit(Some(status)))
        })
    }
}

/// The job after an attempt.
fn ended(mut job: JobRecord, outcome: &AttemptEnd, now: Timestamp) -> JobRecord {
    let was_cancelled = job.cancel.is_some();
    match outcome {
        AttemptEnd::Succeeded(output) => {
            job.output.clone_from(output);
            job.over(JobStatus::Succeeded, now, Vec::new())
        }
        AttemptEnd::Skipped(reason) => {
            // It never ran.
            job.attempt -= job.attempt.min(1);
            job.started = None;
            job.over(JobStatus::Skipped, now, vec![reason.clone()])
        }
        AttemptEnd::Failed { error, .. } | AttemptEnd::FailedForGood(error) if was_cancelled => {
            job.failures = job.failures.saturating_add(1);
            job.over(JobStatus::Cancelled, now, error.clone())
        }
        AttemptEnd::Failed { error, retries } if job.failures < *retries => {
            let pause = FIRST_PAUSE.saturating_mul(1 << job.failures.min(16)).min(LONGEST_PAUSE);
            job.failures = job.failures.saturating_add(1);
            job.status = JobStatus::Pending;
            job.lease = None;
            job.not_before = Some(Timestamp::new(now.as_system_time() + pause));
            job.error.clone_from(error);
            job
        }
        AttemptEnd::Failed { error, .. } | AttemptEnd::FailedForGood(error) => {
            job.failures = job.failures.saturating_add(1);
            job.over(JobStatus::Failed, now, error.clone())
        }
    }
}
