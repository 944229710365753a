//! Progress of long operations.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The progress of an operation, passed to the callback of
/// [`Larder::with_progress`](crate::Larder::with_progress).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The operation, for messages: `verifying`.
    pub task: &'static str,
    /// Bytes processed.
    pub done: u64,
    /// Bytes in total, if known; always known at the end.
    pub total: Option<u64>,
}

/// The callback for progress, if there is one.
#[derive(Clone, Default)]
pub(crate) struct Watcher(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Watcher {
    pub(crate) fn new(watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// Begins an operation.
    pub(crate) fn begin(&self, task: &'static str, total: Option<u64>) -> Meter {
        Meter { watcher: self.clone(), task, total, done: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watcher({})", if self.0.is_some() { "some" } else { "none" })
    }
}

/// Counts the bytes of an operation; may be shared between threads.
#[derive(Debug)]
pub struct Meter {
    watcher: Watcher,
    task: &'static str,
    total: Option<u64>,
    done: AtomicU64,
}

impl Meter {
    /// Adds processed bytes.
    pub fn add(&self, bytes: u64) {
        let Some(watch) = &self.watcher.0 else { return };
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        watch(Progress { task: self.task, done, total: self.total });
    }
}

impl Drop for Meter {
    /// Reports the total of an operation whose size was unknown.
    fn drop(&mut self) {
        let done = *self.done.get_mut();
        if let (Some(watch), None, 1..) = (&self.watcher.0, self.total, done) {
            watch(Progress { task: self.task, done, total: Some(done) });
        }
    }
}
