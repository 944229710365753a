//! The handle: requests for loaded models.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_core::extend::Records;
use larder_core::{Larder, Reference, Result, VersionInfo};

use crate::arm::ArmStats;
use crate::engine::Engine;
use crate::error::{ServeError, ServeResult};
use crate::job::{self, Job};
use crate::loaded::LoadedModel;
use crate::metrics::Outcome;
use crate::options::ServingOptions;
use crate::pending::{Pending, Ticket};
use crate::pool::ModelPool;
use crate::request::{Answer, Input, Request};

/// Maximum bytes of an input that runs on the caller's thread.
const MOST_INLINE: usize = 16 * 1024;
/// Maximum number of references whose versions are remembered.
const MOST_KNOWN: usize = 10_000;

/// Predicts with the models of a larder: keeps them loaded, queues requests, merges them and cuts off what does not end.
///
/// Cheap to clone. When the last clone is dropped, the workers end.
///
/// ```
/// use larder_core::Registry;
/// use larder_serving::{Request, Serving, ServingOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let larder = Registry::linked()?.open("memory:")?;
/// let serving = Serving::start(&larder, &ServingOptions::new())?;
/// // The model is loaded once, and stays loaded by use.
/// let unknown = serving.model(&"wine:prod".parse()?);
/// assert!(unknown.is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Serving(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: ModelPool,
    engine: Arc<Engine>,
    options: ServingOptions,
    /// The versions that references named a moment ago.
    known: Mutex<HashMap<Reference, (VersionInfo, Instant)>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

impl Serving {
    /// Starts the workers.
    ///
    /// # Errors
    /// [`Error::Refused`](larder_core::Error::Refused) if the system starts no threads.
    pub fn start(larder: &Larder, options: &ServingOptions) -> Result<Self> {
        let engine = Engine::start(options.limits())?;
        let pool = ModelPool::new(larder, options);
        Ok(Self(Arc::new(Shared {
            pool,
            engine,
            options: options.clone(),
            known: Mutex::default(),
        })))
    }

    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        self.0.pool.larder()
    }

    /// Returns the models in memory.
    pub fn pool(&self) -> &ModelPool {
        &self.0.pool
    }

    /// Returns the options.
    pub fn options(&self) -> &ServingOptions {
        &self.0.options
    }

    /// Returns the version that `reference` names. The answer for a tag or a name may be as old as the time between
    /// polls.
    ///
    /// # Errors
    /// [`Error::NotFound`](larder_core::Error::NotFound); [`Error::Store`](larder_core::Error::Store).
    pub fn find(&self, reference: &Reference) -> Result<VersionInfo> {
        if let Some(version) = self.known(reference) {
            return Ok(version);
        }
        let found = self.larder().find(reference)?;
        let version = VersionInfo::new(reference.identifier(), &found);
        let now = Instant::now();
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(reference.clone(), (version.clone(), now));
        Ok(version)
    }

    /// Returns the version that `reference` named a moment ago.
    fn known(&self, reference: &Reference) -> Option<VersionInfo> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (version, at) = known.get(reference)?;
        (at.elapsed() < self.0.options.poll).then(|| version.clone())
    }

    /// Returns the model that `reference` names, and loads it where it is not loaded. Blocks.
    ///
    /// # Errors
    /// As [`find`](Serving::find) and [`ModelPool::get`].
    pub fn model(&self, reference: &Reference) -> ServeResult<Arc<LoadedModel>> {
        self.0.pool.get(&self.find(reference)?)
    }

    /// Returns the model that `reference` names, if that needs no disk and no network. Does not block.
    pub fn model_now(&self, reference: &Reference) -> Option<Arc<LoadedModel>> {
        self.0.pool.loaded(&self.known(reference)?)
    }

    /// Predicts on this thread, if the model is known to be fast and nothing waits for it; otherwise returns `None`.
    ///
    /// Costs next to nothing, but nothing cuts it off: only inputs of at most 16 KiB run here, for models whose
    /// predictions took less than 50 µs on average and never long of late.
    pub fn try_predict_now(
        &self,
        model: &Arc<LoadedModel>,
        input: &Input,
    ) -> Option<ServeResult<Answer>> {
        self.try_now(model, input, None)
    }

    pub(crate) fn try_now(
        &self,
        model: &Arc<LoadedModel>,
        input: &Input,
        arm: Option<&ArmStats>,
    ) -> Option<ServeResult<Answer>> {
        let is_one = matches!(input, Input::Json(_) | Input::MessagePack(_));
        if !is_one || !model.pace.is_fast() || input.size() > MOST_INLINE || model.lost() > 0 {
            return None;
        }
        let started = Instant::now();
        let result = model.run(input);
        let took = started.elapsed();
        model.pace.ran_alone(took);
        let outcome = result.as_ref().map_or_else(ServeError::outcome, |_| Outcome::Succeeded);
        job::count(model, arm, outcome, took);
        let answer = |output| Answer { output, version: Arc::clone(model.version()) };
        Some(result.map(answer))
    }

    /// Queues a request; `on_done` gets the answer, on another thread, or on this one if the request is refused.
    ///
    /// `on_done` must not block: it runs on a thread that predicts.
    pub fn submit(
        &self,
        model: &Arc<LoadedModel>,
        request: Request,
        on_done: impl FnOnce(ServeResult<Answer>) + Send + 'static,
    ) -> Ticket {
        self.submit_for(model, request, None, on_done)
    }

    pub(crate) fn submit_for(
        &self,
        model: &Arc<LoadedModel>,
        request: Request,
        arm: Option<Arc<ArmStats>>,
        on_done: impl FnOnce(ServeResult<Answer>) + Send + 'static,
    ) -> Ticket {
        let Request { input, deadline } = request;
        let deadline = deadline.unwrap_or_else(|| Instant::now() + self.0.options.deadline);
        let job = Job::new(Arc::clone(model), input, deadline, arm, Box::new(on_done));
        let job = Arc::new(job);
        if let Err(error) = self.0.engine.submit(&job) {
            job.finish(Err(error));
        }
        Ticket::new(job)
    }

    /// Queues a request; the answer is awaited or waited for.
    pub fn request(&self, model: &Arc<LoadedModel>, request: Request) -> Pending {
        Pending::new(|on_done| self.submit(model, request, on_done))
    }

    /// Predicts, and blocks until the answer.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn predict(&self, model: &Arc<LoadedModel>, request: Request) -> ServeResult<Answer> {
        match self.try_predict_now(model, &request.input) {
            Some(answer) => answer,
            None => self.request(model, request).wait(),
        }
    }

    /// Returns the number of requests that wait for a model.
    pub fn waiting(&self, model: &LoadedModel) -> usize {
        self.0.engine.waiting(model)
    }

    /// Returns the numbers of workers: those that work or wait for work, and those whose predictions do not end.
    pub fn workers(&self) -> (usize, usize) {
        self.0.engine.workers()
    }

    /// Refuses new requests, and waits for the end of those that were accepted. Returns false if some have not ended after
    /// `timeout`.
    pub fn stop(&self, timeout: Duration) -> bool {
        self.0.engine.stop();
        self.0.engine.drain(timeout)
    }
}
