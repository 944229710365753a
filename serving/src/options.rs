//! Options of serving.

use std::thread;
use std::time::Duration;

use crate::engine::Limits;

/// Limits of a [`Serving`](crate::Serving).
///
/// ```
/// use larder_serving::ServingOptions;
///
/// let options = ServingOptions::new().memory(8 << 30);
/// # let _ = options;
/// ```
#[derive(Debug, Clone)]
pub struct ServingOptions {
    pub(crate) workers: usize,
    pub(crate) memory: u64,
    pub(crate) waiting: usize,
    pub(crate) deadline: Duration,
    pub(crate) patience: Duration,
    pub(crate) idle: Duration,
    pub(crate) keep_errors: Duration,
    pub(crate) poll: Duration,
}

impl Default for ServingOptions {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(2, usize::from),
            memory: 4 << 30,
            waiting: 1_000,
            deadline: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            idle: Duration::from_secs(15 * 60),
            keep_errors: Duration::from_secs(5),
            poll: Duration::from_secs(1),
        }
    }
}

impl ServingOptions {
    /// Returns the defaults: a worker per core, 4 GiB of models, 1,000 waiting requests per model, a deadline of 30 s.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of threads that predict, shared by all models.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.max(1);
        self
    }

    /// Sets the maximum bytes of loaded models, by the sizes of their versions. Deployed models count, but are always
    /// loaded.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets the maximum number of requests that wait for one model.
    #[must_use]
    pub fn waiting(mut self, requests: usize) -> Self {
        self.waiting = requests.max(1);
        self
    }

    /// Sets the deadline of requests that state none.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets how long a prediction may run before its worker counts as lost, once nobody waits for the answer.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sets how long a model that nobody uses stays loaded.
    #[must_use]
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets how long the error of a model that cannot be loaded is kept, before loading is tried again.
    #[must_use]
    pub fn keep_errors(mut self, time: Duration) -> Self {
        self.keep_errors = time;
        self
    }

    /// Sets the time between looks at tags and deployments.
    #[must_use]
    pub fn poll(mut self, interval: Duration) -> Self {
        self.poll = interval;
        self
    }

    pub(crate) fn limits(&self) -> Limits {
        let Self { workers, waiting, patience, .. } = *self;
        Limits { workers, waiting, patience }
    }
}
