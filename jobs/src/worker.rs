//! Workers: they claim jobs and run them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::LEASE;
use crate::history::JobInfo;
use crate::jobs::Jobs;
use crate::queue::JobQueue;
use crate::shift::{LEAST_WAIT, Shift};
use crate::wait::WaitTarget;
use larder_core::{Error, Larder, Result};

/// Runs jobs of a larder, on threads of this process.
///
/// It runs those whose type is linked in; others stay where they are, for other programs. Any number of
/// workers may work on one larder, in as many processes.
///
/// ```
/// use larder_core::{Registry, Worker};
///
/// let larder = Registry::linked()?.open("memory:")?;
/// let worker = Worker::new(&larder).concurrency(4);
/// assert_eq!(worker.drain()?, 0); // there is nothing to do
/// # Ok::<(), larder_core::Error>(())
/// ```
pub struct Worker {
    pub(crate) handle: Jobs,
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) concurrency: usize,
    pub(crate) lease: Duration,
    pub(crate) fires_schedules: bool,
    pub(crate) troubled: Arc<dyn Fn(&Error) + Send + Sync>,
}

impl Worker {
    /// A worker with as many threads as the machine has cores, which asks the larder's executor for jobs.
    pub fn new(larder: &Larder) -> Self {
        Self::of(&Jobs::new(larder))
    }

    pub(crate) fn of(handle: &Jobs) -> Self {
        Self {
            handle: handle.clone(),
            queue: handle.queue().clone(),
            concurrency: thread::available_parallelism().map_or(1, Into::into),
            lease: LEASE,
            fires_schedules: true,
            troubled: Arc::new(|_| ()),
        }
    }

    /// How many jobs it runs at once; at least 1.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.concurrency = jobs.max(1);
        self
    }

    /// For how long it claims a job before it must claim it again, which it does three times as often: 30 seconds
    /// if nothing is said. When a worker dies, its jobs stand still for so long.
    ///
    /// At least a tenth of a second.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease.max(Duration::from_millis(100));
        self
    }

    /// Whom it asks for jobs, instead of the larder's executor.
    #[must_use]
    pub fn queue(mut self, queue: Arc<dyn JobQueue>) -> Self {
        self.queue = queue;
        self
    }

    /// Leaves schedules to other workers.
    #[must_use]
    pub fn without_schedules(mut self) -> Self {
        self.fires_schedules = false;
        self
    }

    /// Tells `told` of what goes wrong and is tried again: a store or a queue that is away.
    ///
    /// It is called as often as it is tried. While a queue is away, the worker looks into the store instead.
    #[must_use]
    pub fn on_trouble(mut self, told: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.troubled = Arc::new(told);
        self
    }

    /// Works until `is_enough` says so, which is asked many times a second; then waits for the jobs that are under way.
    ///
    /// # Errors
    /// [`Error::Store`] if the store fails again and again; whatever else the executor says.
    pub fn run(&self, is_enough: impl Fn() -> bool) -> Result<()> {
        Shift::new(self).work(|_| Ok(is_enough()))
    }

    /// Works until no job is left that this program could run, now or later; gives how many it ran.
    ///
    /// Jobs that others run count as left, and so do those that wait.
    ///
    /// # Errors
    /// As [`run`](Worker::run).
    pub fn drain(&self) -> Result<u64> {
        let mut shift = Shift::new(self);
        shift.work(|shift| Ok(shift.is_idle() && !self.handle.has_unfinished_jobs()?))?;
        Ok(shift.ran())
    }

    /// Works on a thread of its own until the handle is stopped or dropped.
    ///
    /// # Errors
    /// [`Error::Store`] if the system gives no thread.
    pub fn spawn(self) -> Result<WorkerHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let (handle, stopped) = (self.handle.clone(), stop.clone());
        let thread = thread::Builder::new()
            .name("handle-worker".into())
            .spawn(move || self.run(|| stopped.load(Ordering::Relaxed)))
            .map_err(|error| Error::store("start a thread for jobs", error))?;
        Ok(WorkerHandle { handle, stop, thread: Some(thread) })
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({} at once, by {:?})", self.concurrency, self.queue)
    }
}

/// A [`Worker`] on threads of its own.
///
/// When it is dropped the worker takes no more jobs. Those under way go on as long as the process does, and are
/// another worker's after that.
#[derive(Debug)]
#[must_use = "the worker stops when its handle is dropped"]
pub struct WorkerHandle {
    handle: Jobs,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl WorkerHandle {
    /// Waits until jobs are over, whoever runs them.
    ///
    /// # Errors
    /// As [`Larder::wait`]; [`Error::Refused`] if the worker ended meanwhile.
    pub fn wait(
        &self,
        awaited: impl TryInto<WaitTarget, Error: Into<Error>>,
    ) -> Result<Vec<JobInfo>> {
        let ids = self.handle.awaited(awaited.try_into().map_err(Into::into)?)?;
        loop {
            let jobs = ids.iter().map(|id| self.handle.get(id)).collect::<Result<Vec<_>>>()?;
            if jobs.iter().all(|job| job.status.is_over()) {
                return crate::wait::all_well(jobs);
            }
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(Error::Refused {
                    action: "wait for jobs".into(),
                    reason: "the worker has stopped; `stop` returns its error".into(),
                });
            }
            thread::sleep(LEAST_WAIT);
        }
    }

    /// Stops the worker, and waits for the jobs that are under way.
    ///
    /// # Errors
    /// Why the worker ended, if it had ended before.
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
