//! A worker at work.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::queue::{Delivery, Receipt};
use crate::running::{Beat, Instances, JobOutcome, Running};
use crate::worker::Worker;
use larder_core::extend::catch_panic;
use larder_core::store::Timestamp;
use larder_core::versions::JobId;
use larder_core::{Error, Result};

/// The least time between two looks for what schedules are due.
const TICK: Duration = Duration::from_secs(1);
/// The least time between two looks for jobs that an executor lost.
const SWEEP: Duration = Duration::from_secs(10);
/// How many jobs are submitted again at a time.
const MOST_SWEPT: usize = 1_000;
/// How long a worker waits for jobs at a time: less when there was one of late.
pub(crate) const LEAST_WAIT: Duration = Duration::from_millis(20);
const MOST_WAIT: Duration = Duration::from_secs(2);
/// How often a store or an executor may fail without a pause before the worker gives up.
const MOST_FAILURES: u32 = 10;

/// A worker at work.
pub(crate) struct Shift<'a> {
    worker: &'a Worker,
    running: HashMap<JobId, Slot>,
    /// The threads of jobs that the worker gave up.
    abandoned: usize,
    ran: u64,
    instances: Arc<Instances>,
    sender: Sender<(JobId, Result<JobOutcome>)>,
    receiver: Receiver<(JobId, Result<JobOutcome>)>,
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
    pub(crate) fn new(worker: &'a Worker) -> Self {
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
    pub(crate) fn work(&mut self, is_enough: impl Fn(&Self) -> Result<bool>) -> Result<()> {
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
        let Worker { handle, queue, .. } = self.worker;
        match queue.next(handle, most, wait) {
            Err(error @ Error::Store { .. }) if !queue.looks_into_the_store() => {
                (self.worker.troubled)(&error);
                let jobs = handle.runnable(most)?.into_iter();
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
        let (handle, lease) = (self.worker.handle.clone(), self.worker.lease);
        let (instances, sender) = (self.instances.clone(), self.sender.clone());
        let (id, of_thread) = (job.clone(), running.clone());
        let spawned = thread::Builder::new().name(format!("job {}", job.id())).spawn(move || {
            // Whatever happens, the worker gets its thread back.
            let became = catch_panic("the job", || of_thread.run(&handle, lease, &instances))
                .unwrap_or_else(|panic| Err(Error::store(format!("run the job {id}"), panic)));
            // Nobody listens if the worker is gone.
            let _ = sender.send((id, became));
            let _ = handle.queue().submit(&[]);
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

    fn ended(&mut self, id: &JobId, became: Result<JobOutcome>, receipt: Option<Box<dyn Receipt>>) {
        let later = match became {
            Ok(JobOutcome::Over) => {
                self.ran += 1;
                None
            }
            Ok(JobOutcome::Later(until)) => Some(self.until(until)),
            // Somebody else may have the code; the store may be back soon.
            Ok(JobOutcome::NotHere) | Err(_) => Some(SWEEP),
        };
        match (receipt, later) {
            (Some(receipt), None) => receipt.done(),
            (Some(receipt), Some(after)) => receipt.later(after),
            (None, _) => {}
        }
        if later.is_none() && !self.worker.queue.looks_into_the_store() {
            // What is not submitted here is found by a sweep.
            if let Ok(next) = self.worker.handle.jobs_after(id) {
                let _ = self.worker.queue.submit(&next);
            }
        }
    }

    fn until(&self, until: Option<Timestamp>) -> Duration {
        let until = until.map(|until| until.as_system_time().duration_since(SystemTime::now()));
        until.and_then(Result::ok).unwrap_or(Duration::from_millis(200))
    }

    /// Extends leases, and gives up what is lost or late.
    fn beat(&mut self) {
        let handle = &self.worker.handle;
        for slot in self.running.values_mut() {
            match slot.running.beat(handle) {
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
                self.ended(&id, Ok(JobOutcome::Over), slot.receipt);
            }
        }
    }

    /// Fires schedules, and submits again what an executor lost.
    fn look_around(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.worker.fires_schedules && now >= self.tick {
            self.worker.handle.fire_due()?;
            self.tick = Instant::now() + TICK;
        }
        if !self.worker.queue.looks_into_the_store() && now >= self.sweep {
            self.sweep = now + SWEEP;
            let lost = self.worker.handle.runnable(MOST_SWEPT)?;
            if let Err(error) = self.worker.queue.submit_again(&lost) {
                (self.worker.troubled)(&error);
            }
        }
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// How many jobs it ran to their end.
    pub(crate) fn ran(&self) -> u64 {
        self.ran
    }
}

enum Step {
    Enough,
    Busy,
    Idle,
}
