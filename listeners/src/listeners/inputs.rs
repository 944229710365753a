//! Comparing the inputs of rows with those of their outputs.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_row::{RowConverter, SortField};
use larder_core::Result;

use super::chunk::Chunk;
use super::listener::Listener;
use super::outputs::{Fingerprint, RowState};
use super::source::Source;
use larder_collections::extend::arrow_error;

/// Changes of the rows of a chunk since their outputs were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    /// They changed after this version of the collection, up to which all changes were handled.
    ChangedAfter(u64),
    /// Those with an output did not change after it.
    Unchanged,
}

/// The inputs of a chunk. What is compared is computed when it is needed.
pub(super) struct ChunkInputs<'a> {
    source: &'a Source,
    listener: &'a Listener,
    chunk: &'a Chunk,
    known: Rows,
    now: OnceCell<Vec<Fingerprint>>,
    before: OnceCell<Vec<Option<Fingerprint>>>,
}

impl<'a> ChunkInputs<'a> {
    pub(super) fn new(
        source: &'a Source,
        listener: &'a Listener,
        chunk: &'a Chunk,
        known: Rows,
    ) -> Self {
        Self { source, listener, chunk, known, now: OnceCell::new(), before: OnceCell::new() }
    }

    /// Returns the fingerprints of the rows.
    pub(super) fn fingerprints(&self) -> Result<&[Fingerprint]> {
        let now = || fingerprints(&self.chunk.columns, self.chunk.rows.len());
        get_or_try_init(&self.now, now).map(Vec::as_slice)
    }

    /// Returns whether the output of a row was computed from its input.
    pub(super) fn is_same(&self, at: usize, state: &RowState) -> Result<bool> {
        let now = || -> Result<Fingerprint> { Ok(self.fingerprints()?[at]) };
        match (state.input, self.known) {
            (Some(input), _) => Ok(input == now()?),
            (None, Rows::Unchanged) => Ok(state.seen != 0),
            // The row may have had another input when its output was computed.
            (None, Rows::ChangedAfter(seen)) if state.seen == 0 || state.seen > seen => Ok(false),
            (None, Rows::ChangedAfter(seen)) => {
                let before = || self.before(seen);
                Ok(get_or_try_init(&self.before, before)?[at] == Some(now()?))
            }
        }
    }

    /// Returns the fingerprints that the rows had in a version; none for those that cannot be compared.
    fn before(&self, version: u64) -> Result<Vec<Option<Fingerprint>>> {
        let Chunk { rows, columns, .. } = self.chunk;
        let kinds = |columns: &[(String, ArrayRef)]| -> Vec<_> {
            columns.iter().map(|(name, it)| (name.clone(), it.data_type().clone())).collect()
        };
        let older = self.source.take_at(version, self.listener, rows)?;
        let Some(older) = older.filter(|older| kinds(&older.columns) == kinds(columns)) else {
            return Ok(vec![None; rows.len()]);
        };
        let known = fingerprints(&older.columns, older.rows.len())?;
        let find = |row: &u64| older.rows.binary_search(row).ok().map(|at| known[at]);
        Ok(rows.iter().map(find).collect())
    }
}

fn get_or_try_init<T>(cell: &OnceCell<T>, init: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = init()?;
    Ok(cell.get_or_init(|| value))
}

/// Returns the fingerprint of each row.
pub(super) fn fingerprints(
    columns: &[(String, ArrayRef)],
    rows: usize,
) -> Result<Vec<Fingerprint>> {
    let failed = |error| arrow_error("compute the fingerprints of rows", error);
    if columns.is_empty() {
        return Ok(vec![Fingerprint::default(); rows]);
    }
    let fields = columns.iter().map(|(_, column)| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect()).map_err(failed)?;
    let columns: Vec<ArrayRef> = columns.iter().map(|(_, column)| Arc::clone(column)).collect();
    let encoded = converter.convert_columns(&columns).map_err(failed)?;
    let fingerprint = |row: arrow_row::Row<'_>| {
        let mut short = Fingerprint::default();
        let size = short.len();
        short.copy_from_slice(&blake3::hash(row.as_ref()).as_bytes()[..size]);
        short
    };
    Ok(encoded.iter().map(fingerprint).collect())
}
