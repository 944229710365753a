//! Searching rows that are not in the index yet.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use larder_core::Result;

use super::search::{Allowed, Search};
use crate::listeners::chunk::Chunk;
use crate::listeners::outputs::View;
use crate::listeners::vectors::vectors_of;
use crate::nearest::{Candidates, Hit, Segment, nearest};

/// Rows that are read at once.
const CHUNK: usize = 8_192;

impl Search<'_> {
    /// Passes the rows that are not in the index, chunk by chunk.
    fn each_not_indexed(&self, mut pass: impl FnMut(Chunk) -> Result<()>) -> Result<()> {
        let from = self.outputs.fill_from;
        let from = if self.changes.is_unknown { Some(0) } else { from };
        let changed: Vec<u64> = self
            .changes
            .changed
            .iter()
            .copied()
            .filter(|row| from.is_none_or(|from| *row < from))
            .collect();
        for rows in changed.chunks(CHUNK) {
            pass(self.source.take(self.index, rows)?)?;
        }
        if let Some(from) = from {
            for chunk in self.source.scan(self.index, from, CHUNK)? {
                pass(chunk?)?;
            }
        }
        Ok(())
    }

    /// Searches the rows that are not in the index.
    pub(super) fn not_indexed(&self, vector: &[f32], allowed: &Allowed) -> Result<Vec<Hit>> {
        let indexed = self.indexed_after_fill()?;
        let mut hits = Vec::new();
        let mut column = self.outputs.column.clone();
        self.each_not_indexed(|chunk| {
            let is_empty = chunk.empty(self.index.takes_null());
            let Some((_, values)) = chunk.columns.first() else { return Ok(()) };
            if is_empty.iter().all(|is_empty| *is_empty) {
                return Ok(());
            }
            let predicted = vectors_of(values, &mut column)?;
            let failed: HashSet<usize> = predicted.failures.iter().map(|(at, _)| *at).collect();
            let Some(vectors) = predicted.values.as_fixed_size_list_opt() else { return Ok(()) };
            if vectors.value_length() as usize != vector.len() {
                return Err(self.refused(format!(
                    "the vector has {} numbers, and those of the rows {}",
                    vector.len(),
                    vectors.value_length()
                )));
            }
            let is_candidate = |at: &usize| {
                let row = chunk.rows[*at];
                let is_new = !indexed.contains(&row) && Some(row) != self.itself();
                !is_empty[*at] && !failed.contains(at) && is_new && allowed.has(row)
            };
            let only: Vec<u32> =
                (0..chunk.rows.len()).filter(is_candidate).map(|at| at as u32).collect();
            let numbers = vectors.values().as_primitive::<Float32Type>().values();
            let segment = Segment {
                rows: &chunk.rows,
                vectors: numbers,
                candidates: Candidates::Only(&only),
            };
            hits.extend(nearest(
                &[segment],
                vector,
                self.measure,
                self.query.n,
                self.query.threads,
            ));
            Ok(())
        })?;
        Ok(hits)
    }

    pub(super) fn count_not_indexed(&self, allowed: &Allowed) -> Result<u64> {
        let indexed = self.indexed_after_fill()?;
        let mut count = 0;
        self.each_not_indexed(|chunk| {
            let is_empty = chunk.empty(self.index.takes_null());
            let left_out = chunk.rows.iter().zip(is_empty).filter(|(row, is_empty)| {
                !is_empty && !indexed.contains(*row) && allowed.has(**row)
            });
            count += left_out.count() as u64;
            Ok(())
        })?;
        Ok(count)
    }

    /// Returns the rows that are in the index, although the back-fill has not reached them: changes are handled first.
    fn indexed_after_fill(&self) -> Result<HashSet<u64>> {
        let from = if self.changes.is_unknown { Some(0) } else { self.outputs.fill_from };
        let Some(from) = from else { return Ok(HashSet::new()) };
        let view = View::new(
            &self.outputs,
            format!("the index `{}`", self.index.name),
            self.source.cache(),
        );
        let changed: HashSet<u64> = self.changes.changed.iter().copied().collect();
        let mut rows = HashSet::new();
        for (at, stored) in self.outputs.fragments.iter().enumerate() {
            if stored.last < from || stored.model != self.outputs.digest() {
                continue;
            }
            let fragment = view.fragment(at)?;
            let start = fragment.rows().partition_point(|row| *row < from);
            rows.extend(fragment.rows()[start..].iter().filter(|row| !changed.contains(*row)));
        }
        Ok(rows)
    }
}
