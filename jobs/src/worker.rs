//! Workers claim jobs and run them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use larder_core::{Error, Larder, Result};

use crate::LEASE;
use crate::history::JobInfo;
use crate::job_queue::JobQueue;
use crate::jobs::Jobs;
use crate::larder::LarderJobs;
use crate::wait::{WaitTarget, check_succeeded};
use crate::worker_loop::{MIN_WAIT, WorkerLoop};

/// Runs jobs of a larder on threads of this process.
///
/// Runs jobs whose type is linked in and leaves others to other programs. Any number of workers, in any number of
/// processes, may serve one larder.
///
/// ```
/// use larder_core::Registry;
/// use larder_jobs::Worker;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// let worker = Worker::new(&larder).concurrency(4);
/// assert_eq!(worker.drain()?, 0); // no jobs
/// # Ok::<(), larder_core::Error>(())
/// ```
pub struct Worker {
    pub(crate) jobs: Jobs,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) concurrency: usize,
    pub(crate) lease: Duration,
    pub(crate) fires_schedules: bool,
    pub(crate) on_error: Arc<dyn Fn(&Error) + Send + Sync>,
}

impl Worker {
    /// Creates a worker on the larder's queue, with one thread per core.
    pub fn new(larder: &Larder) -> Self {
        Self::of(&larder.jobs())
    }

    pub(crate) fn of(jobs: &Jobs) -> Self {
        Self {
            jobs: jobs.clone(),
            queue: jobs.queue().clone(),
            concurrency: thread::available_parallelism().map_or(1, Into::into),
            lease: LEASE,
            fires_schedules: true,
            on_error: Arc::new(|_| ()),
        }
    }

    /// Sets how many jobs run concurrently; at least 1.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// Sets the lease of a claim, at least 100 ms; 30 seconds by default.
    ///
    /// Extended three times per lease. When a worker dies, its jobs are claimed again once the lease expires.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Sets the queue; the larder's by default.
    #[must_use]
    pub fn queue(mut self, queue: Arc<dyn JobQueue>) -> Self {
        self.queue = queue;
        self
    }

    /// Does not fire schedules.
    #[must_use]
    pub fn without_schedules(mut self) -> Self {
        self.fires_schedules = false;
        self
    }

    /// Calls `callback` on each error that is retried: an unavailable store or queue.
    ///
    /// While the queue is unavailable, the worker polls the store.
    #[must_use]
    pub fn on_error(mut self, callback: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.on_error = Arc::new(callback);
        self
    }

    /// Runs jobs until `stop` returns `true`, then waits for running jobs. `stop` is polled many times a second.
    ///
    /// # Errors
    /// [`Error::Store`] if the store fails repeatedly; other errors of the queue.
    pub fn run(&self, stop: impl Fn() -> bool) -> Result<()> {
        WorkerLoop::new(self).run_until(|_| Ok(stop()))
    }

    /// Runs jobs until none is left that this process could run, now or later; returns how many it ran.
    ///
    /// Waits for jobs that are pending or run elsewhere.
    ///
    /// # Errors
    /// As [`run`](Worker::run).
    pub fn drain(&self) -> Result<u64> {
        let mut worker = WorkerLoop::new(self);
        worker.run_until(|worker| Ok(worker.is_idle() && !self.jobs.has_unfinished_jobs()?))?;
        Ok(worker.finished())
    }

    /// Runs on a new thread until the handle is stopped or dropped.
    ///
    /// # Errors
    /// [`Error::Store`] if the thread cannot be started.
    pub fn spawn(self) -> Result<WorkerHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let (jobs, stopped) = (self.jobs.clone(), stop.clone());
        let thread = thread::Builder::new()
            .name("larder-worker".into())
            .spawn(move || self.run(|| stopped.load(Ordering::Relaxed)))
            .map_err(|error| Error::store("start a worker thread", error))?;
        Ok(WorkerHandle { jobs, stop, thread: Some(thread) })
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({} at once, by {:?})", self.concurrency, self.queue)
    }
}

/// A handle to a spawned [`Worker`].
///
/// Dropping it stops the worker from taking jobs. Running jobs continue until the process exits; another worker then
/// claims them.
#[derive(Debug)]
#[must_use = "the worker stops when its handle is dropped"]
pub struct WorkerHandle {
    jobs: Jobs,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl WorkerHandle {
    /// Waits until the target jobs have finished, on any worker.
    ///
    /// # Errors
    /// As [`Jobs::wait`]; [`Error::Refused`] if the worker has stopped.
    pub fn wait(
        &self,
        target: impl TryInto<WaitTarget, Error: Into<Error>>,
    ) -> Result<Vec<JobInfo>> {
        let ids = self.jobs.jobs_of(target.try_into().map_err(Into::into)?)?;
        loop {
            let jobs = ids.iter().map(|id| self.jobs.get(id)).collect::<Result<Vec<_>>>()?;
            if jobs.iter().all(|job| job.status.is_over()) {
                return check_succeeded(jobs);
            }
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(Error::Refused {
                    action: "wait for jobs".into(),
                    reason: "the worker has stopped; `stop` returns its error".into(),
                });
            }
            thread::sleep(MIN_WAIT);
        }
    }

    /// Stops the worker and waits for running jobs.
    ///
    /// # Errors
    /// The error with which the worker had stopped.
    pub fn stop(mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
