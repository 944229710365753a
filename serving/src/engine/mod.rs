//! The workers, and the queues of requests before them: one queue for each model.
//!
//! Invariants, under the lock of [`State`]:
//!
//! - a model has a lane while requests wait for it, and stands in `turns` once for each lane;
//! - a worker is idle, in `runs`, or lost; a lost one is replaced, and leaves or rejoins when its prediction ends;
//! - whoever takes a job's function answers it, so a job that is late may still run to its end.

mod watch;
mod worker;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_core::{Error, Result};

use crate::error::{ServeError, ServeResult};
use crate::job::Job;
use crate::loaded::LoadedModel;
use crate::request::Input;

/// Maximum bytes of the inputs that wait for one model.
const MOST_BYTES: usize = 256 << 20;
/// Shortest and longest advice of when to try again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Limits of an [`Engine`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) workers: usize,
    pub(crate) waiting: usize,
    pub(crate) patience: Duration,
}

/// Workers that all models share.
#[derive(Debug)]
pub(crate) struct Engine {
    limits: Limits,
    state: Mutex<State>,
    /// Wakes a worker.
    work: Condvar,
    /// Wakes the watchdog.
    watch: Condvar,
    /// Wakes those who wait for the end of all work.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<u64, Lane>,
    /// The models with waiting requests, the next first.
    turns: VecDeque<u64>,
    /// The jobs of workers, by worker number.
    runs: HashMap<u64, Arc<Run>>,
    next_worker: u64,
    /// Workers that wait for work.
    idle: usize,
    /// Workers that are not lost.
    live: usize,
    /// Workers whose predictions do not end.
    lost: usize,
    watching: bool,
    stopping: bool,
}

/// The requests that wait for a model.
#[derive(Debug)]
struct Lane {
    model: Arc<LoadedModel>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    job: Arc<Job>,
    /// True if it was in a batch that did not end.
    alone: bool,
}

/// The job of a worker.
#[derive(Debug)]
struct Run {
    model: Arc<LoadedModel>,
    jobs: Vec<Arc<Job>>,
    started: Instant,
}

impl Engine {
    pub(crate) fn start(limits: Limits) -> Result<Arc<Self>> {
        let engine = Arc::new(Self {
            limits,
            state: Mutex::default(),
            work: Condvar::new(),
            watch: Condvar::new(),
            drained: Condvar::new(),
        });
        let mut state = engine.lock();
        for _ in 0..limits.workers {
            if !worker::spawn(&engine, &mut state) {
                break;
            }
        }
        let started = state.live > 0 && watch::spawn(&engine);
        state.stopping = !started;
        drop(state);
        if started {
            return Ok(engine);
        }
        engine.work.notify_all();
        let reason = "the system starts no more threads";
        Err(Error::Refused { action: "start workers".into(), reason: reason.into() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job.
    pub(crate) fn submit(&self, job: &Arc<Job>) -> ServeResult<()> {
        let model = &job.model;
        if model.is_stuck() {
            return Err(model.stuck());
        }
        let mut state = self.lock();
        if state.stopping {
            return Err(ServeError::Stopping);
        }
        let size = job.input.size();
        if let Some(lane) = state.lanes.get(&model.id) {
            let waiting = lane.waiting.len();
            if waiting >= self.limits.waiting || lane.bytes + size > MOST_BYTES {
                let mean = model.pace.mean() * u32::try_from(waiting).unwrap_or(u32::MAX);
                let retry_after = (mean / self.limits.workers as u32).clamp(RETRY.0, RETRY.1);
                return Err(ServeError::Busy { model: model.what(), waiting, retry_after });
            }
        }
        state.push(Waiting { job: Arc::clone(job), alone: false });
        let (wakes_worker, wakes_watchdog) = (state.idle > 0, !state.watching);
        state.watching = true;
        drop(state);
        if wakes_worker {
            self.work.notify_one();
        }
        if wakes_watchdog {
            self.watch.notify_one();
        }
        Ok(())
    }

    /// Returns the number of requests that wait for a model.
    pub(crate) fn waiting(&self, model: &LoadedModel) -> usize {
        self.lock().lanes.get(&model.id).map_or(0, |lane| lane.waiting.len())
    }

    /// Returns the numbers of workers: all that are not lost, and the lost ones.
    pub(crate) fn workers(&self) -> (usize, usize) {
        let state = self.lock();
        (state.live, state.lost)
    }

    /// Refuses new jobs; those that wait still run.
    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.work.notify_all();
        self.watch.notify_all();
    }

    /// Waits until no job waits or runs; returns false if some do after `timeout`.
    pub(crate) fn drain(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        while !(state.lanes.is_empty() && state.runs.is_empty()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.drained.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl State {
    fn push(&mut self, waiting: Waiting) {
        let model = &waiting.job.model;
        let id = model.id;
        let lane = self.lanes.entry(id).or_insert_with(|| {
            self.turns.push_back(id);
            Lane { model: Arc::clone(model), waiting: VecDeque::new(), bytes: 0 }
        });
        lane.bytes += waiting.job.input.size();
        lane.waiting.push_back(waiting);
    }

    /// Takes the next jobs to run: of the model whose turn it is, its share of what waits.
    fn take(&mut self) -> Option<(Arc<LoadedModel>, Vec<Arc<Job>>)> {
        loop {
            // A model that no worker runs goes first.
            let is_new = |id: &u64| self.runs.values().all(|run| run.model.id != *id);
            let at = self.turns.iter().position(is_new).unwrap_or(0);
            let id = self.turns.remove(at)?;
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let model = Arc::clone(&lane.model);
            // Other idle workers, woken for the same requests, take their share of them.
            let share = lane.waiting.len().div_ceil(self.idle + 1);
            let jobs = lane.take(share);
            if lane.waiting.is_empty() {
                self.lanes.remove(&id);
            } else {
                self.turns.push_back(id);
            }
            if !jobs.is_empty() {
                return Some((model, jobs));
            }
        }
    }
}

impl Lane {
    /// Takes up to `share` jobs that somebody waits for, merged if they can be, in the order of their arrival.
    fn take(&mut self, share: usize) -> Vec<Arc<Job>> {
        let mut jobs: Vec<Arc<Job>> = Vec::new();
        let mut most = 1;
        while jobs.len() < most
            && let Some(next) = self.waiting.front()
        {
            let merges = !next.alone && matches!(next.job.input, Input::Json(_));
            if !jobs.is_empty() && !merges {
                break;
            }
            let is_waited_for = next.job.is_waited_for();
            if is_waited_for && jobs.is_empty() && merges && share > 1 {
                most = self.model.pace.merges(share);
            }
            let Some(Waiting { job, .. }) = self.waiting.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(job.input.size());
            if is_waited_for {
                jobs.push(job);
            }
        }
        jobs
    }
}
