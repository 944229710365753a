//! The main loop of a worker.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use larder_core::extend::catch_panic;
use larder_core::store::Timestamp;
use larder_core::versions::JobId;
use larder_core::{Error, Result};

use crate::job_queue::{Delivery, Receipt};
use crate::running::{ComponentCache, Heartbeat, JobOutcome, Running};
use crate::worker::Worker;

/// Minimum time between two evaluations of schedules.
const SCHEDULE_INTERVAL: Duration = Duration::from_secs(1);
/// Minimum time between two resubmissions of jobs that a queue lost.
const RESUBMIT_INTERVAL: Duration = Duration::from_secs(10);
/// Maximum jobs resubmitted at once.
const MAX_RESUBMITTED: usize = 1_000;
/// Minimum and maximum time of one wait for jobs; doubles while idle.
pub(crate) const MIN_WAIT: Duration = Duration::from_millis(20);
const MAX_WAIT: Duration = Duration::from_secs(2);
/// Maximum consecutive failures of the store or queue before the worker stops.
const MAX_FAILURES: u32 = 10;

/// The state of a running worker.
pub(crate) struct WorkerLoop<'a> {
    worker: &'a Worker,
    running: HashMap<JobId, Slot>,
    /// The number of threads of abandoned jobs.
    abandoned: usize,
    finished: u64,
    components: Arc<ComponentCache>,
    sender: Sender<(JobId, Result<JobOutcome>)>,
    receiver: Receiver<(JobId, Result<JobOutcome>)>,
    next_schedules: Instant,
    next_resubmit: Instant,
}

struct Slot {
    running: Arc<Running>,
    receipt: Option<Box<dyn Receipt>>,
    abandoned: bool,
}

impl<'a> WorkerLoop<'a> {
    pub(crate) fn new(worker: &'a Worker) -> Self {
        let (sender, receiver) = channel();
        let now = Instant::now();
        Self {
            worker,
            running: HashMap::new(),
            abandoned: 0,
            finished: 0,
            components: Arc::default(),
            sender,
            receiver,
            next_schedules: now,
            next_resubmit: now + RESUBMIT_INTERVAL,
        }
    }

    /// Runs jobs until `stop` returns `true`, then waits for running jobs.
    pub(crate) fn run_until(&mut self, stop: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let mut failures = 0;
        let mut wait = MIN_WAIT;
        let ended = loop {
            match self.step(&stop, wait) {
                Ok(Step::Stop) => break Ok(()),
                Ok(Step::Idle) => {
                    failures = 0;
                    wait = (wait * 2).min(MAX_WAIT);
                }
                Ok(Step::Busy) => {
                    failures = 0;
                    wait = MIN_WAIT;
                }
                // The store may be unavailable for a moment.
                Err(error @ Error::Store { .. }) if failures < MAX_FAILURES => {
                    (self.worker.on_error)(&error);
                    thread::sleep(MIN_WAIT * 2_u32.pow(failures));
                    failures += 1;
                    self.heartbeat();
                }
                Err(error) => break Err(error),
            }
        };
        while !self.running.is_empty() {
            self.heartbeat();
            self.collect(MIN_WAIT);
        }
        ended
    }

    fn step(&mut self, stop: &impl Fn(&Self) -> Result<bool>, wait: Duration) -> Result<Step> {
        self.heartbeat();
        let collected = self.collect(Duration::ZERO);
        if stop(self)? {
            return Ok(Step::Stop);
        }
        self.run_periodic_tasks()?;
        let threads = self.running.len() + self.abandoned;
        // Abandoned threads take at most as many slots again as there are.
        let free = (2 * self.worker.concurrency).saturating_sub(threads);
        let free = free.min(self.worker.concurrency.saturating_sub(self.running.len()));
        if free == 0 {
            self.collect(MIN_WAIT);
            return Ok(Step::Busy);
        }
        // Leases of running jobs must be extended in time.
        let wait = if self.running.is_empty() { wait } else { MIN_WAIT };
        let wait = if collected { Duration::ZERO } else { wait };
        let mut started = false;
        for delivery in self.deliveries(free, wait)? {
            started |= self.start(delivery)?;
        }
        if !started && !self.running.is_empty() {
            // The jobs found are those being claimed here.
            self.collect(Duration::from_millis(1));
        }
        Ok(if started || collected || !self.running.is_empty() { Step::Busy } else { Step::Idle })
    }

    /// Returns jobs from the queue, or from the store while the queue is unavailable.
    fn deliveries(&self, limit: usize, wait: Duration) -> Result<Vec<Delivery>> {
        let Worker { jobs, queue, .. } = self.worker;
        match queue.next(jobs, limit, wait) {
            Err(error @ Error::Store { .. }) if !queue.polls_store() => {
                (self.worker.on_error)(&error);
                let ids = jobs.runnable(limit)?.into_iter();
                Ok(ids.map(|job| Delivery { job, receipt: None }).collect())
            }
            deliveries => deliveries,
        }
    }

