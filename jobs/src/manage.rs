//! Cancelling and retrying jobs.

use std::collections::BTreeSet;

use larder_core::store::{Expected, JobStatus, Outcome, Record, RecordKey, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Error, Result, record};

use crate::history::JobInfo;
use crate::jobs::Jobs;
use crate::record::{JobRecord, QueueRecord, job_id_of, job_key, queue_key, version_jobs_prefix};

impl Jobs {
    /// Cancels a job. A pending job ends at once; a running one is asked to stop, and may still succeed.
    ///
    /// Jobs that depend on it are blocked.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has finished; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn cancel(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<JobInfo> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        let key = job_key(&id)?;
        self.transact(&id, |tx| {
            let Some(mut job) = tx.read::<JobRecord>(&key)? else {
                return Err(self.no_such_job(&id));
            };
            match job.status {
                JobStatus::Pending => {
                    let reason = vec!["it was cancelled".to_owned()];
                    let job = job.finish(JobStatus::Cancelled, self.now(), reason);
                    tx.put(key.clone(), &job)?;
                    tx.remove_any(queue_key(&id)?);
                }
                JobStatus::Running => {
                    job.cancel = Some(self.now());
                    tx.put(key.clone(), &job)?;
                }
                status => return Err(refused(&id, "cancel", status)),
            }
            Ok(Outcome::Commit(()))
        })?;
        // Best effort: workers find unsubmitted jobs in the store.
        let _ = self.queue().submit(&self.dependents(&id)?);
        self.get(&id)
    }

    /// Restarts a job that failed or was cancelled, skipped or blocked, with all its retries, and the jobs that were blocked
    /// or skipped because of it. Returns all of them, dependencies first.
    ///
    /// # Errors
    /// [`Error::Refused`] if it has not finished, or has succeeded; [`Error::NotFound`]; [`Error::Conflict`]; [`Error::Store`].
    pub fn retry(&self, id: impl TryInto<JobId, Error: Into<Error>>) -> Result<Vec<JobInfo>> {
        let id: JobId = id.try_into().map_err(Into::into)?;
        let ids = self.transact(&id, |tx| {
            let run = format!("{}{}-", version_jobs_prefix(id.name(), id.version()), id.run());
            let mut restarted: BTreeSet<String> = BTreeSet::new();
            let mut jobs: Vec<(JobId, RecordKey, Record, JobRecord)> = Vec::new();
            // Keys are ordered dependencies first.
            for found in self.store().known_records(run) {
                let (key, found) = found?;
                let (job_id, job) = (job_id_of(&key)?, record::read::<JobRecord>(&key, &found)?);
                if job_id == id {
                    if !job.status.is_over() || job.status == JobStatus::Succeeded {
                        return Err(refused(&id, "retry", job.status));
                    }
                } else {
                    let was_stopped = matches!(job.status, JobStatus::Blocked | JobStatus::Skipped);
                    if !was_stopped
                        || !job.depends_on.values().any(|needed| restarted.contains(needed))
                    {
                        continue;
                    }
                }
                restarted.insert(job_id.id().to_owned());
                jobs.push((job_id, key, found, job));
            }
            if jobs.is_empty() {
                return Err(self.no_such_job(&id));
            }
            let now = self.now();
            for (id, key, found, job) in &jobs {
                tx.put_any(queue_key(id)?, &QueueRecord::new(id.clone(), now))?;
                let expected = Expected::Revision(found.revision.clone());
                tx.push(record::put(key.clone(), &job.clone().reset(), expected)?);
            }
            Ok(Outcome::Commit(jobs.into_iter().map(|(id, ..)| id).collect::<Vec<_>>()))
        })?;
        let _ = self.queue().submit(&ids[..1]);
        ids.iter().map(|id| self.get(id)).collect()
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
