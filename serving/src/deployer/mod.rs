//! Servers: following deployments.

mod canary;
mod endpoint;
mod follow;
mod status;
mod told;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use larder_core::extend::catch_panic;
use larder_core::store::with_causes;
use larder_core::{Error, Identifier, Result};

use crate::deployment::{self, DeploymentRecord};
use crate::error::{ServeError, ServeResult};
use crate::serving::Serving;

use endpoint::Following;
pub use endpoint::{Endpoint, Route};
use follow::Targets;
pub use status::{CanaryStatus, DeploymentStatus, VersionStatus};
pub(crate) use told::tell;

/// Maximum number of deployments that load models at the same time.
const MOST_LOADING: usize = 4;
/// The store may fail so long before a server counts as not ready.
const STORE_PATIENCE: Duration = Duration::from_secs(5);

/// Serves the deployments of a larder: loads their models, follows their tags, judges their canaries.
///
/// Any number of them may serve one larder, in one process or in many. Ends when it is dropped.
pub struct Deployer(Arc<Shared>);

pub(crate) struct Shared {
    serving: Serving,
    endpoints: RwLock<BTreeMap<Identifier, Arc<Endpoint>>>,
    state: Mutex<State>,
    /// Wakes the thread that polls.
    told: Condvar,
    /// Notified when a poll has ended.
    moved: Condvar,
}

#[derive(Default)]
struct State {
    /// Counts calls of `refresh`.
    asked: u64,
    /// The calls of `refresh` before the last poll.
    answered: u64,
    loading: usize,
    polled: bool,
    /// Since when the store fails, and why.
    fault: Option<(Instant, String)>,
    stopping: bool,
}

impl Deployer {
    /// Starts to serve the deployments of `serving`'s larder.
    ///
    /// # Errors
    /// [`Error::Refused`] if the system starts no thread.
    pub fn start(serving: &Serving) -> Result<Self> {
        let shared = Arc::new(Shared {
            serving: serving.clone(),
            endpoints: RwLock::default(),
            state: Mutex::default(),
            told: Condvar::new(),
            moved: Condvar::new(),
        });
        let polls = Arc::downgrade(&shared);
        let interval = serving.options().poll;
        let spawned = thread::Builder::new()
            .name("larder-deployer".into())
            .spawn(move || while Shared::poll_once(&polls, interval) {});
        match spawned {
            Ok(_) => {
                told::add(&shared);
                Ok(Self(shared))
            }
            Err(error) => Err(Error::Refused {
                action: "follow deployments".into(),
                reason: format!("the system starts no thread: {error}"),
            }),
        }
    }

    /// Returns a deployment that this server knows.
    pub fn endpoint(&self, name: &Identifier) -> Option<Arc<Endpoint>> {
        self.0.endpoints().get(name).cloned()
    }

    /// Returns the model of a deployment that answers the next request, by the canary's share.
    ///
    /// # Errors
    /// [`ServeError::NotReady`] if no version serves yet, or there is no such deployment.
    pub fn route(&self, name: &Identifier) -> ServeResult<Route> {
        match self.endpoint(name) {
            Some(endpoint) => endpoint.route(),
            None => Err(ServeError::NotReady {
                deployment: name.to_string(),
                reason: "there is no such deployment".into(),
            }),
        }
    }

    /// Returns the states of all deployments on this server, sorted by name.
    pub fn status(&self) -> Vec<DeploymentStatus> {
        self.0.endpoints().values().map(|endpoint| endpoint.status()).collect()
    }

    /// Returns whether every deployment serves or has failed with a reason, and the store answers.
    pub fn is_ready(&self) -> bool {
        self.not_ready().is_none()
    }

    /// Returns why this server is not ready.
    pub fn not_ready(&self) -> Option<String> {
        let state = self.0.lock();
        if let Some((since, reason)) = &state.fault
            && since.elapsed() >= STORE_PATIENCE
        {
            return Some(format!("the larder does not answer: {reason}"));
        }
        if !state.polled {
            return Some("the deployments are being read".into());
        }
        drop(state);
        let waiting: Vec<_> = self.0.endpoints().values().cloned().collect();
        let waiting = waiting.iter().find(|endpoint| !endpoint.is_settled());
        waiting.map(|endpoint| format!("the deployment {} is being loaded", endpoint.name()))
    }

