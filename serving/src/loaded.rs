//! A loaded model.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use larder_core::bytes::Bytes;
use larder_core::extend::catch_panic;
use larder_core::{Component, Error, Model, Ready, Result, Signature, VersionInfo};

use crate::error::{ServeError, ServeResult};
use crate::metrics::ModelMetrics;
use crate::pace::Pace;
use crate::request::{Input, Output};

/// A model in memory: one exact version, set up.
///
/// It stays loaded as long as somebody holds it.
pub struct LoadedModel {
    /// Unique in the process.
    pub(crate) id: u64,
    version: Arc<VersionInfo>,
    reference: Bytes,
    component: Ready<dyn Component>,
    metrics: Arc<ModelMetrics>,
    load_time: Duration,
    pub(crate) pace: Pace,
    /// Threads whose predictions do not end.
    lost: AtomicUsize,
}

/// Threads that a model may lose before it is stuck.
const MOST_LOST: usize = 3;

impl LoadedModel {
    pub(crate) fn new(
        component: Ready<dyn Component>,
        metrics: Arc<ModelMetrics>,
        load_time: Duration,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            id: NEXT.fetch_add(1, Relaxed),
            version: Arc::new(component.version().clone()),
            reference: component.version().reference().to_string().into(),
            component,
            metrics,
            load_time,
            pace: Pace::default(),
            lost: AtomicUsize::new(0),
        }
    }

    /// Returns the version.
    pub fn version(&self) -> &Arc<VersionInfo> {
        &self.version
    }

    /// Returns the reference of the exact version, as text in UTF-8.
    pub fn reference(&self) -> &Bytes {
        &self.reference
    }

    /// Returns the model, to call it on this thread without deadline and counters.
    ///
    /// # Errors
    /// [`Error::Hook`] if its `setup` has to run again, and fails.
    pub fn model(&self) -> Result<&dyn Model> {
        let model = self.component.get()?.as_model();
        model.ok_or_else(|| Error::predict("the component is no longer a model"))
    }

    /// Returns the schemas of input and output.
    pub fn signature(&self) -> Signature {
        self.component.peek().as_model().map(Model::signature).unwrap_or_default()
    }

    /// Returns its counters, which outlive it.
    pub fn metrics(&self) -> &Arc<ModelMetrics> {
        &self.metrics
    }

    /// Returns how long loading it took.
    pub fn load_time(&self) -> Duration {
        self.load_time
    }

    /// Returns whether so many of its predictions do not end that it is refused.
    pub fn is_stuck(&self) -> bool {
        self.lost() >= MOST_LOST
    }

    /// Returns the number of threads whose predictions do not end.
    pub fn lost(&self) -> usize {
        self.lost.load(Relaxed)
    }

    pub(crate) fn lose(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    pub(crate) fn regain(&self) {
        self.lost.fetch_sub(1, Relaxed);
    }

    /// Returns its name in errors.
    pub(crate) fn what(&self) -> String {
        self.version.reference().to_string()
    }

    pub(crate) fn stuck(&self) -> ServeError {
        ServeError::Stuck { model: self.what(), lost: self.lost() }
    }

    /// Runs `call` with the model; a panic is an error.
    pub(crate) fn call<T>(&self, call: impl FnOnce(&dyn Model) -> Result<T>) -> ServeResult<T> {
        match catch_panic("it", || call(self.model()?)) {
            Ok(result) => result.map_err(ServeError::Model),
            Err(source) => Err(ServeError::Panicked { model: self.what(), source }),
        }
    }

    /// Predicts on this thread.
    pub(crate) fn run(&self, input: &Input) -> ServeResult<Output> {
        let output = self.call(|model| input.run(model))?;
        self.metrics.predicted(input.rows(&output));
        Ok(output)
    }
}

impl fmt::Debug for LoadedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadedModel({}, {})", self.what(), self.version.digest.short())
    }
}
