//! A deployment on this server: which model answers.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Instant;

use larder_core::store::{Digest, Timestamp};
use larder_core::{Error, Identifier, Reference, VersionInfo};

use super::status::{CanaryStatus, DeploymentStatus, VersionStatus, with_causes};
use crate::arm::ArmStats;
use crate::deployment::CanaryRecord;
use crate::error::{ServeError, ServeResult};
use crate::loaded::LoadedModel;
use crate::pending::{Pending, Ticket};
use crate::request::{Answer, Input, Request};
use crate::serving::Serving;

/// A deployment that this server serves.
pub struct Endpoint {
    name: Identifier,
    pub(super) serving: Serving,
    /// Replaced as a whole: a request sees the versions before or after a change.
    arms: RwLock<Arms>,
    /// Counts requests, to give the canary its share.
    counter: AtomicU64,
    state: Mutex<State>,
}

/// The versions that answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Arms {
    pub(super) main: Option<Arm>,
    pub(super) canary: Option<Canary>,
}

/// A version that answers.
#[derive(Debug, Clone)]
pub(super) struct Arm {
    pub(super) model: Arc<LoadedModel>,
    /// The digest of its signature.
    pub(super) signature: Digest,
    pub(super) stats: Arc<ArmStats>,
    pub(super) since: Timestamp,
}

/// A version that gets a share of the requests.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) arm: Arm,
    pub(super) record: CanaryRecord,
    /// When the next verdict is due.
    pub(super) due: Instant,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// True while a thread follows the record.
    is_working: bool,
    /// True once it served or failed.
    is_settled: bool,
    reference: Option<Reference>,
    canary_share: Option<f64>,
    /// Why what is to be served does not serve.
    reason: Option<String>,
    pub(super) main_block: Option<Block>,
    /// Of the version that served before.
    pub(super) fallback_block: Option<Block>,
    pub(super) canary_block: Option<Block>,
    /// Why no version of the canary is found.
    pub(super) canary_fault: Option<String>,
}

/// A version that did not take over.
#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) digest: Digest,
    /// The change of the record before it.
    pub(super) changed: Timestamp,
    /// When to try again; never, if it was refused.
    pub(super) until: Option<Instant>,
    pub(super) reason: String,
}

impl Block {
    pub(super) fn holds(&self, digest: &Digest, changed: Timestamp) -> bool {
        self.digest == *digest
            && self.changed == changed
            && self.until.is_none_or(|until| Instant::now() < until)
    }
}

impl Arm {
    pub(super) fn digest(&self) -> &Digest {
        &self.model.version().digest
    }

    fn status(&self) -> VersionStatus {
        VersionStatus {
            version: VersionInfo::clone(self.model.version()),
            since: self.since,
            requests: self.stats.requests(),
            failures: self.stats.failures(),
        }
    }
}

impl Endpoint {
    pub(super) fn new(name: Identifier, serving: &Serving) -> Self {
        Self {
            name,
            serving: serving.clone(),
            arms: RwLock::default(),
            counter: AtomicU64::new(0),
            state: Mutex::default(),
        }
    }

    /// Returns its name.
    pub fn name(&self) -> &Identifier {
        &self.name
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn arms(&self) -> RwLockReadGuard<'_, Arms> {
        self.arms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the versions that answer. Replaced models are dropped outside of the lock.
    pub(super) fn swap(&self, change: impl FnOnce(&mut Arms)) {
        let mut arms = self.arms().clone();
        change(&mut arms);
        let mut place = self.arms.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut *place, &mut arms);
        drop(place);
    }

    /// Returns the model that answers the next request: the canary gets exactly its share.
    ///
    /// # Errors
    /// [`ServeError::NotReady`] if no version serves yet.
    pub fn route(&self) -> ServeResult<Route> {
        let arms = self.arms();
        let arm = match (&arms.canary, &arms.main) {
            (Some(canary), Some(main)) => {
                let share = canary.record.share;
                // The counter stays exact for 2^53 requests.
                let at = self.counter.fetch_add(1, Relaxed) as f64;
                let is_its = ((at + 1.0) * share).floor() > (at * share).floor();
                if is_its { &canary.arm } else { main }
            }
            (_, Some(main)) => main,
            (_, None) => {
                drop(arms);
                return Err(self.not_ready());
            }
        };
        let (model, stats) = (Arc::clone(&arm.model), Arc::clone(&arm.stats));
        Ok(Route { model, stats, serving: self.serving.clone() })
    }

