//! The watchdog: ends late requests, replaces workers whose predictions do not end, and adds one for a model that gets
//! no turn.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Engine, State, Waiting, worker};
use crate::job::Job;

/// Time between looks while there is work.
const TICK: Duration = Duration::from_millis(5);
/// Looks without work before it sleeps: waking it costs a request more than a look.
const QUIET: u32 = 200;
/// A model whose requests wait longer while it has no worker gets one of its own.
const STARVED: Duration = Duration::from_millis(50);
/// A merged batch that takes longer is given up: its requests run again, each alone.
const SLOW_BATCH: Duration = Duration::from_secs(1);
/// Maximum lost workers, as a multiple of the workers.
const MOST_LOST: usize = 8;
/// Maximum workers while models get no turn, as a multiple of the workers.
const MOST_LIVE: usize = 4;

/// Starts the watchdog; returns false if the system refuses.
pub(super) fn spawn(engine: &Arc<Engine>) -> bool {
    let its = Arc::clone(engine);
    let builder = thread::Builder::new().name("larder-watchdog".into());
    builder.spawn(move || its.watch()).is_ok()
}

impl Engine {
    fn watch(self: Arc<Self>) {
        let mut state = self.lock();
        let mut quiet = 0;
        loop {
            let is_at_work = !(state.lanes.is_empty() && state.runs.is_empty());
            if !is_at_work && state.stopping {
                return;
            }
            quiet = if is_at_work { 0 } else { quiet + 1 };
            state.watching = quiet < QUIET;
            if state.watching {
                let waited = self.watch.wait_timeout(state, TICK);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            } else {
                state = self.watch.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let late = self.look(&mut state);
            if !late.is_empty() {
                // Callers' functions run outside of the lock.
                drop(state);
                late.iter().for_each(|job| job.finish_late());
                drop(late);
                state = self.lock();
            }
        }
    }

    /// Returns the requests whose deadline has passed.
    fn look(self: &Arc<Self>, state: &mut State) -> Vec<Arc<Job>> {
        let now = Instant::now();
        let mut late = state.drop_late(now);
        let mut over = Vec::new();
        let mut again: Vec<Arc<Job>> = Vec::new();
        for (number, run) in &state.runs {
            late.extend(run.jobs.iter().filter(|job| job.is_late(now)).cloned());
            let time = now - run.started;
            if time >= self.limits.patience && run.jobs.iter().all(|job| job.is_late(now)) {
                over.push(*number);
            } else if run.jobs.len() > 1 && time >= SLOW_BATCH.min(self.limits.patience) {
                over.push(*number);
                let waits = |job: &&Arc<Job>| !job.is_late(now) && job.is_waited_for();
                again.extend(run.jobs.iter().filter(waits).cloned());
            }
        }
        for number in over {
            // A worker that finds its run gone knows that it was lost.
            let Some(run) = state.runs.remove(&number) else { continue };
            run.model.lose();
            state.live -= 1;
            state.lost += 1;
            if state.lost < self.limits.workers * MOST_LOST {
                worker::spawn(self, state);
            }
        }
        if state.lanes.is_empty() && state.runs.is_empty() {
            self.drained.notify_all();
        }
        let requeued = !again.is_empty();
        again.into_iter().for_each(|job| state.push(Waiting { job, alone: true }));
        if requeued {
            self.work.notify_all();
        }
        self.help_starved(state, now);
        late
    }

    /// Starts a worker if the requests of a model wait while predictions of others take all workers.
    fn help_starved(self: &Arc<Self>, state: &mut State, now: Instant) {
        if state.idle > 0 || state.live >= self.limits.workers * MOST_LIVE {
            return;
        }
        let has_worker = |id: u64| state.runs.values().any(|run| run.model.id == id);
        let starves = state.lanes.iter().any(|(id, lane)| {
            let waits = lane.waiting.front().map(|next| now - next.job.arrived);
            waits.is_some_and(|waits| waits > STARVED) && !has_worker(*id)
        });
        if starves {
            worker::spawn(self, state);
        }
    }
}

impl State {
    /// Removes the waiting requests that are late, and those that nobody waits for; returns the late ones.
    fn drop_late(&mut self, now: Instant) -> Vec<Arc<Job>> {
        let mut late = Vec::new();
        self.lanes.retain(|_, lane| {
            let mut bytes = 0;
            lane.waiting.retain(|Waiting { job, .. }| {
                let is_late = job.is_late(now);
                if is_late {
                    late.push(Arc::clone(job));
                }
                let stays = !is_late && job.is_waited_for();
                bytes += if stays { job.input.size() } else { 0 };
                stays
            });
            lane.bytes = bytes;
            !lane.waiting.is_empty()
        });
        let Self { lanes, turns, .. } = self;
        turns.retain(|id| lanes.contains_key(id));
        late
    }
}
