//! Exact nearest neighbours over slices of `f32`.
//!
//! A search reads each candidate vector once, on several threads, and keeps the best `n` in a heap per thread.

mod measure;
mod top;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub use measure::Measure;
pub use top::Hit;

use measure::Scorer;
use top::Top;

/// Vectors of one length, one after the other, with the ids of their rows.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a> {
    /// The id of each vector's row.
    pub rows: &'a [u64],
    /// `rows.len()` vectors.
    pub vectors: &'a [f32],
    /// The vectors to compare.
    pub candidates: Candidates<'a>,
}

/// The vectors of a segment that a search compares, by position in ascending order.
#[derive(Debug, Clone, Copy)]
pub enum Candidates<'a> {
    /// All.
    All,
    /// All but these.
    Except(&'a [u32]),
    /// These alone.
    Only(&'a [u32]),
}

/// Candidates that a thread takes at once.
const BLOCK: usize = 2_048;

/// Returns the `n` vectors nearest to `query`, best first; of equal ones, the lower row first.
///
/// Vectors that are not as long as the query, and segments whose slices do not fit each other, are left out: callers
/// check both. A vector with NaN is never found.
pub fn nearest(
    segments: &[Segment<'_>],
    query: &[f32],
    measure: Measure,
    n: usize,
    threads: NonZeroUsize,
) -> Vec<Hit> {
    let width = query.len();
    if width == 0 || n == 0 {
        return Vec::new();
    }
    let scorer = Scorer::new(measure, query);
    let fits = |segment: &&Segment<'_>| segment.rows.len() * width == segment.vectors.len();
    let segments: Vec<_> = segments.iter().filter(fits).collect();
    let blocks = blocks_of(&segments);
    let threads = threads.get().min(blocks.len()).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut top = Top::new(n);
        while let Some(block) = blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
            search_block(block, &scorer, width, &mut top);
        }
        top
    };
    let mut best = thread::scope(|scope| {
        // A thread that cannot be started leaves its share to the others.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads).filter_map(spawn).collect();
        let mut best = work();
        for other in others {
            match other.join() {
                Ok(top) => best.merge(top),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        best
    });
    best.take_sorted(measure)
}

/// A share of a segment.
struct Block<'a> {
    rows: &'a [u64],
    vectors: &'a [f32],
    /// The position of the first vector in the segment.
    first: u32,
    except: &'a [u32],
    /// Positions in the segment; without them, all of the block.
    only: Option<&'a [u32]>,
}

fn blocks_of<'a>(segments: &[&Segment<'a>]) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    for segment in segments {
        let Some(width) = segment.vectors.len().checked_div(segment.rows.len()) else { continue };
        if let Candidates::Only(positions) = segment.candidates {
            let all = Block {
                rows: segment.rows,
                vectors: segment.vectors,
                first: 0,
                except: &[],
                only: None,
            };
            let block = |only| Block { only: Some(only), ..all };
            blocks.extend(positions.chunks(BLOCK).map(block));
            continue;
        }
        let except = match segment.candidates {
            Candidates::Except(positions) => positions,
            _ => &[],
        };
        let parts = segment.rows.chunks(BLOCK).zip(segment.vectors.chunks(BLOCK * width));
        for (at, (rows, vectors)) in parts.enumerate() {
            let first = (at * BLOCK) as u32;
            let from = except.partition_point(|it| *it < first);
            let to = except.partition_point(|it| (*it as usize) < at * BLOCK + rows.len());
            let except = except.get(from..to).unwrap_or_default();
            blocks.push(Block { rows, vectors, first, except, only: None });
        }
    }
    blocks
}

fn search_block(block: &Block<'_>, scorer: &Scorer<'_>, width: usize, top: &mut Top) {
    let vectors = block.vectors;
    match block.only {
        Some(positions) => {
            for position in positions {
                let at = *position as usize;
                let vector = vectors.get(at * width..(at + 1) * width);
                if let (Some(row), Some(vector)) = (block.rows.get(at), vector) {
                    top.offer(scorer.badness(vector), *row);
                }
            }
        }
        None => {
            let mut except = block.except.iter().copied().peekable();
            for (position, (row, vector)) in
                (block.first..).zip(block.rows.iter().zip(vectors.chunks_exact(width)))
            {
                if except.next_if_eq(&position).is_none() {
                    top.offer(scorer.badness(vector), *row);
                }
            }
        }
    }
}

/// Returns the number of threads that a search uses by default: one per core.
pub fn default_threads() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
