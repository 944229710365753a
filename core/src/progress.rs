//! How far a long piece of work is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far a larder is with a piece of work: what [`Larder::with_progress`](crate::Larder::with_progress)
/// is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What it does, for people: `verifying`.
    pub task: &'static str,
    /// The bytes that are done.
    pub done: u64,
    /// The bytes there are in all, if that is known; at the end of the work it always is.
    pub total: Option<u64>,
}

/// Who wants to know.
#[derive(Clone, Default)]
pub(crate) struct Watcher(Option<Arc<dyn Fn(Progress) + Send + Sync>>);

impl Watcher {
    pub(crate) fn new(watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(watch)))
    }

    /// Begins a piece of work.
    pub(crate) fn begin(&self, task: &'static str, total: Option<u64>) -> Meter {
        Meter { watcher: self.clone(), task, total, done: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watcher({})", if self.0.is_some() { "some" } else { "none" })
    }
}

/// Counts the bytes of a piece of work; threads may share it.
#[derive(Debug)]
pub struct Meter {
    watcher: Watcher,
    task: &'static str,
    total: Option<u64>,
    done: AtomicU64,
}

impl Meter {
    /// More bytes are done.
    pub fn add(&self, bytes: u64) {
        let Some(watch) = &self.watcher.0 else { return };
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        watch(Progress { task: self.task, done, total: self.total });
    }
}

impl Drop for Meter {
    /// Work whose size is not known before ends here, and its size is known now.
    fn drop(&mut self) {
        let done = *self.done.get_mut();
        if let (Some(watch), None, 1..) = (&self.watcher.0, self.total, done) {
            watch(Progress { task: self.task, done, total: Some(done) });
        }
    }
}
