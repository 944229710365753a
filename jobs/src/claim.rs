//! A claim on a job.

use std::time::Duration;

use larder_core::Result;
use larder_core::store::Transaction;
use larder_core::versions::JobId;

use crate::record::{JobRecord, job_key};

/// A job that this process has claimed.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) id: JobId,
    pub(crate) job: JobRecord,
    pub(crate) holder: String,
    pub(crate) lease: Duration,
}

impl Claim {
    /// Reads the record of the job; `None` if another worker has claimed it.
    pub(crate) fn read(&self, tx: &mut Transaction<'_>) -> Result<Option<JobRecord>> {
        let job = tx.read::<JobRecord>(&job_key(&self.id)?)?;
        Ok(job.filter(|job| job.is_held_by(&self.holder)))
    }
}
