//! How fast a model is: running means that decide where and how its requests run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::metrics::nanos;

/// A model is fast if a prediction takes less, in nanoseconds.
const FAST: u64 = 50_000;
/// A prediction that takes longer is slow, in nanoseconds. On a busy machine a fast one may be, now and then.
const SLOW: u64 = 2_000_000;
/// One that takes longer is a reason of its own not to be fast.
const VERY_SLOW: u64 = 20_000_000;
/// The weight of a slow prediction against one that is not, and of a very slow one.
const SLOWNESS: (u64, u64) = (64, 512);
/// A model is not fast above it.
const MOST_SLOWNESS: u64 = 256;
/// Predictions before a model counts as fast.
const PROBATION: u64 = 32;
/// The share of a new value in a running mean is one part of this.
const WEIGHT: u64 = 16;
/// A new value counts as at most so many times the mean.
const MOST_JUMP: u64 = 8;
/// Maximum rows of a merged batch.
const MOST_MERGED: usize = 64;
/// Maximum time that a merged batch is expected to take, in nanoseconds: the first request waits for the last.
const MOST_TIME: u64 = 250_000_000;
/// Rows of a merged batch while it is unknown whether merging pays.
const TRIED: usize = 8;
/// Where merging does not pay, one of this many batches tries again.
const RETRIED: u64 = 64;

/// Running means of a model's predictions.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Nanoseconds of a prediction alone; 0 before the first.
    alone: AtomicU64,
    /// Nanoseconds of one row of a merged batch; 0 before the first.
    merged: AtomicU64,
    /// Predictions so far.
    count: AtomicU64,
    /// Grows with slow predictions, and shrinks with all others.
    slowness: AtomicU64,
    /// Batches for which merging was considered.
    considered: AtomicU64,
}

impl Pace {
    /// Records a prediction alone.
    pub(crate) fn ran_alone(&self, took: Duration) {
        let took = nanos(took).max(1);
        update(&self.alone, took);
        if self.count.load(Relaxed) < PROBATION {
            self.count.fetch_add(1, Relaxed);
        }
        let slowness = self.slowness.load(Relaxed);
        let new = if took > VERY_SLOW {
            slowness + SLOWNESS.1
        } else if took > SLOW {
            slowness + SLOWNESS.0
        } else {
            slowness.saturating_sub(1)
        };
        if new != slowness {
            self.slowness.store(new.min(SLOWNESS.1), Relaxed);
        }
    }

    /// Records a merged batch.
    pub(crate) fn ran_merged(&self, rows: usize, took: Duration) {
        update(&self.merged, (nanos(took) / rows.max(1) as u64).max(1));
    }

    /// Returns whether a prediction costs less than handing it to another thread.
    pub(crate) fn is_fast(&self) -> bool {
        self.alone.load(Relaxed) < FAST
            && self.slowness.load(Relaxed) < MOST_SLOWNESS
            && self.count.load(Relaxed) >= PROBATION
    }

    /// Returns the mean time of a prediction.
    pub(crate) fn mean(&self) -> Duration {
        Duration::from_nanos(self.alone.load(Relaxed))
    }

    /// Returns how many of `waiting` requests to merge.
    pub(crate) fn merges(&self, waiting: usize) -> usize {
        let (alone, merged) = (self.alone.load(Relaxed), self.merged.load(Relaxed));
        // Nothing is known of a model before its first prediction.
        let row = if merged == 0 { alone } else { merged };
        let Some(affordable) = MOST_TIME.checked_div(row) else { return 1 };
        let affordable = usize::try_from(affordable).unwrap_or(usize::MAX).max(1);
        let most = if merged == 0 {
            TRIED
        } else if merged < alone / 10 * 9 {
            MOST_MERGED
        } else if self.considered.fetch_add(1, Relaxed) % RETRIED == RETRIED - 1 {
            TRIED
        } else {
            1
        };
        waiting.min(most).min(affordable)
    }
}

/// Moves a mean towards a value. Concurrent updates may be lost: it is an estimate.
fn update(mean: &AtomicU64, value: u64) {
    let old = mean.load(Relaxed);
    let new = match old {
        0 => value,
        // On a busy machine a thread may lose its core in the middle of a prediction.
        _ => old - old / WEIGHT + value.min(old.saturating_mul(MOST_JUMP)) / WEIGHT,
    };
    mean.store(new.max(1), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_fast_after_steady_fast_predictions_only() {
        let pace = Pace::default();
        for _ in 0..PROBATION {
            assert!(!pace.is_fast());
            pace.ran_alone(Duration::from_micros(3));
        }
        assert!(pace.is_fast());
        pace.ran_alone(Duration::from_millis(5));
        assert!(pace.is_fast(), "once is no reason");
        for slow in [5, 5, 5, 5, 30] {
            pace.ran_alone(Duration::from_millis(slow));
        }
        assert!(!pace.is_fast());
        for _ in 0..300 {
            pace.ran_alone(Duration::from_micros(3));
        }
        assert!(pace.is_fast());
    }

    #[test]
    fn a_batch_grows_where_merging_pays() {
        let pace = Pace::default();
        pace.ran_alone(Duration::from_micros(1_000));
        assert_eq!(pace.merges(100), TRIED);
        pace.ran_merged(8, Duration::from_micros(1_600));
        assert_eq!(pace.merges(100), MOST_MERGED);
        assert_eq!(pace.merges(3), 3);
        for _ in 0..100 {
            pace.ran_merged(8, Duration::from_micros(8_000));
        }
        let tries = (0..RETRIED).filter(|_| pace.merges(100) > 1).count();
        assert_eq!(tries, 1, "where it does not pay, it is tried now and then");
    }
}
