//! The default queue, which polls the store.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use larder_core::store::{Change, Expected, Record, RecordKey};
use larder_core::versions::JobId;
use larder_core::{Result, record};

use crate::STALE;
use crate::job_queue::{Delivery, JobQueue};
use crate::jobs::Jobs;
use crate::readiness::Readiness;
use crate::record::{QUEUE, QueueRecord};
use crate::run_id::process_offset;

/// A queue that polls the store; needs no other service.
///
/// Jobs submitted by this process are found at once, jobs of other processes on the next poll: every 20 ms to 2 s,
/// less often while idle.
#[derive(Debug, Default)]
pub struct InProcess {
    submitted: Mutex<u64>,
    wake: Condvar,
}

impl InProcess {
    /// Creates a queue.
    pub fn new() -> Self {
        Self::default()
    }
}

impl JobQueue for InProcess {
    fn submit(&self, _jobs: &[JobId]) -> Result<()> {
        *self.submitted.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.wake.notify_all();
        Ok(())
    }

    fn next(&self, jobs: &Jobs, limit: usize, timeout: Duration) -> Result<Vec<Delivery>> {
        let before = *self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = jobs.runnable(limit)?;
        if found.is_empty() && !timeout.is_zero() {
            let submitted = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
            // Jobs submitted since `before` was read end the wait at once.
            let (submitted, _) = self
                .wake
                .wait_timeout_while(submitted, timeout, |submitted| *submitted == before)
                .unwrap_or_else(PoisonError::into_inner);
            drop(submitted);
            found = jobs.runnable(limit)?;
        }
        Ok(found.into_iter().map(|job| Delivery { job, receipt: None }).collect())
    }

    fn polls_store(&self) -> bool {
        true
    }
}

/// Maximum queue entries per page.
const PAGE: usize = 200;

impl Jobs {
    /// Returns up to `limit` queued jobs that can be claimed now.
    pub(crate) fn runnable(&self, limit: usize) -> Result<Vec<JobId>> {
        let mut runnable = Vec::new();
        // The first entries are likely running elsewhere, so read more than `limit`.
        let mut page = (4 * limit).clamp(16, PAGE);
        let mut after: Option<RecordKey> = None;
        while runnable.len() < limit {
            let entries = self.store().list_records(QUEUE, after.as_ref(), page)?;
            page = PAGE;
            let Some((last, _)) = entries.last() else { break };
            after = Some(last.clone());
            let mut readable = Vec::with_capacity(entries.len());
            for (key, found) in &entries {
                // Damaged entries are skipped.
                if let Ok(entry) = record::read::<QueueRecord>(key, found) {
                    readable.push((entry, key, found));
                }
            }
            let ids: Vec<_> = readable.iter().map(|(entry, ..)| entry.job.clone()).collect();
            for (job, (entry, key, found)) in self.inspect(&ids)?.into_iter().zip(readable) {
                match job.readiness {
                    // Both are claimed: to run, or to finish without running.
                    Readiness::Ready | Readiness::End(..) => runnable.push(job.id),
                    // A writer crashed between the writes of the entry and of the job.
                    Readiness::Finished => self.remove_entry(key, found)?,
                    Readiness::Missing if self.is_stale(&entry) => self.remove_entry(key, found)?,
                    _ => {}
                }
            }
        }
        // Concurrent workers start at different positions.
        if runnable.len() > limit {
            let offset = process_offset(runnable.len());
            runnable.rotate_left(offset);
            runnable.truncate(limit);
        }
        Ok(runnable)
    }

    fn is_stale(&self, entry: &QueueRecord) -> bool {
        let age = self.now().as_system_time().duration_since(entry.created.as_system_time());
        age.is_ok_and(|age| age > STALE)
    }

    /// Removes a queue entry, unless a retry has rewritten it meanwhile.
    fn remove_entry(&self, key: &RecordKey, found: &Record) -> Result<()> {
        let mut tx = self.transaction();
        let expected = Expected::Revision(found.revision.clone());
        tx.push(Change::RemoveRecord { key: key.clone(), expected });
        tx.commit_once().map(drop)
    }
}
