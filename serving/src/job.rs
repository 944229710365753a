//! A request on its way: queued, running, answered.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_core::extend::catch_panic;

use crate::arm::ArmStats;
use crate::error::{ServeError, ServeResult};
use crate::loaded::LoadedModel;
use crate::metrics::Outcome;
use crate::request::{Answer, Input, Output};

type OnDone = Box<dyn FnOnce(ServeResult<Answer>) + Send>;

/// A request with the function that takes its answer. Whoever takes that function out answers the request; once it is
/// gone, nobody waits for it.
pub(crate) struct Job {
    pub(crate) model: Arc<LoadedModel>,
    pub(crate) input: Input,
    pub(crate) deadline: Instant,
    pub(crate) arrived: Instant,
    /// The share of a deployment that it belongs to.
    arm: Option<Arc<ArmStats>>,
    on_done: Mutex<Option<OnDone>>,
}

impl Job {
    pub(crate) fn new(
        model: Arc<LoadedModel>,
        input: Input,
        deadline: Instant,
        arm: Option<Arc<ArmStats>>,
        on_done: OnDone,
    ) -> Self {
        let on_done = Mutex::new(Some(on_done));
        Self { model, input, deadline, arrived: Instant::now(), arm, on_done }
    }

    fn take(&self) -> Option<OnDone> {
        self.on_done.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns whether somebody waits for the answer.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.on_done.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(crate) fn is_late(&self, now: Instant) -> bool {
        now >= self.deadline
    }

    /// Answers the request, unless it was answered or cancelled before.
    pub(crate) fn finish(&self, result: ServeResult<Output>) {
        let Some(on_done) = self.take() else { return };
        let outcome = result.as_ref().map_or_else(ServeError::outcome, |_| Outcome::Succeeded);
        self.count(outcome);
        let version = || Arc::clone(self.model.version());
        let answer = result.map(|output| Answer { output, version: version() });
        // A panic of the caller's function must not end the worker.
        let _ = catch_panic("the caller", || on_done(answer));
    }

    pub(crate) fn finish_late(&self) {
        self.finish(Err(ServeError::Late { model: self.model.what() }));
    }

    /// Drops the request: nobody waits for it any more.
    pub(crate) fn cancel(&self) {
        if let Some(on_done) = self.take() {
            self.count(Outcome::Cancelled);
            drop(on_done);
        }
    }

    fn count(&self, outcome: Outcome) {
        count(&self.model, self.arm.as_deref(), outcome, self.arrived.elapsed());
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Job({:?}, {:?})", self.model, self.input)
    }
}

/// Counts a request that ended.
pub(crate) fn count(model: &LoadedModel, arm: Option<&ArmStats>, outcome: Outcome, took: Duration) {
    match outcome {
        Outcome::Busy | Outcome::Stuck => model.metrics().refused(outcome),
        _ => model.metrics().ended(outcome, took),
    }
    if let Some(arm) = arm {
        arm.count(outcome, took);
    }
}