    /// Starts a job on its own thread, unless it runs already.
    fn start(&mut self, Delivery { job, receipt }: Delivery) -> Result<bool> {
        if let Some(slot) = self.running.get_mut(&job) {
            // A duplicate is acknowledged at once: if this worker dies, the first is delivered again.
            match (receipt, &slot.receipt) {
                (Some(duplicate), Some(_)) => duplicate.ack(),
                (Some(first), None) => slot.receipt = Some(first),
                (None, _) => {}
            }
            return Ok(false);
        }
        let running = Arc::new(Running::new(job.clone()));
        let (jobs, lease) = (self.worker.jobs.clone(), self.worker.lease);
        let (components, sender) = (self.components.clone(), self.sender.clone());
        let (id, job_run, queue) = (job.clone(), running.clone(), self.worker.queue.clone());
        let spawned = thread::Builder::new().name(format!("job {}", job.id())).spawn(move || {
            // A panic must not lose the slot of this thread.
            let outcome = catch_panic("the job", || job_run.run(&jobs, lease, &components))
                .unwrap_or_else(|panic| Err(Error::store(format!("run the job {id}"), panic)));
            // The worker may be gone.
            let _ = sender.send((id, outcome));
            // Those who wait for a job look again.
            let _ = queue.submit(&[]);
            let _ = jobs.queue().submit(&[]);
        });
        spawned.map_err(|error| Error::store("start a thread for a job", error))?;
        self.running.insert(job, Slot { running, receipt, abandoned: false });
        Ok(true)
    }

    /// Handles jobs whose threads have ended; waits for the first one. Returns `true` if there was any.
    fn collect(&mut self, wait: Duration) -> bool {
        let mut ended = match wait.is_zero() {
            true => self.receiver.try_recv().ok(),
            false => self.receiver.recv_timeout(wait).ok(),
        };
        let any = ended.is_some();
        while let Some((id, outcome)) = ended {
            match self.running.remove(&id) {
                Some(slot) => self.finish(&id, outcome, slot.receipt),
                None => self.abandoned = self.abandoned.saturating_sub(1),
            }
            ended = self.receiver.try_recv().ok();
        }
        any
    }

    fn finish(
        &mut self,
        id: &JobId,
        outcome: Result<JobOutcome>,
        receipt: Option<Box<dyn Receipt>>,
    ) {
        let retry = match outcome {
            Ok(JobOutcome::Finished) => {
                self.finished += 1;
                None
            }
            Ok(JobOutcome::Later(until)) => Some(self.delay_until(until)),
            // Another worker may have the type linked in; the store may recover.
            Ok(JobOutcome::NotLinked) | Err(_) => Some(RESUBMIT_INTERVAL),
        };
        match (receipt, retry) {
            (Some(receipt), None) => receipt.ack(),
            (Some(receipt), Some(delay)) => receipt.retry_after(delay),
            (None, _) => {}
        }
        if retry.is_none() && !self.worker.queue.polls_store() {
            // Best effort: the periodic resubmission finds the rest.
            if let Ok(next) = self.worker.jobs.dependents(id) {
                let _ = self.worker.queue.submit(&next);
            }
        }
    }

    fn delay_until(&self, until: Option<Timestamp>) -> Duration {
        let until = until.map(|until| until.as_system_time().duration_since(SystemTime::now()));
        until.and_then(Result::ok).unwrap_or(Duration::from_millis(200))
    }

    /// Extends leases, and abandons jobs that were lost or timed out.
    fn heartbeat(&mut self) {
        let jobs = &self.worker.jobs;
        for slot in self.running.values_mut() {
            match slot.running.heartbeat(jobs) {
                Heartbeat::Idle => {}
                Heartbeat::Extended => {
                    if let Some(receipt) = &mut slot.receipt {
                        receipt.extend();
                    }
                }
                Heartbeat::Abandoned => slot.abandoned = true,
            }
        }
        let abandoned: Vec<JobId> = self
            .running
            .iter()
            .filter(|(_, slot)| slot.abandoned)
            .map(|(id, _)| id.clone())
            .collect();
        for id in abandoned {
            if let Some(slot) = self.running.remove(&id) {
                self.abandoned += 1;
                self.finish(&id, Ok(JobOutcome::Finished), slot.receipt);
            }
        }
    }

    /// Fires due schedules and resubmits jobs that the queue lost.
    fn run_periodic_tasks(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.worker.fires_schedules && now >= self.next_schedules {
            self.worker.jobs.fire_due()?;
            self.next_schedules = Instant::now() + SCHEDULE_INTERVAL;
        }
        if !self.worker.queue.polls_store() && now >= self.next_resubmit {
            self.next_resubmit = now + RESUBMIT_INTERVAL;
            let lost = self.worker.jobs.runnable(MAX_RESUBMITTED)?;
            if let Err(error) = self.worker.queue.resubmit(&lost) {
                (self.worker.on_error)(&error);
            }
        }
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Returns the number of jobs that finished.
    pub(crate) fn finished(&self) -> u64 {
        self.finished
    }
}

/// The result of one iteration.
enum Step {
    Stop,
    Busy,
    Idle,
}
