//! Cancelling jobs, and trying them again.

use std::collections::BTreeSet;

use crate::claim::{MOST_TRIES, leave_queue};
use crate::history::JobInfo;
use crate::jobs::Jobs;
use crate::record::{JobRecord, QueueRecord, job_in, job_key, jobs_of_version, queue_key};
use larder_core::store::{Committed, Expected, JobStatus, Record, RecordKey, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Result, record};

impl Jobs {
    /// Cancels a job. One that waits is over at once; one that runs is told to stop, and may succeed all the same.
    ///
    /// What depends on it is blocked.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is over; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn cancel(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<JobInfo> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        let key = job_key(&id)?;
        for _ in 0..MOST_TRIES {
            let Some(found) = self.store().get_record(&key)? else {
                return Err(self.no_such_job(&id));
            };
            let mut job: JobRecord = record::read(&key, &found)?;
            let expected = Expected::Revision(found.revision);
            let changes = match job.status {
                JobStatus::Pending => {
                    let reason = vec!["somebody cancelled it".to_owned()];
                    let job = job.over(JobStatus::Cancelled, self.now(), reason);
                    vec![record::put(key.clone(), &job, expected)?, leave_queue(&id)?]
                }
                JobStatus::Running => {
                    job.cancel = Some(self.now());
                    vec![record::put(key.clone(), &job, expected)?]
                }
                status => return Err(refused(&id, "cancel", status)),
            };
            if self.store().commit(&changes)? == Committed::All {
                // What waits for it is looked at.
                let _ = self.queue().submit(&self.jobs_after(&id)?);
                return self.get(&id);
            }
        }
        Err(Error::Conflict { what: id.to_string() })
    }

    /// Lets a job that failed, or was cancelled, skipped or blocked, run again from the beginning, with all its retries;
    /// and with it what was blocked or skipped because of it. Gives all of them, dependencies first.
    ///
    /// # Errors
    /// [`Error::Refused`] if it is not over, or has succeeded; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn retry(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<Vec<JobInfo>> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        for _ in 0..MOST_TRIES {
            let run = format!("{}{}-", jobs_of_version(id.name(), id.version()), id.run());
            // Those that begin again, by their ids alone.
            let mut again: BTreeSet<String> = BTreeSet::new();
            let mut jobs: Vec<(JobId, RecordKey, Record, JobRecord)> = Vec::new();
            // Dependencies come first.
            for found in self.store().records(run) {
                let (key, found) = found?;
                let (job_id, job) = (job_in(&key)?, record::read::<JobRecord>(&key, &found)?);
                if job_id == id {
                    if !job.status.is_over() || job.status == JobStatus::Succeeded {
                        return Err(refused(&id, "retry", job.status));
                    }
                } else {
                    let was_stopped = matches!(job.status, JobStatus::Blocked | JobStatus::Skipped);
                    if !was_stopped || !job.depends_on.values().any(|needed| again.contains(needed))
                    {
                        continue;
                    }
                }
                again.insert(job_id.id().to_owned());
                jobs.push((job_id, key, found, job));
            }
            if jobs.is_empty() {
                return Err(self.no_such_job(&id));
            }
            let mut changes = Vec::with_capacity(2 * jobs.len());
            let now = self.now();
            for (id, key, found, job) in &jobs {
                let line = QueueRecord::new(id.clone(), now);
                changes.push(record::put(queue_key(id)?, &line, Expected::Anything)?);
                let expected = Expected::Revision(found.revision.clone());
                changes.push(record::put(key.clone(), &job.clone().again(), expected)?);
            }
            if self.store().commit(&changes)? == Committed::All {
                let ids: Vec<_> = jobs.into_iter().map(|(id, ..)| id).collect();
                let _ = self.queue().submit(&ids[..1]);
                return ids.iter().map(|id| self.get(id)).collect();
            }
        }
        Err(Error::Conflict { what: id.to_string() })
    }
}

fn refused(id: &JobId, verb: &str, status: JobStatus) -> Error {
    let reason = match status {
        JobStatus::Succeeded => "it has already succeeded",
        JobStatus::Pending => "it is still pending",
        JobStatus::Running => "it is running; cancel it first, or wait for it",
        _ => "it has already finished",
    };
    Error::Refused { action: format!("{verb} the job {id}"), reason: reason.into() }
}
