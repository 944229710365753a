//! Taking away the records of jobs that are over.

use std::time::Duration;

use crate::STALE;
use crate::jobs::Jobs;
use crate::record::{JOBS, JobRecord, job_in, logs_of, made_of};
use larder_core::store::Timestamp;
use larder_core::store::{Change, Committed, Expected, Record, RecordKey, StoreExt};
use larder_core::versions::JobId;
use larder_core::{Result, record};

/// How many records are removed at once, where it does not matter which of them are.
const BATCH: usize = 1_000;

impl Jobs {
    /// Takes away what is known of jobs that were over more than `older_than` ago, and gives how many those were.
    ///
    /// The jobs of one event go together, with their outputs and all that they said. Versions that they published stay. Less
    /// than a minute counts as a minute. Jobs that cannot be read are left.
    ///
    /// ```
    /// use std::time::Duration;
    /// use larder_core::Registry;
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// assert_eq!(larder.forget(Duration::from_secs(30 * 24 * 60 * 60))?, 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn forget(&self, older_than: Duration) -> Result<u64> {
        let before = self.now().as_system_time().checked_sub(older_than.max(STALE));
        // Before there was time, nothing was over.
        let Some(before) = before.map(Timestamp::new) else { return Ok(0) };
        let mut forgotten = 0;
        let mut run: Vec<(JobId, RecordKey, Record)> = Vec::new();
        for found in self.store().records(JOBS) {
            let (key, found) = found?;
            // A key that is no job's is none of this.
            let Ok(id) = job_in(&key) else { continue };
            let is_next = run.first().is_some_and(|(first, ..)| !first.is_of_run(&id));
            if is_next {
                forgotten += self.forget_run(std::mem::take(&mut run), before)?;
            }
            run.push((id, key, found));
        }
        Ok(forgotten + self.forget_run(run, before)?)
    }

    /// Takes away the jobs of one event, if all of them were over then; gives how many those were.
    fn forget_run(&self, run: Vec<(JobId, RecordKey, Record)>, before: Timestamp) -> Result<u64> {
        let is_old = |(_, key, found): &(JobId, RecordKey, Record)| {
            record::read::<JobRecord>(key, found)
                .is_ok_and(|job| job.status.is_over() && job.finished.is_some_and(|at| at < before))
        };
        if !run.iter().all(is_old) {
            return Ok(0);
        }
        // Nobody finds the log of a job that is not there, so it goes before. What it published is found by the job when it
        // is tried again, so that goes after.
        run.iter().try_for_each(|(id, ..)| self.remove_records(&logs_of(id)))?;
        // Of two jobs, the one that depends on the other goes first.
        let mut tx = self.transaction();
        tx.extend(run.iter().rev().map(|(_, key, found)| {
            let expected = Expected::Revision(found.revision.clone());
            Change::RemoveRecord { key: key.clone(), expected }
        }));
        match tx.commit_once()? {
            Committed::All => {}
            // Somebody tries one of them again.
            Committed::Conflict { .. } => return Ok(0),
        }
        run.iter().try_for_each(|(id, ..)| self.remove_records(&made_of(id)))?;
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
