//! Counters of a model version: plain atomics, to be exported by whatever serves.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The end of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// It was answered.
    Succeeded,
    /// The input did not fit the model.
    BadInput,
    /// The model failed.
    Failed,
    /// The model panicked.
    Panicked,
    /// It was refused, because too many requests waited.
    Busy,
    /// Its deadline passed.
    Late,
    /// It was refused, because too many predictions of the model do not end.
    Stuck,
    /// Nobody waited for it any more.
    Cancelled,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::BadInput,
        Self::Failed,
        Self::Panicked,
        Self::Busy,
        Self::Late,
        Self::Stuck,
        Self::Cancelled,
    ];

    /// Returns its name, such as `bad_input`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::BadInput => "bad_input",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Busy => "busy",
            Self::Late => "late",
            Self::Stuck => "stuck",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether it is a failure of the model, not of the caller.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Panicked | Self::Late | Self::Stuck)
    }
}

/// Upper bounds of durations, in nanoseconds: 10 µs to 30 s.
const DURATIONS: [u64; 20] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];
/// Upper bounds of the rows of a batch.
const SIZES: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 512, 2_048];
const NANOS: f64 = 1e9;

/// Counts values by their size.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// The number of recorded units in one unit of the snapshot.
    scale: f64,
    /// For each bound, and for values above the last.
    counts: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    fn new(bounds: &'static [u64], scale: f64) -> Self {
        let counts = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, scale, counts, sum: AtomicU64::new(0) }
    }

    pub(crate) fn record(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get(at) {
            count.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
    }

    pub(crate) fn record_time(&self, time: Duration) {
        self.record(nanos(time));
    }

    /// Returns the counts so far.
    pub fn snapshot(&self) -> HistogramSnapshot {
        let mut below = 0;
        let mut counts: Vec<u64> = Vec::with_capacity(self.counts.len());
        for count in &self.counts {
            below += count.load(Relaxed);
            counts.push(below);
        }
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.scale);
        let buckets = bounds.zip(counts).collect();
        let sum = self.sum.load(Relaxed) as f64 / self.scale;
        HistogramSnapshot { buckets, count: below, sum }
    }
}

/// The counts of a [`Histogram`]: durations in seconds, sizes in rows.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramSnapshot {
    /// Upper bounds, and the number of values up to each.
    pub buckets: Vec<(f64, u64)>,
    /// The number of values.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
}

/// The counters of a model version.
#[derive(Debug)]
pub struct ModelMetrics {
    requests: [AtomicU64; Outcome::ALL.len()],
    rows: AtomicU64,
    duration: Histogram,
    queued: Histogram,
    batch: Histogram,
    loaded_bytes: AtomicU64,
    loads: AtomicU64,
    load_nanos: AtomicU64,
}

impl Default for ModelMetrics {
    fn default() -> Self {
        Self {
            requests: Default::default(),
            rows: AtomicU64::new(0),
            duration: Histogram::new(&DURATIONS, NANOS),
            queued: Histogram::new(&DURATIONS, NANOS),
            batch: Histogram::new(&SIZES, 1.0),
            loaded_bytes: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            load_nanos: AtomicU64::new(0),
        }
    }
}

impl ModelMetrics {
    /// Returns the number of requests that ended so.
    pub fn requests(&self, outcome: Outcome) -> u64 {
        self.requests[outcome as usize].load(Relaxed)
    }

    /// Returns the number of rows predicted.
    pub fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// The seconds from the arrival of a request to its answer.
    pub fn duration(&self) -> &Histogram {
        &self.duration
    }

    /// The seconds that requests waited for a worker.
    pub fn queue_time(&self) -> &Histogram {
        &self.queued
    }

    /// The requests that were answered by one call of the model.
    pub fn batch_size(&self) -> &Histogram {
        &self.batch
    }

    /// Returns the bytes of the model while it is loaded, else 0.
    pub fn loaded_bytes(&self) -> u64 {
        self.loaded_bytes.load(Relaxed)
    }

    /// Returns how often it was loaded, and the seconds that took.
    pub fn loads(&self) -> (u64, f64) {
        (self.loads.load(Relaxed), self.load_nanos.load(Relaxed) as f64 / NANOS)
    }

    pub(crate) fn ended(&self, outcome: Outcome, took: Duration) {
        self.requests[outcome as usize].fetch_add(1, Relaxed);
        if outcome != Outcome::Cancelled {
            self.duration.record_time(took);
        }
    }

    pub(crate) fn refused(&self, outcome: Outcome) {
        self.requests[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn waited(&self, time: Duration) {
        self.queued.record_time(time);
    }

    pub(crate) fn ran(&self, requests: usize) {
        self.batch.record(requests as u64);
    }

    pub(crate) fn predicted(&self, rows: u64) {
        self.rows.fetch_add(rows, Relaxed);
    }

    pub(crate) fn loaded(&self, bytes: u64, took: Duration) {
        self.loaded_bytes.store(bytes, Relaxed);
        self.loads.fetch_add(1, Relaxed);
        self.load_nanos.fetch_add(nanos(took), Relaxed);
    }

    pub(crate) fn unloaded(&self) {
        self.loaded_bytes.store(0, Relaxed);
    }
}

pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_their_bound() {
        let metrics = ModelMetrics::default();
        for micros in [10, 11, 3_000_000_000] {
            metrics.ended(Outcome::Succeeded, Duration::from_micros(micros));
        }
        metrics.ended(Outcome::Cancelled, Duration::from_secs(9));
        let found = metrics.duration().snapshot();
        assert_eq!(found.buckets[0], (1e-5, 1));
        assert_eq!(found.buckets[1], (2.5e-5, 2));
        assert_eq!(found.buckets.last(), Some(&(30.0, 2)), "the last is above all bounds");
        assert_eq!(found.count, 3);
        assert!((found.sum - 3_000.000_021).abs() < 1e-9, "{}", found.sum);
        assert_eq!(metrics.requests(Outcome::Succeeded), 3);
        assert_eq!(metrics.requests(Outcome::Cancelled), 1);
    }
}
