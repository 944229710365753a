//! The interface of job queues.

use std::fmt;
use std::time::Duration;

use larder_core::Result;
use larder_core::versions::JobId;

use crate::jobs::Jobs;

/// Delivers job ids to the workers that run them.
///
/// A queue carries ids only; the records hold the jobs and their status, and a worker claims a job before it runs it.
/// So a queue may deliver an id late, twice or never: the job is claimed once, and workers resubmit unclaimed jobs that
/// they find in the store.
pub trait JobQueue: fmt::Debug + Send + Sync {
    /// Submits jobs that may run now.
    ///
    /// # Errors
    /// Errors of the queue. The jobs are not lost: workers find them in the store later.
    fn submit(&self, jobs: &[JobId]) -> Result<()>;

    /// Resubmits unclaimed jobs that a worker found in the store.
    ///
    /// Most of them are still in the queue; several workers may find the same ones.
    ///
    /// # Errors
    /// As [`submit`](JobQueue::submit).
    fn resubmit(&self, jobs: &[JobId]) -> Result<()> {
        self.submit(jobs)
    }

    /// Returns up to `limit` jobs for a worker of this process; waits up to `timeout` if there are none.
    ///
    /// # Errors
    /// Errors of the queue. The worker retries on [`Error::Store`](larder_core::Error::Store) and stops on others.
    fn next(&self, jobs: &Jobs, limit: usize, timeout: Duration) -> Result<Vec<Delivery>>;

    /// Returns `true` if [`next`](JobQueue::next) finds jobs in the store by itself.
    ///
    /// Otherwise workers poll the store and resubmit unclaimed jobs.
    fn polls_store(&self) -> bool {
        false
    }
}

/// A job id delivered by a queue.
#[derive(Debug)]
pub struct Delivery {
    /// The job.
    pub job: JobId,
    /// Acknowledges the delivery, if the queue needs that.
    pub receipt: Option<Box<dyn Receipt>>,
}

/// Acknowledges a [`Delivery`].
///
/// No method is called if the worker dies.
pub trait Receipt: fmt::Debug + Send {
    /// The job is still running; called on each lease extension.
    fn extend(&mut self) {}

    /// The job has finished or does not exist.
    fn ack(self: Box<Self>);

    /// The job should be delivered again after `delay`.
    fn retry_after(self: Box<Self>, delay: Duration);
}
