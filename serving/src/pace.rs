//! How fast a model is: running means that decide where and how its requests run.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::metrics::nanos;

/// A model is fast if a prediction takes less, in nanoseconds.
const FAST: u64 = 50_000;
/// A model that takes longer once is not fast for [`PROBATION`] predictions.
const SLOW: u64 = 2_000_000;
/// Predictions before a model counts as fast.
const PROBATION: u64 = 32;
/// The share of a new value in a running mean is one part of this.
const WEIGHT: u64 = 16;
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
    /// Predictions since the last slow one.
    steady: AtomicU64,
    /// Batches for which merging was considered.
    considered: AtomicU64,
}

impl Pace {
    /// Records a prediction alone.
    pub(crate) fn ran_alone(&self, took: Duration) {
        let took = nanos(took).max(1);
        update(&self.alone, took);
        if took > SLOW {
            self.steady.store(0, Relaxed);
        } else {
            self.steady.fetch_add(1, Relaxed);
        }
    }

    /// Records a merged batch.
    pub(crate) fn ran_merged(&self, rows: usize, took: Duration) {
        update(&self.merged, (nanos(took) / rows.max(1) as u64).max(1));
    }

    /// Returns whether a prediction costs less than handing it to another thread.
    pub(crate) fn is_fast(&self) -> bool {
        self.steady.load(Relaxed) >= PROBATION && self.alone.load(Relaxed) < FAST
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
        _ => old - old / WEIGHT + value / WEIGHT,
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
        assert!(!pace.is_fast());
        for _ in 0..10 * PROBATION {
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
