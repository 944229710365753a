//! The pool of loaded models.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use larder_core::extend::{Records, catch_panic};
use larder_core::store::{Absence, Digest};
use larder_core::{Component, Error, Identifier, Larder, Ready, Result, VersionInfo};

use crate::error::{ServeError, ServeResult};
use crate::loaded::LoadedModel;
use crate::metrics::ModelMetrics;
use crate::options::ServingOptions;

/// Maximum number of versions whose counters are kept.
const MOST_METRICS: usize = 1_000;
/// Advice of when to try again if models in use fill the memory.
const RETRY: Duration = Duration::from_secs(5);

/// A version: its name, and the digest of its manifest.
type Key = (Identifier, Digest);

/// Models in memory, by exact version.
///
/// A model is loaded once, however many ask for it, and stays loaded by use, within a bound on the bytes of all. One that
/// somebody holds is never dropped.
#[derive(Debug)]
pub struct ModelPool {
    larder: Larder,
    limit: u64,
    idle: Duration,
    keep_errors: Duration,
    state: Mutex<State>,
    /// Notified when a load ends.
    loaded: Condvar,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<Key, Entry>,
    /// Counters outlive their models.
    metrics: HashMap<Key, (VersionInfo, Arc<ModelMetrics>)>,
    /// Bytes of what is loaded, and of what is being loaded.
    bytes: u64,
}

#[derive(Debug)]
enum Entry {
    Loading,
    Loaded { model: Arc<LoadedModel>, used: Instant },
    Failed { error: Arc<Error>, until: Instant },
}

/// The rule of a load beyond the memory bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Refused.
    Bounded,
    /// Loaded all the same: it is deployed.
    Deployed,
}

