//! Fragments: parts of the rows of a collection, as artifacts.

mod cache;
mod data;
mod file;
mod inline;
mod positions;
#[cfg(test)]
mod samples;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, RecordBatch, UInt64Array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use larder_core::store::Corruption;
use larder_core::{Artifact, Error, Result};
use serde::{Deserialize, Serialize};

pub use cache::FragmentCache;
pub(crate) use data::Data;
pub(crate) use file::bytes_of;
pub use file::{ArrowFile, ArrowIpc};
pub(crate) use inline::InlineRows;
pub use positions::{PositionBytes, Positions};

use crate::key::{KeyRange, KeyRef};

// A writer of rows alone need not read the records of serializers.
larder_core::trusted!(&["arrow-ipc", "positions-u32"]);

/// Rows of a fragment beyond eight for each byte of its data. Columns of nulls and of repeated values take no bytes for a row,
/// so the rows of a forged file would take any amount of memory.
const FREE_ROWS: u64 = 65_536;

/// The column of row ids, in fragments whose ids do not follow each other.
pub(crate) const ROW_ID: &str = "_row_id";
/// The column of the writes that each row was last written by, in fragments of several writes.
pub(crate) const WRITE: &str = "_write";

/// A fragment in the manifest of a collection.
///
/// Row ids ascend. If there are `last_id - first_id + 1` rows, the ids follow each other; otherwise the data have a column
/// `_row_id`. The same holds for the number of the write that wrote each row: it is a column `_write`, unless `first_write`
/// and `last_write` are equal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fragment {
    pub(crate) data: Data,
    /// Rows in the data, deleted ones included.
    pub(crate) rows: u64,
    pub(crate) first_id: u64,
    pub(crate) last_id: u64,
    pub(crate) first_write: u64,
    pub(crate) last_write: u64,
    /// The smallest and the largest key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<KeyRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<Deleted>,
}

/// The deleted rows of a fragment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deleted {
    pub(crate) rows: u64,
    pub(crate) positions: Artifact<Positions, PositionBytes>,
}

impl Fragment {
    /// Returns the number of rows that are not deleted.
    pub(crate) fn live(&self) -> u64 {
        self.rows.saturating_sub(self.deleted.as_ref().map_or(0, |deleted| deleted.rows))
    }

    /// Returns false if no row that is not deleted has a key from `min` to `max`.
    pub(crate) fn may_have_keys(&self, min: KeyRef<'_>, max: KeyRef<'_>) -> bool {
        self.live() > 0 && self.keys.as_ref().is_none_or(|keys| keys.may_meet(min, max))
    }

    /// Returns false if no row that is not deleted has a key of the other fragment.
    pub(crate) fn may_share_keys(&self, other: &Self) -> bool {
        let ranges = self.keys.as_ref().zip(other.keys.as_ref());
        self.live() > 0 && ranges.is_none_or(|(one, two)| one.may_overlap(two))
    }

    pub(crate) fn has_consecutive_ids(&self) -> bool {
        let more = self.rows.saturating_sub(1);
        self.first_id.checked_add(more) == Some(self.last_id)
    }

    /// Returns the number of bytes of its data.
    pub(crate) fn size(&self) -> u64 {
        self.data.size()
    }

    /// Returns true if both have the same rows in the same places. Equal data alone do not tell: rows may be inserted twice.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let numbers = |it: &Self| (it.rows, it.first_id, it.last_id, it.first_write, it.last_write);
        let positions = |it: &Self| it.deleted.as_ref().map(|it| it.positions.digest());
        numbers(self) == numbers(other)
            && positions(self) == positions(other)
            && positions(self) != Some(None)
            && self.data.is_same(&other.data)
    }

    /// Reads the fragment; `what` names it in errors.
    pub(crate) fn load(&self, cache: &FragmentCache, what: impl Fn() -> String) -> Result<Rows> {
        let wrong =
            |reason: &str| Error::corrupt(what(), Corruption::Unreadable(reason.to_owned()));
        let batch = match &self.data {
            Data::File(file) => cache.batch(file, &what)?,
            Data::Inline(rows) => rows.batch().map_err(|error| wrong(&error.to_string()))?,
        };
        let rows = batch.num_rows();
        if rows as u64 != self.rows {
            return Err(wrong(&format!("it has {rows} rows, and its manifest says {}", self.rows)));
        }
        if self.rows > FREE_ROWS && self.rows - FREE_ROWS > self.size().saturating_mul(8) {
            return Err(wrong(&format!("its {} bytes cannot hold {rows} rows", self.size())));
        }
        let numbers = |name: &str| {
            let column =
                batch.column_by_name(name).and_then(|it| it.as_primitive_opt::<UInt64Type>());
            let column = column.filter(|column| column.null_count() == 0).cloned();
            column.ok_or_else(|| wrong(&format!("it has no column `{name}` of uint64")))
        };
        let ids = match self.has_consecutive_ids() {
            true => Numbers::Range(self.first_id),
            false => Numbers::Column(numbers(ROW_ID)?),
        };
        let writes = match self.first_write == self.last_write {
            true => Numbers::Same(self.first_write),
            false => Numbers::Column(numbers(WRITE)?),
        };
        let live = match &self.deleted {
            None => None,
            Some(deleted) => {
                let positions = deleted.positions.get()?.as_slice();
                if positions.len() as u64 != deleted.rows
                    || positions.last().is_some_and(|&at| at as usize >= rows)
                {
                    return Err(wrong("the positions of its deleted rows do not fit it"));
                }
                let mut live = BooleanBufferBuilder::new(rows);
                live.append_n(rows, true);
                positions.iter().for_each(|&at| live.set_bit(at as usize, false));
                Some(live.finish())
            }
        };
        Ok(Rows { batch, ids, writes, live })
    }
}

