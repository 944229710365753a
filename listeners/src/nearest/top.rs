//! The best of many, in a heap.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

use super::Measure;

/// A row that a search found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Hit {
    /// The id of the row.
    pub row: u64,
    /// The cosine, the inner product or the distance.
    pub score: f32,
}

/// Ordered by badness, then by row.
#[derive(Clone, Copy, PartialEq)]
struct Entry {
    badness: f32,
    row: u64,
}

impl Eq for Entry {}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.badness.total_cmp(&other.badness).then(self.row.cmp(&other.row))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `n` entries of the lowest badness; the worst of them on top.
pub(super) struct Top {
    n: usize,
    heap: BinaryHeap<Entry>,
}

impl Top {
    pub(super) fn new(n: usize) -> Self {
        // The heap grows with what is found: `n` may be any number.
        Self { n, heap: BinaryHeap::new() }
    }

    pub(super) fn offer(&mut self, badness: f32, row: u64) {
        if badness.is_nan() {
            return;
        }
        let entry = Entry { badness, row };
        if self.heap.len() < self.n {
            self.heap.push(entry);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && entry < *worst
        {
            *worst = entry;
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.heap.into_iter().for_each(|entry| self.offer(entry.badness, entry.row));
    }

    pub(super) fn take_sorted(&mut self, measure: Measure) -> Vec<Hit> {
        let sorted = std::mem::take(&mut self.heap).into_sorted_vec();
        let hit = |entry: Entry| Hit { row: entry.row, score: measure.score(entry.badness) };
        sorted.into_iter().map(hit).collect()
    }
}
