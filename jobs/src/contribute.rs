//! Jobs for the commits of other crates.

use std::sync::Arc;

use larder_core::extend::Contribution;
use larder_core::record::{self, VersionRecord};
use larder_core::store::{Change, JobStatus, StoreExt};
use larder_core::{Identifier, Result};

use crate::event::Event;
use crate::jobs::Jobs;
use crate::record::{JobRecord, QUEUE, QueueRecord, job_key};

/// Maximum number of unfinished jobs among which one that waits is looked for.
const MAX_SCAN: usize = 256;

impl Jobs {
    /// Returns the jobs of an event of a version for a commit, unless one of the version's jobs is still to begin: it
    /// will read what the commit writes.
    ///
    /// For participants of commits whose components listen to something else than their own versions.
    ///
    /// # Errors
    /// [`Error::Corrupt`](larder_core::Error::Corrupt); [`Error::Store`](larder_core::Error::Store).
    pub fn contribute_once(
        &self,
        event: &Event,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        if let Some(unchanged) = self.waiting(name, version)? {
            // A worker that claims the job meanwhile makes the commit try again.
            return Ok(Contribution::new(vec![unchanged]));
        }
        let jobs = self.jobs_on(event, name, version)?;
        let (first, queue) = (jobs.first, Arc::clone(self.queue()));
        Ok(Contribution::new(jobs.changes).then(move || {
            if !first.is_empty() {
                // Best effort: workers find unsubmitted jobs in the store.
                let _ = queue.submit(&first);
            }
        }))
    }

    /// Returns the condition that a job of a version has not begun, if there is one.
    fn waiting(&self, name: &Identifier, version: &VersionRecord) -> Result<Option<Change>> {
        for found in self.store().known_records(QUEUE.to_owned()).take(MAX_SCAN) {
            let (key, found) = found?;
            let entry: QueueRecord = record::read(&key, &found)?;
            if entry.job.name() != name || entry.job.version() != version.version {
                continue;
            }
            let key = job_key(&entry.job)?;
            let Some(found) = self.store().get_record(&key)? else { continue };
            let job: JobRecord = record::read(&key, &found)?;
            // One with a payload does more than to read what is there.
            if job.status == JobStatus::Pending && job.payload.is_none() && job.failures == 0 {
                return Ok(Some(record::unchanged(key, Some(&found))));
            }
        }
        Ok(None)
    }
}
