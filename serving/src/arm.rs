//! The counters of one arm of a deployment: the version that serves, or the canary.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::metrics::{Outcome, nanos};

/// Requests that one arm of a deployment answered on this server.
#[derive(Debug)]
pub struct ArmStats {
    /// Answers that take longer are slow, in nanoseconds.
    limit: u64,
    requests: AtomicU64,
    failures: AtomicU64,
    slow: AtomicU64,
}

impl ArmStats {
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        let zero = || AtomicU64::new(0);
        let limit = limit.map_or(u64::MAX, nanos);
        Self { limit, requests: zero(), failures: zero(), slow: zero() }
    }

    pub(crate) fn count(&self, outcome: Outcome, took: Duration) {
        // An error of the caller says nothing about the model.
        if outcome != Outcome::Succeeded && !outcome.is_failure() {
            return;
        }
        self.requests.fetch_add(1, Relaxed);
        if outcome.is_failure() {
            self.failures.fetch_add(1, Relaxed);
        }
        if nanos(took) > self.limit {
            self.slow.fetch_add(1, Relaxed);
        }
    }

    /// Returns the number of requests that the model answered, or failed to.
    pub fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Returns how many of them failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// Returns how many of them took longer than the rule of the canary allows for 90 %.
    pub fn slow(&self) -> u64 {
        self.slow.load(Relaxed)
    }
}