    /// Returns why the store fails, while it does. What is loaded still serves.
    pub fn store_fault(&self) -> Option<String> {
        self.0.lock().fault.as_ref().map(|(_, reason)| reason.clone())
    }

    /// Looks at the larder now, as when it is told of a change; does not wait.
    pub fn refresh(&self) {
        self.0.refresh();
    }

    /// Looks at the larder now, and waits until everything it found is loaded or has failed; returns false if some is not
    /// after `timeout`.
    pub fn settle(&self, timeout: Duration) -> bool {
        let until = Instant::now() + timeout;
        let mut state = self.0.lock();
        state.asked += 1;
        self.0.told.notify_all();
        while state.answered < state.asked || state.loading > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.moved.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl fmt::Debug for Deployer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.endpoints().keys()).finish()
    }
}

impl Drop for Deployer {
    fn drop(&mut self) {
        self.0.lock().stopping = true;
        self.0.told.notify_all();
    }
}

impl Shared {
    fn refresh(&self) {
        self.lock().asked += 1;
        self.told.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn endpoints(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<Identifier, Arc<Endpoint>>> {
        self.endpoints.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls, and waits for the next time; returns false at the end.
    fn poll_once(shared: &Weak<Self>, interval: Duration) -> bool {
        let Some(its) = shared.upgrade() else { return false };
        let asked = its.lock().asked;
        // A store's own panic must not end the following.
        let polled = catch_panic("the store", || its.poll());
        let result = polled.unwrap_or_else(|panic| Err(Error::store("read deployments", panic)));
        its.serving.pool().sweep();
        let mut state = its.lock();
        state.answered = asked;
        match result {
            Ok(()) => {
                state.fault = None;
                state.polled = true;
            }
            Err(error) => {
                let since = state.fault.take().map_or_else(Instant::now, |(since, _)| since);
                state.fault = Some((since, with_causes(&error)));
            }
        }
        its.moved.notify_all();
        let until = Instant::now() + interval;
        while state.asked == asked && !state.stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = its.told.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        !state.stopping
    }

    fn poll(self: &Arc<Self>) -> Result<()> {
        let found = deployment::read_each(self.serving.larder())?;
        let mut endpoints = self.endpoints().clone();
        endpoints.retain(|name, _| found.iter().any(|(known, _)| known == name));
        for (name, _) in &found {
            endpoints
                .entry(name.clone())
                .or_insert_with(|| Arc::new(Endpoint::new(name.clone(), &self.serving)));
        }
        *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = endpoints.clone();
        let mut failure = Ok(());
        for (name, record) in found {
            let Some(endpoint) = endpoints.get(&name) else { continue };
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    endpoint.fault(with_causes(&error));
                    continue;
                }
            };
            let Some(following) = endpoint.begin() else { continue };
            following.describe(&record.reference, record.canary.as_ref().map(|it| it.share));
            let targets = Targets::find(self.serving.larder(), &record);
            if targets.need_loading(&following, &record) {
                self.load(following, record, targets);
            } else {
                let followed = follow::follow(&following, &record, targets);
                following.end(followed.as_ref().err());
                failure = failure.and(store_fault(followed));
            }
        }
        failure
    }

    /// Loads on a thread of its own: other deployments are followed meanwhile.
    fn load(self: &Arc<Self>, following: Following, record: DeploymentRecord, targets: Targets) {
        {
            let mut state = self.lock();
            if state.loading >= MOST_LOADING {
                return;
            }
            state.loading += 1;
        }
        let its = Arc::clone(self);
        let spawned = thread::Builder::new().name("larder-load".into()).spawn(move || {
            let follow = || follow::follow(&following, &record, targets);
            let followed = catch_panic("the code that loads it", follow);
            let followed = followed.unwrap_or_else(|panic| Err(Error::predict(panic)));
            following.end(followed.as_ref().err());
            // Its tag may have moved meanwhile, and other deployments may be waiting to load.
            let mut state = its.lock();
            (state.loading, state.asked) = (state.loading - 1, state.asked + 1);
            drop(state);
            its.told.notify_all();
        });
        if spawned.is_err() {
            self.lock().loading -= 1;
        }
    }
}

/// Keeps the errors of the store; a reference that names nothing is the deployment's.
fn store_fault(result: Result<()>) -> Result<()> {
    match result {
        Err(error @ Error::Store { .. }) => Err(error),
        _ => Ok(()),
    }
}
