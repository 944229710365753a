//! Reading rows in the order of their ids.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use arrow_schema::SchemaRef;
use arrow_select::filter::{FilterBuilder, filter};
use arrow_select::interleave::interleave;
use larder_core::{Error, Result};

use super::version::FragmentVersion;
use crate::engine::{EngineVersion, RowBatch, Scan};
use crate::error::arrow_error;
use crate::filter::Bound;
use crate::fold::Fold;
use crate::fragment::{Numbers, Rows};
use crate::key::KeyColumn;
use crate::schema::{adapt, batch_of, projection};

/// Default number of rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// Merges fragments by row id.
pub(super) struct Scanner {
    version: FragmentVersion,
    wanted: Vec<usize>,
    schema: SchemaRef,
    filter: Option<Bound>,
    fold: Option<Fold>,
    ids: Range<u64>,
    batch_rows: usize,
    /// The fragments that are not read yet, with the largest first id first.
    waiting: Vec<usize>,
    /// The fragments that are being read.
    open: Vec<Source>,
    /// Fragments that cannot be read.
    errors: VecDeque<Error>,
}

/// A fragment that is being read.
struct Source {
    rows: Rows,
    next: usize,
    end: usize,
}

impl Source {
    /// Returns the id of the next row; `None` at the end.
    fn next_id(&self) -> Option<u64> {
        (self.next < self.end).then(|| self.rows.ids.get(self.next))
    }

    /// Returns the first position from which ids are not below `bound`.
    fn position_of(&self, bound: u64) -> usize {
        position_of(&self.rows, bound).clamp(self.next, self.end)
    }
}

fn position_of(rows: &Rows, bound: u64) -> usize {
    match &rows.ids {
        Numbers::Range(first) => {
            usize::try_from(bound.saturating_sub(*first)).unwrap_or(usize::MAX).min(rows.len())
        }
        Numbers::Column(ids) => ids.values().partition_point(|&id| id < bound),
        Numbers::Same(_) => rows.len(),
    }
}

/// Rows of one source.
struct Run {
    source: usize,
    start: usize,
    length: usize,
}

impl Scanner {
    pub(super) fn new(version: &FragmentVersion, scan: &Scan) -> Result<Self> {
        let snapshot = version.snapshot();
        let (wanted, schema) = projection(&snapshot.schema, scan.columns.as_deref())?;
        let filter =
            scan.filter.as_ref().map(|filter| Bound::new(filter, &snapshot.schema)).transpose()?;
        let ids = scan.ids.clone().unwrap_or(0..snapshot.next_id);
        let mut waiting: Vec<usize> = (0..snapshot.fragments.len())
            .filter(|&at| {
                let fragment = &snapshot.fragments[at];
                fragment.live() > 0 && fragment.first_id < ids.end && fragment.last_id >= ids.start
            })
            .collect();
        waiting.sort_by_key(|&at| std::cmp::Reverse(snapshot.fragments[at].first_id));
        let batch_rows = if scan.batch_rows == 0 { BATCH_ROWS } else { scan.batch_rows };
        Ok(Self {
            version: version.clone(),
            wanted,
            schema,
            filter,
            fold: scan.fold,
            ids,
            batch_rows,
            waiting,
            open: Vec::new(),
            errors: VecDeque::new(),
        })
    }

    /// Opens the waiting fragments that hold the next row.
    fn open_next(&mut self) {
        while let Some(&at) = self.waiting.last() {
            let first = self.version.snapshot().fragments[at].first_id;
            let next = self.open.iter().filter_map(Source::next_id).min();
            if next.is_some_and(|next| next < first) {
                return;
            }
            self.waiting.pop();
            let rows = match self.version.load(at) {
                Ok(rows) => rows,
                Err(error) => {
                    self.errors.push_back(error);
                    continue;
                }
            };
            let (next, end) =
                (position_of(&rows, self.ids.start), position_of(&rows, self.ids.end));
            if next < end {
                self.open.push(Source { rows, next, end });
            }
        }
    }

    /// Returns the next runs of rows, about as many as a batch has.
    ///
    /// A batch of a single run is not copied, so it ends where a fragment does, if it has at most one and a half of its size by
    /// that.
    fn runs(&mut self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut total = 0;
        while total == 0 || 2 * total < self.batch_rows {
            // A batch refers to open sources by position, so none is closed before it is made.
            let waits =
                self.waiting.last().map(|&at| self.version.snapshot().fragments[at].first_id);
            let open = self.open.iter().enumerate();
            let mut nexts: Vec<(usize, u64)> =
                open.filter_map(|(at, it)| Some((at, it.next_id()?))).collect();
            nexts.sort_by_key(|&(_, id)| id);
            let Some(&(source, first)) = nexts.first() else {
                if runs.is_empty() && !self.waiting.is_empty() {
                    self.open.clear();
                    self.open_next();
                    if !self.open.is_empty() {
                        continue;
                    }
                }
                break;
            };
            if waits.is_some_and(|waits| waits <= first) {
                self.open_next();
                continue;
            }
            let other = nexts.get(1).map(|&(_, id)| id);
            let bound = other.into_iter().chain(waits).min().unwrap_or(u64::MAX).max(first + 1);
            let it = &mut self.open[source];
            let (start, all) = (it.next, it.position_of(bound) - it.next);
            let is_whole = total == 0 && all <= self.batch_rows + self.batch_rows / 2;
            let length = if is_whole { all } else { all.min(self.batch_rows - total) };
            it.next = start + length;
            total += length;
            match runs.last_mut() {
                Some(last) if last.source == source && last.start + last.length == start => {
                    last.length += length;
                }
                _ => runs.push(Run { source, start, length }),
            }
        }
        runs
    }

