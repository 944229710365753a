//! Workers: they claim jobs and run them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use super::LEASE;
use super::executor::{Delivery, Executor, Receipt};
use super::history::JobInfo;
use super::id::JobId;
use super::running::{Beat, Became, Instances, Running};
use super::wait::Awaited;
use crate::caught::catch_panic;
use crate::error::{Error, Result};
use crate::larder::Larder;

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
    larder: Larder,
    executor: Arc<dyn Executor>,
    concurrency: usize,
    lease: Duration,
    fires_schedules: bool,
    troubled: Arc<dyn Fn(&Error) + Send + Sync>,
}

/// The least time between two looks for what schedules are due.
const TICK: Duration = Duration::from_secs(1);
/// The least time between two looks for jobs that an executor lost.
const SWEEP: Duration = Duration::from_secs(10);
/// How many jobs are submitted again at a time.
const MOST_SWEPT: usize = 1_000;
/// How long a worker waits for jobs at a time: less when there was one of late.
const LEAST_WAIT: Duration = Duration::from_millis(20);
const MOST_WAIT: Duration = Duration::from_secs(2);
/// How often a store or an executor may fail without a pause before the worker gives up.
const MOST_FAILURES: u32 = 10;

impl Worker {
    /// A worker with as many threads as the machine has cores, which asks the larder's executor for jobs.
    pub fn new(larder: &Larder) -> Self {
        Self {
            larder: larder.clone(),
            executor: larder.executor().clone(),
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
    pub fn executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
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
        shift.work(|shift| Ok(shift.running.is_empty() && !self.larder.has_unfinished_jobs()?))?;
        Ok(shift.ran)
    }

    /// Works on a thread of its own until the handle is stopped or dropped.
    ///
    /// # Errors
    /// [`Error::Store`] if the system gives no thread.
    pub fn spawn(self) -> Result<JobsHandle> {
        let stop = Arc::new(AtomicBool::new(false));
        let (larder, stopped) = (self.larder.clone(), stop.clone());
        let thread = thread::Builder::new()
            .name("larder-worker".into())
            .spawn(move || self.run(|| stopped.load(Ordering::Relaxed)))
            .map_err(|error| Error::store("start a thread for jobs", error))?;
        Ok(JobsHandle { larder, stop, thread: Some(thread) })
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({} at once, by {:?})", self.concurrency, self.executor)
    }
}

/// A [`Worker`] on threads of its own.
///
/// When it is dropped the worker takes no more jobs. Those under way go on as long as the process does, and are
/// another worker's after that.
#[derive(Debug)]
#[must_use = "the worker stops when its handle is dropped"]
pub struct JobsHandle {
    larder: Larder,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl JobsHandle {
    /// Waits until jobs are over, whoever runs them.
    ///
    /// # Errors
    /// As [`Larder::wait`]; [`Error::Refused`] if the worker ended meanwhile.
    pub fn wait(&self, awaited: impl TryInto<Awaited, Error: Into<Error>>) -> Result<Vec<JobInfo>> {
        let ids = self.larder.awaited(awaited.try_into().map_err(Into::into)?)?;
        loop {
            let jobs = ids.iter().map(|id| self.larder.job(id)).collect::<Result<Vec<_>>>()?;
            if jobs.iter().all(|job| job.status.is_over()) {
                return super::wait::all_well(jobs);
            }
            if self.thread.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(Error::Refused {
                    what: "waiting for jobs".into(),
                    reason: "the worker has ended: `stop` says why".into(),
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

impl Drop for JobsHandle {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// A worker at work.
pub(super) struct Shift<'a> {
    worker: &'a Worker,
    running: HashMap<JobId, Slot>,
    /// The threads of jobs that the worker gave up.
    abandoned: usize,
    ran: u64,
    instances: Arc<Instances>,
    sender: Sender<(JobId, Result<Became>)>,
    receiver: Receiver<(JobId, Result<Became>)>,
    /// When schedules and lost jobs are looked for again.
    tick: Instant,
    sweep: Instant,
}

struct Slot {
    running: Arc<Running>,
    receipt: Option<Box<dyn Receipt>>,
    given_up: bool,
}

impl<'a> Shift<'a> {
    pub(super) fn new(worker: &'a Worker) -> Self {
        let (sender, receiver) = channel();
        let now = Instant::now();
        Self {
            worker,
            running: HashMap::new(),
            abandoned: 0,
            ran: 0,
            instances: Arc::default(),
            sender,
            receiver,
            tick: now,
            sweep: now + SWEEP,
        }
    }

    /// Works until `is_enough`; then waits for what is under way.
    pub(super) fn work(&mut self, is_enough: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let mut failures = 0;
        let mut wait = LEAST_WAIT;
        let ended = loop {
            match self.step(&is_enough, wait) {
                Ok(Step::Enough) => break Ok(()),
                Ok(Step::Idle) => {
                    failures = 0;
                    wait = (wait * 2).min(MOST_WAIT);
                }
                Ok(Step::Busy) => {
                    failures = 0;
                    wait = LEAST_WAIT;
                }
                // A store that is away for a moment comes back.
                Err(error @ Error::Store { .. }) if failures < MOST_FAILURES => {
                    (self.worker.troubled)(&error);
                    thread::sleep(LEAST_WAIT * 2_u32.pow(failures));
                    failures += 1;
                    self.beat();
                }
                Err(error) => break Err(error),
            }
        };
        while !self.running.is_empty() {
            self.beat();
            self.collect(LEAST_WAIT);
        }
        ended
    }

    fn step(&mut self, is_enough: &impl Fn(&Self) -> Result<bool>, wait: Duration) -> Result<Step> {
        self.beat();
        let collected = self.collect(Duration::ZERO);
        if is_enough(self)? {
            return Ok(Step::Enough);
        }
        self.look_around()?;
        let under_way = self.running.len() + self.abandoned;
        // Threads that were given up take the place of others, but not all of them.
        let free = (2 * self.worker.concurrency).saturating_sub(under_way);
        let free = free.min(self.worker.concurrency.saturating_sub(self.running.len()));
        if free == 0 {
            self.collect(LEAST_WAIT);
            return Ok(Step::Busy);
        }
        // A worker with jobs under way has their leases to extend.
        let wait = if self.running.is_empty() { wait } else { LEAST_WAIT };
        let wait = if collected { Duration::ZERO } else { wait };
        let mut begun = false;
        for delivery in self.brought(free, wait)? {
            begun |= self.begin(delivery)?;
        }
        if !begun && !self.running.is_empty() {
            // What was found is what is being claimed.
            self.collect(Duration::from_millis(1));
        }
        Ok(if begun || collected || !self.running.is_empty() { Step::Busy } else { Step::Idle })
    }

    /// What the executor brings; while a queue is away, what is found in the store.
    fn brought(&self, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let Worker { larder, executor, .. } = self.worker;
        match executor.next(larder, most, wait) {
            Err(error @ Error::Store { .. }) if !executor.looks_into_the_store() => {
                (self.worker.troubled)(&error);
                let jobs = larder.runnable(most)?.into_iter();
                Ok(jobs.map(|job| Delivery { job, receipt: None }).collect())
            }
            brought => brought,
        }
    }

    /// Begins a job on a thread of its own, unless it has begun.
    fn begin(&mut self, Delivery { job, receipt }: Delivery) -> Result<bool> {
        if let Some(slot) = self.running.get_mut(&job) {
            // One that came twice is told of once: if this worker dies, the first comes again.
            match (receipt, &slot.receipt) {
                (Some(twice), Some(_)) => twice.done(),
                (Some(first), None) => slot.receipt = Some(first),
                (None, _) => {}
            }
            return Ok(false);
        }
        let running = Arc::new(Running::new(job.clone()));
        let (larder, lease) = (self.worker.larder.clone(), self.worker.lease);
        let (instances, sender) = (self.instances.clone(), self.sender.clone());
        let (id, of_thread) = (job.clone(), running.clone());
        let spawned = thread::Builder::new().name(format!("job {}", job.id())).spawn(move || {
            // Whatever happens, the worker gets its thread back.
            let became = catch_panic("the job", || of_thread.run(&larder, lease, &instances))
                .unwrap_or_else(|panic| Err(Error::store(format!("run the job {id}"), panic)));
            // Nobody listens if the worker is gone.
            let _ = sender.send((id, became));
            let _ = larder.executor().submit(&[]);
        });
        spawned.map_err(|error| Error::store("start a thread for a job", error))?;
        self.running.insert(job, Slot { running, receipt, given_up: false });
        Ok(true)
    }

    /// Takes note of jobs whose threads have ended; waits for the first of them.
    fn collect(&mut self, wait: Duration) -> bool {
        let mut ended = match wait.is_zero() {
            true => self.receiver.try_recv().ok(),
            false => self.receiver.recv_timeout(wait).ok(),
        };
        let any = ended.is_some();
        while let Some((id, became)) = ended {
            match self.running.remove(&id) {
                Some(slot) => self.ended(&id, became, slot.receipt),
                None => self.abandoned = self.abandoned.saturating_sub(1),
            }
            ended = self.receiver.try_recv().ok();
        }
        any
    }

    fn ended(&mut self, id: &JobId, became: Result<Became>, receipt: Option<Box<dyn Receipt>>) {
        let later = match became {
            Ok(Became::Over) => {
                self.ran += 1;
                None
            }
            Ok(Became::Later(until)) => Some(self.until(until)),
            // Somebody else may have the code; the store may be back soon.
            Ok(Became::NotHere) | Err(_) => Some(SWEEP),
        };
        match (receipt, later) {
            (Some(receipt), None) => receipt.done(),
            (Some(receipt), Some(after)) => receipt.later(after),
            (None, _) => {}
        }
        if later.is_none() && !self.worker.executor.looks_into_the_store() {
            // What is not submitted here is found by a sweep.
            if let Ok(next) = self.worker.larder.jobs_after(id) {
                let _ = self.worker.executor.submit(&next);
            }
        }
    }

    fn until(&self, until: Option<crate::Timestamp>) -> Duration {
        let until = until.map(|until| until.as_system_time().duration_since(SystemTime::now()));
        until.and_then(Result::ok).unwrap_or(Duration::from_millis(200))
    }

    /// Extends leases, and gives up what is lost or late.
    fn beat(&mut self) {
        let larder = &self.worker.larder;
        for slot in self.running.values_mut() {
            match slot.running.beat(larder) {
                Beat::Quiet => {}
                Beat::Extended => {
                    if let Some(receipt) = &mut slot.receipt {
                        receipt.working();
                    }
                }
                Beat::GivenUp => slot.given_up = true,
            }
        }
        let given_up: Vec<JobId> = self
            .running
            .iter()
            .filter(|(_, slot)| slot.given_up)
            .map(|(id, _)| id.clone())
            .collect();
        for id in given_up {
            if let Some(slot) = self.running.remove(&id) {
                self.abandoned += 1;
                self.ended(&id, Ok(Became::Over), slot.receipt);
            }
        }
    }

    /// Fires schedules, and submits again what an executor lost.
    fn look_around(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.worker.fires_schedules && now >= self.tick {
            self.worker.larder.fire_due()?;
            self.tick = Instant::now() + TICK;
        }
        if !self.worker.executor.looks_into_the_store() && now >= self.sweep {
            self.sweep = now + SWEEP;
            let lost = self.worker.larder.runnable(MOST_SWEPT)?;
            if let Err(error) = self.worker.executor.submit_again(&lost) {
                (self.worker.troubled)(&error);
            }
        }
        Ok(())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }
}

enum Step {
    Enough,
    Busy,
    Idle,
}
