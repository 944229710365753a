//! A worker's thread.

use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Instant;

use larder_core::extend::catch_panic;

use super::{Engine, Run, State};
use crate::merge;

/// Stack of a worker: models may recurse.
const STACK: usize = 8 << 20;

/// Starts a worker; returns false if the system refuses.
pub(super) fn spawn(engine: &Arc<Engine>, state: &mut State) -> bool {
    let number = state.next_worker;
    let its = Arc::clone(engine);
    let spawned = thread::Builder::new()
        .name(format!("larder-model-{number}"))
        .stack_size(STACK)
        .spawn(move || its.work(number));
    if spawned.is_ok() {
        state.next_worker += 1;
        state.live += 1;
    }
    spawned.is_ok()
}

impl Engine {
    fn work(&self, number: u64) {
        let mut state = self.lock();
        loop {
            if let Some((model, jobs)) = state.take() {
                let run = Arc::new(Run { model, jobs, started: Instant::now() });
                state.runs.insert(number, Arc::clone(&run));
                drop(state);
                // The model's panics are caught below; this one would be a bug, and costs no worker.
                let ran = catch_panic("a worker", || merge::run(&run.model, &run.jobs));
                if ran.is_err() {
                    run.jobs.iter().for_each(|job| job.finish_late());
                }
                state = self.lock();
                let was_lost = state.runs.remove(&number).is_none();
                if was_lost {
                    run.model.regain();
                    state.lost -= 1;
                    state.live += 1;
                }
                if state.lanes.is_empty() && state.runs.is_empty() {
                    self.drained.notify_all();
                }
                // The last holder of a model drops it outside of the lock.
                drop(state);
                drop(run);
                state = self.lock();
            } else if state.stopping || state.live > self.limits.workers {
                state.live -= 1;
                return;
            } else {
                state.idle += 1;
                state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }
}