impl ModelPool {
    pub(crate) fn new(larder: &Larder, options: &ServingOptions) -> Self {
        Self {
            larder: larder.clone(),
            limit: options.memory,
            idle: options.idle,
            keep_errors: options.keep_errors,
            state: Mutex::default(),
            loaded: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Returns the model of a version, if it is loaded. Never blocks on a load.
    pub fn loaded(&self, version: &VersionInfo) -> Option<Arc<LoadedModel>> {
        self.lock().touch(&key(version))
    }

    /// Returns the model of a version, and loads it first where it is not loaded. Blocks until it is.
    ///
    /// # Errors
    /// [`ServeError::Load`]; [`ServeError::Full`] if models in use leave too little room.
    pub fn get(&self, version: &VersionInfo) -> ServeResult<Arc<LoadedModel>> {
        self.get_with(version, Room::Bounded)
    }

    pub(crate) fn get_with(
        &self,
        version: &VersionInfo,
        room: Room,
    ) -> ServeResult<Arc<LoadedModel>> {
        let key = key(version);
        let mut state = self.lock();
        loop {
            if let Some(model) = state.touch(&key) {
                return Ok(model);
            }
            match state.entries.get(&key) {
                Some(Entry::Loading) => {
                    state = self.loaded.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(Entry::Failed { error, until }) if Instant::now() < *until => {
                    let (model, source) = (what(version), Arc::clone(error));
                    return Err(ServeError::Load { model, source });
                }
                _ => break,
            }
        }
        let dropped = state.make_room(version.size, self.limit);
        let free = self.limit.saturating_sub(state.bytes);
        if version.size > free && room == Room::Bounded {
            // Models are dropped outside of the lock.
            drop(state);
            drop(dropped);
            let (model, needed, limit) = (what(version), version.size, self.limit);
            return Err(ServeError::Full { model, needed, free, limit, retry_after: RETRY });
        }
        state.entries.insert(key.clone(), Entry::Loading);
        state.bytes += version.size;
        let metrics = state.metrics_of(&key, version);
        drop(state);
        drop(dropped);
        self.load(version, key, metrics)
    }

    /// Loads a version, for which the state has an entry [`Entry::Loading`].
    fn load(
        &self,
        version: &VersionInfo,
        key: Key,
        metrics: Arc<ModelMetrics>,
    ) -> ServeResult<Arc<LoadedModel>> {
        let started = Instant::now();
        let loaded = catch_panic("the code that loads it", || read(&self.larder, version));
        let loaded = loaded.unwrap_or_else(|panic| Err(Error::predict(panic)));
        let took = started.elapsed();
        let mut state = self.lock();
        let result = match loaded {
            Ok(component) => {
                metrics.loaded(version.size, took);
                let model = Arc::new(LoadedModel::new(component, metrics, took));
                let used = Instant::now();
                state.entries.insert(key, Entry::Loaded { model: Arc::clone(&model), used });
                Ok(model)
            }
            Err(error) => {
                let (error, until) = (Arc::new(error), Instant::now() + self.keep_errors);
                state.bytes -= version.size;
                state.entries.insert(key, Entry::Failed { error: Arc::clone(&error), until });
                Err(ServeError::Load { model: what(version), source: error })
            }
        };
        drop(state);
        self.loaded.notify_all();
        result
    }

    /// Drops the models that nobody used for a while, and errors that are over. A [`Deployer`](crate::Deployer) calls it.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut dropped = Vec::new();
        let mut state = self.lock();
        let old: Vec<Key> = state
            .entries
            .iter()
            .filter(|(_, entry)| match entry {
                Entry::Loading => false,
                Entry::Loaded { model, used } => {
                    Arc::strong_count(model) == 1 && now - *used >= self.idle
                }
                Entry::Failed { until, .. } => now >= *until,
            })
            .map(|(key, _)| key.clone())
            .collect();
        old.iter().for_each(|key| dropped.extend(state.remove(key)));
        drop(state);
        drop(dropped);
    }

    /// Returns the bytes of the loaded models.
    pub fn bytes(&self) -> u64 {
        self.lock().bytes
    }

    /// Returns the maximum bytes of loaded models.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Returns the loaded models.
    pub fn models(&self) -> Vec<Arc<LoadedModel>> {
        let state = self.lock();
        let models = state.entries.values().filter_map(|entry| match entry {
            Entry::Loaded { model, .. } => Some(Arc::clone(model)),
            _ => None,
        });
        models.collect()
    }

    /// Returns the counters of all versions that were used, loaded or not.
    pub fn metrics(&self) -> Vec<(VersionInfo, Arc<ModelMetrics>)> {
        self.lock().metrics.values().cloned().collect()
    }
}

impl State {
    fn touch(&mut self, key: &Key) -> Option<Arc<LoadedModel>> {
        match self.entries.get_mut(key)? {
            Entry::Loaded { model, used } => {
                *used = Instant::now();
                Some(Arc::clone(model))
            }
            _ => None,
        }
    }

    /// Removes an entry, and returns its model.
    fn remove(&mut self, key: &Key) -> Option<Arc<LoadedModel>> {
        match self.entries.remove(key)? {
            Entry::Loaded { model, .. } => {
                self.bytes -= model.version().size;
                model.metrics().unloaded();
                Some(model)
            }
            _ => None,
        }
    }

    /// Drops models that nobody holds, the one that was unused longest first, until `needed` bytes fit.
    ///
    /// Models are handed out under the lock only, so one that only the pool holds stays so.
    fn make_room(&mut self, needed: u64, limit: u64) -> Vec<Arc<LoadedModel>> {
        let mut dropped = Vec::new();
        while self.bytes.saturating_add(needed) > limit {
            let unused = self.entries.iter().filter_map(|(key, entry)| match entry {
                Entry::Loaded { model, used } if Arc::strong_count(model) == 1 => {
                    Some((*used, key.clone()))
                }
                _ => None,
            });
            let Some((_, oldest)) = unused.min_by_key(|(used, _)| *used) else { break };
            dropped.extend(self.remove(&oldest));
        }
        dropped
    }

    fn metrics_of(&mut self, key: &Key, version: &VersionInfo) -> Arc<ModelMetrics> {
        if self.metrics.len() >= MOST_METRICS {
            let Self { metrics, entries, .. } = self;
            metrics.retain(|key, _| entries.contains_key(key));
        }
        match self.metrics.entry(key.clone()) {
            Place::Occupied(known) => Arc::clone(&known.get().1),
            Place::Vacant(place) => {
                let metrics = Arc::new(ModelMetrics::default());
                place.insert((version.clone(), Arc::clone(&metrics)));
                metrics
            }
        }
    }
}

/// Loads the component of a version, removed or not, and sets it up.
fn read(larder: &Larder, version: &VersionInfo) -> Result<Ready<dyn Component>> {
    let component = larder.load_version(&version.identifier, version.version)?;
    let found = component.version();
    if found.digest != version.digest {
        return Err(Error::NotFound {
            reference: format!("{}@{}", version.identifier, version.digest),
            similar: vec![found.reference().to_string()],
            absence: Absence::Unknown,
        });
    }
    if component.peek().as_model().is_none() {
        return Err(Error::NotAModel {
            reference: found.reference().to_string(),
            type_tag: component.peek().type_tag().to_owned(),
        });
    }
    component.get()?;
    Ok(component)
}

fn key(version: &VersionInfo) -> Key {
    (version.identifier.clone(), version.digest)
}

fn what(version: &VersionInfo) -> String {
    version.reference().to_string()
}