    /// Returns columns of the rows of runs.
    fn columns(&self, runs: &[Run], wanted: &[usize]) -> Result<Vec<ArrayRef>> {
        let schema = self.version.schema();
        if let [run] = runs {
            let batch = &self.open[run.source].rows.batch;
            if run.length == batch.num_rows() {
                return adapt(batch, schema, wanted);
            }
            return adapt(&batch.slice(run.start, run.length), schema, wanted);
        }
        let sources = self.open.iter().map(|it| adapt(&it.rows.batch, schema, wanted));
        let sources = sources.collect::<Result<Vec<_>>>()?;
        let places: Vec<(usize, usize)> = runs
            .iter()
            .flat_map(|run| (run.start..run.start + run.length).map(|row| (run.source, row)))
            .collect();
        (0..wanted.len())
            .map(|column| {
                let arrays: Vec<&dyn Array> =
                    sources.iter().map(|source| &*source[column]).collect();
                interleave(&arrays, &places).map_err(|error| arrow_error("merge fragments", error))
            })
            .collect()
    }

    /// Returns the ids of those rows of runs that are kept.
    fn kept_ids(&self, runs: &[Run], kept: &BooleanArray) -> Result<UInt64Array> {
        if let [run] = runs {
            let ids = &self.open[run.source].rows.ids;
            let kept = kept.values().set_indices();
            return Ok(UInt64Array::from_iter_values(kept.map(|at| ids.get(run.start + at))));
        }
        let ids = filter(&self.ids_of(runs), kept);
        let ids = ids.map_err(|error| arrow_error("filter rows", error))?;
        Ok(ids.as_primitive::<UInt64Type>().clone())
    }

    fn ids_of(&self, runs: &[Run]) -> UInt64Array {
        if let [run] = runs {
            return self.open[run.source].rows.ids.array(run.start, run.length);
        }
        let ids = runs.iter().flat_map(|run| {
            let ids = &self.open[run.source].rows.ids;
            (run.start..run.start + run.length).map(|row| ids.get(row))
        });
        UInt64Array::from_iter_values(ids)
    }

    /// Returns the rows of runs that are not deleted, if some are.
    fn live(&self, runs: &[Run]) -> Option<BooleanBuffer> {
        if let [run] = runs {
            let live = self.open[run.source].rows.live.as_ref()?;
            return Some(live.slice(run.start, run.length));
        }
        if runs.iter().all(|run| self.open[run.source].rows.live.is_none()) {
            return None;
        }
        let mut all = BooleanBufferBuilder::new(self.batch_rows);
        for run in runs {
            match &self.open[run.source].rows.live {
                Some(live) => all.append_buffer(&live.slice(run.start, run.length)),
                None => all.append_n(run.length, true),
            }
        }
        Some(all.finish())
    }

    fn batch(&self, runs: &[Run]) -> Result<RowBatch> {
        let rows: usize = runs.iter().map(|run| run.length).sum();
        let mut kept: Option<BooleanArray> = self.live(runs).map(Into::into);
        let mut add = |next: BooleanArray| -> Result<()> {
            kept = Some(match kept.take() {
                Some(kept) => arrow_arith::boolean::and(&kept, &next)
                    .map_err(|error| arrow_error("filter rows", error))?,
                None => next,
            });
            Ok(())
        };
        if let Some(filter) = &self.filter {
            let columns = self.columns(runs, filter.fields())?;
            add(filter.matches(&columns, rows)?)?;
        }
        if let Some(fold) = self.fold {
            let snapshot = self.version.snapshot();
            let keys = match snapshot.key_at() {
                Some(at) => Some(KeyColumn::of(&self.columns(runs, &[at])?[0])?),
                None => None,
            };
            add(fold.matches(keys.as_ref(), &self.ids_of(runs), snapshot.valid_permille))?;
        }
        let count = kept.as_ref().map_or(rows, BooleanArray::true_count);
        let (ids, columns) = match kept {
            Some(_) if count == 0 => {
                let rows = RecordBatch::new_empty(Arc::clone(&self.schema));
                return Ok(RowBatch { ids: UInt64Array::from(Vec::<u64>::new()), rows });
            }
            Some(kept) if count < rows => {
                let columns = self.columns(runs, &self.wanted)?;
                let predicate = FilterBuilder::new(&kept).optimize().build();
                let columns = columns.iter().map(|column| predicate.filter(column));
                let columns = columns.collect::<Result<Vec<_>, _>>();
                let columns = columns.map_err(|error| arrow_error("filter rows", error))?;
                (self.kept_ids(runs, &kept)?, columns)
            }
            _ => (self.ids_of(runs), self.columns(runs, &self.wanted)?),
        };
        Ok(RowBatch { ids, rows: batch_of(&self.schema, columns, count)? })
    }

    fn step(&mut self) -> Result<Option<RowBatch>> {
        loop {
            let runs = self.runs();
            if let Some(error) = self.errors.pop_front() {
                // The rows of the runs are read again.
                runs.iter().rev().for_each(|run| self.open[run.source].next = run.start);
                return Err(error);
            }
            if runs.is_empty() {
                return Ok(None);
            }
            let batch = self.batch(&runs)?;
            self.open.retain(|it| it.next < it.end);
            if !batch.ids.is_empty() {
                return Ok(Some(batch));
            }
        }
    }
}

impl Iterator for Scanner {
    type Item = Result<RowBatch>;

    /// A damaged fragment is an error; the rows of the others follow.
    fn next(&mut self) -> Option<Self::Item> {
        self.step().transpose()
    }
}
