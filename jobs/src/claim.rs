//! Taking a job, keeping it, and saying how it ended.

use std::time::Duration;

use crate::context::UnwrittenOutput;
use crate::jobs::Jobs;
use crate::judge::{InspectedJob, Verdict};
use crate::record::{JobRecord, Lease, job_key, queue_key};
use crate::run::unlike_any_other;
use larder_core::store::Timestamp;
use larder_core::store::{Change, Committed, Expected, JobStatus, Record, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Result, record};

/// How often a write that another writer overtook is tried again.
pub(crate) const MOST_TRIES: u32 = 100;
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

/// How an attempt ended.
pub(crate) enum Outcome {
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
    /// Tries to claim a job for so long.
    pub(crate) fn claim_job(&self, id: &JobId, lease: Duration) -> Result<Claimed> {
        for _ in 0..MOST_TRIES {
            let Some(InspectedJob { found, verdict, .. }) =
                self.look_at(std::slice::from_ref(id))?.pop()
            else {
                return Ok(Claimed::Over);
            };
            let Some((found, mut job)) = found else {
                return Ok(match verdict {
                    Verdict::Damaged(_) => Claimed::NotHere,
                    _ => Claimed::Over,
                });
            };
            match verdict {
                Verdict::Run => {}
                Verdict::Wait(until) => return Ok(Claimed::Later(until)),
                Verdict::NotLinked | Verdict::Damaged(_) => return Ok(Claimed::NotHere),
                Verdict::Missing | Verdict::Over => return Ok(Claimed::Over),
                Verdict::End(status, reason) => {
                    let job = job.over(status, self.now(), vec![reason]);
                    let expected = Expected::Revision(found.revision);
                    let changes = [record::put(job_key(id)?, &job, expected)?, leave_queue(id)?];
                    match self.store().commit(&changes)? {
                        Committed::All => return Ok(Claimed::Ended),
                        Committed::Conflict { .. } => continue,
                    }
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
            let expected = Expected::Revision(found.revision);
            let change = record::put(job_key(id)?, &job, expected)?;
            if self.store().commit(&[change])? == Committed::All {
                return Ok(Claimed::Mine(Box::new(Claim { id: id.clone(), job, holder, lease })));
            }
        }
        // Others are at it.
        Ok(Claimed::Later(None))
    }

    /// Changes a job that is ours, after other changes; `None` if it is ours no longer.
    pub(crate) fn change_held(
        &self,
        claim: &Claim,
        before: &[Change],
        change: impl Fn(JobRecord) -> JobRecord,
    ) -> Result<Option<JobRecord>> {
        let key = job_key(&claim.id)?;
        for _ in 0..MOST_TRIES {
            let Some((found, job)) = self.held(claim)? else { return Ok(None) };
            let job = change(job);
            let mut changes = before.to_vec();
            changes.push(record::put(key.clone(), &job, Expected::Revision(found.revision))?);
            if self.store().commit(&changes)? == Committed::All {
                return Ok(Some(job));
            }
        }
        Err(Error::Conflict { what: claim.id.to_string() })
    }

    /// The record of a job, if it is ours.
    pub(crate) fn held(&self, claim: &Claim) -> Result<Option<(Record, JobRecord)>> {
        let key = job_key(&claim.id)?;
        let Some(found) = self.store().get_record(&key)? else { return Ok(None) };
        let job: JobRecord = record::read(&key, &found)?;
        Ok(job.is_held_by(&claim.holder).then_some((found, job)))
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
        outcome: &Outcome,
    ) -> Result<Option<JobStatus>> {
        let now = self.now();
        let key = job_key(&claim.id)?;
        for _ in 0..MOST_TRIES {
            let Some((found, mut job)) = self.held(claim)? else { return Ok(None) };
            if news.progress.is_some() {
                job.progress.clone_from(&news.progress);
            }
            let job = ended(job, outcome, now);
            let status = job.status;
            let mut changes = news.changes.clone();
            changes.push(record::put(key.clone(), &job, Expected::Revision(found.revision))?);
            if status.is_over() {
                changes.push(leave_queue(&claim.id)?);
            }
            if self.store().commit(&changes)? == Committed::All {
                return Ok(Some(status));
            }
        }
        Err(Error::Conflict { what: claim.id.to_string() })
    }
}

/// The job after an attempt.
fn ended(mut job: JobRecord, outcome: &Outcome, now: Timestamp) -> JobRecord {
    let was_cancelled = job.cancel.is_some();
    match outcome {
        Outcome::Succeeded(output) => {
            job.output.clone_from(output);
            job.over(JobStatus::Succeeded, now, Vec::new())
        }
        Outcome::Skipped(reason) => {
            // It never ran.
            job.attempt -= job.attempt.min(1);
            job.started = None;
            job.over(JobStatus::Skipped, now, vec![reason.clone()])
        }
        Outcome::Failed { error, .. } | Outcome::FailedForGood(error) if was_cancelled => {
            job.failures = job.failures.saturating_add(1);
            job.over(JobStatus::Cancelled, now, error.clone())
        }
        Outcome::Failed { error, retries } if job.failures < *retries => {
            let pause = FIRST_PAUSE.saturating_mul(1 << job.failures.min(16)).min(LONGEST_PAUSE);
            job.failures = job.failures.saturating_add(1);
            job.status = JobStatus::Pending;
            job.lease = None;
            job.not_before = Some(Timestamp::new(now.as_system_time() + pause));
            job.error.clone_from(error);
            job
        }
        Outcome::Failed { error, .. } | Outcome::FailedForGood(error) => {
            job.failures = job.failures.saturating_add(1);
            job.over(JobStatus::Failed, now, error.clone())
        }
    }
}

/// The change that takes a job out of the queue.
pub(crate) fn leave_queue(id: &JobId) -> Result<Change> {
    Ok(Change::RemoveRecord { key: queue_key(id)?, expected: Expected::Anything })
}