    fn not_ready(&self) -> ServeError {
        let reason = self.lock().reason.clone();
        let reason = reason.unwrap_or_else(|| "it is being loaded".into());
        ServeError::NotReady { deployment: self.name.to_string(), reason }
    }

    /// Returns the model that serves, not the canary.
    pub fn model(&self) -> Option<Arc<LoadedModel>> {
        self.arms().main.as_ref().map(|arm| Arc::clone(&arm.model))
    }

    /// Predicts, and blocks until the answer.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn predict(&self, request: Request) -> ServeResult<Answer> {
        self.route()?.predict(request)
    }

    /// Returns its state on this server.
    pub fn status(&self) -> DeploymentStatus {
        let arms = self.arms().clone();
        let state = self.lock();
        let blocked = |block: &Option<Block>| block.as_ref().map(|block| block.reason.clone());
        let canary = state.canary_share.map(|share| CanaryStatus {
            version: arms.canary.as_ref().map(|canary| canary.arm.status()),
            share,
            reason: state.canary_fault.clone().or_else(|| blocked(&state.canary_block)),
        });
        let stuck = arms.main.as_ref().map(|arm| &arm.model).filter(|model| model.is_stuck());
        DeploymentStatus {
            name: self.name.clone(),
            reference: state.reference.clone(),
            serving: arms.main.as_ref().map(Arm::status),
            is_ready: arms.main.is_some() && stuck.is_none(),
            reason: stuck.map(|model| model.stuck().to_string()).or_else(|| state.reason.clone()),
            canary,
        }
    }

    /// Returns whether it serves, or has failed with a reason.
    pub(super) fn is_settled(&self) -> bool {
        self.lock().is_settled
    }

    /// Begins to follow the record; returns none while another thread does.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Following> {
        let is_working = std::mem::replace(&mut self.lock().is_working, true);
        (!is_working).then(|| Following(Arc::clone(self)))
    }

    /// Keeps why its record cannot be read.
    pub(super) fn fault(&self, reason: String) {
        let mut state = self.lock();
        state.reason = Some(reason);
        state.is_settled = true;
    }

    pub(super) fn describe(&self, reference: &Reference, canary_share: Option<f64>) {
        let mut state = self.lock();
        state.reference = Some(reference.clone());
        state.canary_share = canary_share;
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {:?})", self.name, self.model())
    }
}

/// The only thread that changes the versions of an endpoint. To drop it is to put it off: the next poll tries again.
pub(super) struct Following(Arc<Endpoint>);

impl Following {
    /// Ends it: `error` kept what is to be served from being found.
    pub(super) fn end(self, error: Option<&Error>) {
        let serves = self.0.arms().main.is_some();
        let mut state = self.0.lock();
        let blocked = state.main_block.as_ref().map(|block| block.reason.clone());
        state.reason = error.map(|error| with_causes(error)).or(blocked);
        state.is_settled = serves || state.reason.is_some();
    }
}

impl Deref for Following {
    type Target = Endpoint;

    fn deref(&self) -> &Endpoint {
        &self.0
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.0.lock().is_working = false;
    }
}

/// The model that answers one request of a deployment.
#[derive(Debug, Clone)]
pub struct Route {
    model: Arc<LoadedModel>,
    stats: Arc<ArmStats>,
    serving: Serving,
}

impl Route {
    /// Returns the model.
    pub fn model(&self) -> &Arc<LoadedModel> {
        &self.model
    }

    /// As [`Serving::try_predict_now`].
    pub fn try_predict_now(&self, input: &Input) -> Option<ServeResult<Answer>> {
        self.serving.try_now(&self.model, input, Some(&self.stats))
    }

    /// As [`Serving::submit`].
    pub fn submit(
        &self,
        request: Request,
        on_done: impl FnOnce(ServeResult<Answer>) + Send + 'static,
    ) -> Ticket {
        self.serving.submit_for(&self.model, request, Some(Arc::clone(&self.stats)), on_done)
    }

    /// As [`Serving::request`].
    pub fn request(&self, request: Request) -> Pending {
        Pending::new(|on_done| self.submit(request, on_done))
    }

    /// As [`Serving::predict`].
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn predict(&self, request: Request) -> ServeResult<Answer> {
        match self.try_predict_now(&request.input) {
            Some(answer) => answer,
            None => self.request(request).wait(),
        }
    }
}