/// The decoded rows of a fragment.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    /// The columns as they were written.
    pub(crate) batch: RecordBatch,
    pub(crate) ids: Numbers,
    pub(crate) writes: Numbers,
    /// The rows that are not deleted, if some are.
    pub(crate) live: Option<BooleanBuffer>,
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.batch.num_rows()
    }

    pub(crate) fn is_live(&self, row: usize) -> bool {
        self.live.as_ref().is_none_or(|live| live.value(row))
    }

    /// Returns the row with an id, deleted or not.
    pub(crate) fn find(&self, id: u64) -> Option<usize> {
        match &self.ids {
            Numbers::Range(first) => {
                let at = usize::try_from(id.checked_sub(*first)?).ok()?;
                (at < self.len()).then_some(at)
            }
            Numbers::Column(ids) => ids.values().binary_search(&id).ok(),
            Numbers::Same(_) => None,
        }
    }

    /// Returns the ids of the rows that are not deleted, ascending.
    pub(crate) fn live_ids(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len()).filter(|&row| self.is_live(row)).map(|row| self.ids.get(row))
    }
}

/// A number for each row.
#[derive(Debug, Clone)]
pub(crate) enum Numbers {
    /// The first one; each is one more than the one before.
    Range(u64),
    /// The same for all.
    Same(u64),
    Column(UInt64Array),
}

impl Numbers {
    pub(crate) fn get(&self, row: usize) -> u64 {
        match self {
            Self::Range(first) => first + row as u64,
            Self::Same(number) => *number,
            Self::Column(column) => column.value(row),
        }
    }

    /// Returns those of `length` rows from `start`.
    pub(crate) fn array(&self, start: usize, length: usize) -> UInt64Array {
        match self {
            Self::Range(first) => {
                let first = first + start as u64;
                UInt64Array::from_iter_values(first..first + length as u64)
            }
            Self::Same(number) => UInt64Array::from_value(*number, length),
            Self::Column(column) => column.slice(start, length),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{NullArray, RunArray, StringArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    fn fragment(column: Arc<dyn Array>) -> Fragment {
        let rows = column.len() as u64;
        let field = Field::new("a", column.data_type().clone(), true);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]);
        let data = Data::File(Artifact::new(ArrowFile::of(&batch.unwrap()).unwrap()));
        let (first_id, first_write, last_write) = (5, 1, 1);
        let last_id = first_id + rows - 1;
        let (keys, deleted) = (None, None);
        Fragment { data, rows, first_id, last_id, first_write, last_write, keys, deleted }
    }

    fn load(fragment: &Fragment) -> Result<Rows> {
        fragment.load(&FragmentCache::default(), || "it".to_owned())
    }

    #[test]
    fn a_file_has_no_more_rows_than_its_bytes_can_hold() {
        let runs = |rows: usize| {
            let ends = arrow_array::Int64Array::from(vec![rows as i64]);
            RunArray::try_new(&ends, &StringArray::from(vec!["x"])).unwrap()
        };
        for rows in [1_000_000, 4_000_000_000] {
            for column in [Arc::new(NullArray::new(rows)) as _, Arc::new(runs(rows)) as _] {
                let error = load(&fragment(column)).unwrap_err().to_string();
                assert!(error.contains(&format!("bytes cannot hold {rows} rows")), "{error}");
            }
        }
        assert_eq!(load(&fragment(Arc::new(NullArray::new(65_536)))).unwrap().len(), 65_536);
    }

    #[test]
    fn ids_that_pass_the_largest_number_do_not_follow_each_other() {
        let mut forged = fragment(Arc::new(NullArray::new(3)));
        assert!(forged.has_consecutive_ids());
        (forged.first_id, forged.last_id) = (u64::MAX, 1);
        assert!(!forged.has_consecutive_ids());
        assert!(load(&forged).unwrap_err().to_string().contains("no column `_row_id`"));
    }
}
