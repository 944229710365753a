//! Some rows that a listener reads.

use arrow_array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_schema::DataType;
use larder_collections::extend::arrow_error;
use larder_core::Result;

/// The input of some rows.
pub(crate) struct Chunk {
    /// The ids, ascending.
    pub(crate) rows: ScalarBuffer<u64>,
    /// The fields of the key.
    pub(crate) columns: Vec<(String, ArrayRef)>,
    /// The rows that need no output: the field that it would fill has a value.
    pub(super) is_filled: Option<BooleanArray>,
}

impl Chunk {
    /// Returns at most `most` rows from a position on.
    pub(crate) fn slice(&self, from: usize, most: usize) -> Self {
        let length = most.min(self.rows.len() - from);
        let columns =
            self.columns.iter().map(|(name, column)| (name.clone(), column.slice(from, length)));
        Self {
            columns: columns.collect(),
            is_filled: self.is_filled.as_ref().map(|is_filled| is_filled.slice(from, length)),
            rows: self.rows.slice(from, length),
        }
    }

    /// Returns the columns of the rows at some positions.
    pub(super) fn chosen(&self, positions: &[usize]) -> Result<Vec<(String, ArrayRef)>> {
        if positions.len() == self.rows.len() {
            return Ok(self.columns.clone());
        }
        let positions = UInt32Array::from_iter_values(positions.iter().map(|at| *at as u32));
        let cut = |(name, column): &(String, ArrayRef)| {
            let column = arrow_select::take::take(column, &positions, None);
            Ok((name.clone(), column.map_err(|error| arrow_error("choose rows", error))?))
        };
        self.columns.iter().map(cut).collect()
    }

    /// Returns for each row whether it gets no output: it has no input, or needs none.
    pub(crate) fn empty(&self, takes_null: bool) -> Vec<bool> {
        let nulls = |column: &ArrayRef| match column.data_type() {
            DataType::Null => Some(NullBuffer::new_null(column.len())),
            _ => column.nulls().filter(|nulls| nulls.null_count() > 0).cloned(),
        };
        let nulls: Vec<_> = self.columns.iter().map(|(_, column)| nulls(column)).collect();
        let mut full = nulls.iter().map(Option::is_none);
        let has_all = if takes_null { full.any(|it| it) } else { full.all(|it| it) };
        if has_all && self.is_filled.is_none() {
            return vec![false; self.rows.len()];
        }
        let is_null = |at: usize| {
            let mut columns =
                nulls.iter().map(|nulls| nulls.as_ref().is_some_and(|nulls| nulls.is_null(at)));
            if takes_null { columns.all(|is_null| is_null) } else { columns.any(|is_null| is_null) }
        };
        let is_filled = |at| self.is_filled.as_ref().is_some_and(|filled| filled.value(at));
        (0..self.rows.len()).map(|at| is_filled(at) || is_null(at)).collect()
    }
}
