//! Removing the records of finished jobs.

use std::time::Duration;

use larder_core::store::{Change, Committed, Expected, Record, RecordKey, StoreExt, Timestamp};
use larder_core::versions::JobId;
use larder_core::{Result, record};

use crate::STALE;
use crate::jobs::Jobs;
use crate::record::{JOBS, JobRecord, job_id_of, logs_prefix, published_prefix};

/// Maximum records per removal batch.
const BATCH: usize = 1_000;

impl Jobs {
    /// Removes the records of jobs that finished more than `older_than` ago and returns their number.
    ///
    /// The jobs of one event are removed together, with their outputs and logs. Published versions stay. `older_than` is at
    /// least a minute. Unreadable jobs are skipped.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_core::Registry;
    /// use larder_jobs::LarderJobs;
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// assert_eq!(larder.jobs().forget(Duration::from_secs(30 * 24 * 60 * 60))?, 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`](larder_core::Error::Store).
    pub fn forget(&self, older_than: Duration) -> Result<u64> {
        let before = self.now().as_system_time().checked_sub(older_than.max(STALE));
        // `older_than` exceeds the clock's range: no job is that old.
        let Some(before) = before.map(Timestamp::new) else { return Ok(0) };
        let mut removed = 0;
        let mut run: Vec<(JobId, RecordKey, Record)> = Vec::new();
        for found in self.store().known_records(JOBS) {
            let (key, found) = found?;
            let id = job_id_of(&key)?;
            let is_next_run = run.first().is_some_and(|(first, ..)| !first.is_of_run(&id));
            if is_next_run {
                removed += self.remove_run(std::mem::take(&mut run), before)?;
            }
            run.push((id, key, found));
        }
        Ok(removed + self.remove_run(run, before)?)
    }

    /// Removes the jobs of one run if all of them finished before `before`; returns their number.
    fn remove_run(&self, run: Vec<(JobId, RecordKey, Record)>, before: Timestamp) -> Result<u64> {
        let is_old = |(_, key, found): &(JobId, RecordKey, Record)| {
            record::read::<JobRecord>(key, found)
                .is_ok_and(|job| job.status.is_over() && job.finished.is_some_and(|at| at < before))
        };
        if !run.iter().all(is_old) {
            return Ok(0);
        }
        // Logs are found through their job, so they are removed first. A retried job needs its published versions, so
        // those are removed last.
        run.iter().try_for_each(|(id, ..)| self.remove_records(&logs_prefix(id)))?;
        // Dependents are removed before their dependencies.
        let mut tx = self.transaction();
        tx.extend(run.iter().rev().map(|(_, key, found)| {
            let expected = Expected::Revision(found.revision.clone());
            Change::RemoveRecord { key: key.clone(), expected }
        }));
        match tx.commit_once()? {
            Committed::All => {}
            // A job is being retried.
            Committed::Conflict { .. } => return Ok(0),
        }
        run.iter().try_for_each(|(id, ..)| self.remove_records(&published_prefix(id)))?;
        Ok(run.len() as u64)
    }

    fn remove_records(&self, prefix: &str) -> Result<()> {
        loop {
            let found = self.store().list_records(prefix, None, BATCH)?;
            if found.is_empty() {
                return Ok(());
            }
            let mut tx = self.transaction();
            found.into_iter().for_each(|(key, _)| tx.remove_any(key));
            tx.commit_unconditional()?;
        }
    }
}
