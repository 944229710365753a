//! Writing fragments.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, UInt64Array};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema};
use arrow_select::concat::concat_batches;
use larder_core::extend::{ArtifactAhead, LarderExt};
use larder_core::{Artifact, Identifier, Larder, Result};

use crate::engine::{Batches, RowBatch};
use crate::error::arrow_error;
use crate::fragment::{ArrowFile, ArrowIpc, Data, Fragment, InlineRows, ROW_ID, WRITE, bytes_of};
use crate::key::KeyColumn;
use crate::schema::Schema;

/// Maximum rows of a fragment that is written.
const MOST_ROWS: usize = 65_536;
/// Bytes of rows in memory at which a fragment is written.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of fragments that wait for the commit.
const MOST_WAITING: u64 = 4 << 20;
/// Files that are made durable while the next ones are encoded.
const MOST_AHEAD: usize = 4;

/// A fragment, with its rows if its file waits for the commit.
#[derive(Clone)]
pub(super) struct NewFragment {
    pub(super) fragment: Fragment,
    pub(super) batch: Option<RecordBatch>,
}

impl From<&Fragment> for NewFragment {
    fn from(fragment: &Fragment) -> Self {
        Self { fragment: fragment.clone(), batch: None }
    }
}

/// Writes files of fragments: large ones at once, small ones with the commit.
pub(super) struct Uploads<'a> {
    larder: &'a Larder,
    name: &'a Identifier,
    waiting: u64,
    ahead: FilesAhead,
}

/// Files of fragments that are being made durable.
#[derive(Default)]
pub(super) struct FilesAhead(VecDeque<ArtifactAhead>);

impl FilesAhead {
    /// Waits until the files are durable; no version may refer to them before, and nobody read them.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.0.drain(..).try_for_each(|file| file.finish().map(drop))
    }

    fn add(&mut self, file: ArtifactAhead) -> Result<()> {
        if self.0.len() >= MOST_AHEAD
            && let Some(oldest) = self.0.pop_front()
        {
            oldest.finish()?;
        }
        self.0.push_back(file);
        Ok(())
    }
}

impl<'a> Uploads<'a> {
    pub(super) fn new(larder: &'a Larder, name: &'a Identifier) -> Self {
        Self { larder, name, waiting: 0, ahead: FilesAhead::default() }
    }

    /// Waits until the files are durable that were written.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.ahead.finish()
    }

    /// Returns the files that are being made durable.
    pub(super) fn into_ahead(self) -> FilesAhead {
        self.ahead
    }

    /// Writes rows as a fragment. Their ids ascend; `writes` says which write wrote each of them.
    pub(super) fn fragment(
        &mut self,
        RowBatch { ids, rows }: RowBatch,
        writes: &UInt64Array,
        key_at: Option<usize>,
    ) -> Result<NewFragment> {
        let ends = |numbers: &UInt64Array| {
            let numbers = numbers.values();
            (numbers.iter().copied().min().unwrap_or(0), numbers.iter().copied().max().unwrap_or(0))
        };
        let ((first_id, last_id), (first_write, last_write)) = (ends(&ids), ends(writes));
        let count = rows.num_rows() as u64;
        let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
        if last_id - first_id + 1 != count {
            columns.push((ROW_ID, Arc::new(ids)));
        }
        if first_write != last_write {
            columns.push((WRITE, Arc::new(writes.clone())));
        }
        let keys = match key_at {
            Some(at) => KeyColumn::of(rows.column(at))?.range(),
            None => None,
        };
        let batch = with_columns(&rows, columns)?;
        let data = match InlineRows::of(&batch) {
            Some(rows) => Data::Inline(rows),
            None => Data::File(self.artifact(&batch)?),
        };
        let batch = matches!(&data, Data::File(file) if file.is_decoded()).then_some(batch);
        let fragment = Fragment {
            data,
            rows: count,
            first_id,
            last_id,
            first_write,
            last_write,
            keys,
            deleted: None,
        };
        Ok(NewFragment { fragment, batch })
    }

    fn artifact(&mut self, batch: &RecordBatch) -> Result<Artifact<ArrowFile, ArrowIpc>> {
        let inline = self.larder.store().capabilities().inline_blob as u64;
        if bytes_of(batch) as u64 <= inline {
            let file = ArrowFile::of(batch)?;
            if file.size() <= inline && self.waiting + file.size() <= MOST_WAITING {
                self.waiting += file.size();
                return Ok(Artifact::new(file));
            }
        }
        let ahead = self.larder.write_ahead::<RecordBatch, ArrowIpc>(self.name, batch)?;
        let artifact = ahead.stored().clone().into_artifact();
        self.ahead.add(ahead)?;
        Ok(artifact)
    }
}

fn with_columns(rows: &RecordBatch, added: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    if added.is_empty() {
        return Ok(rows.clone());
    }
    let mut fields: Vec<_> = rows.schema_ref().fields().iter().cloned().collect();
    let mut columns = rows.columns().to_vec();
    for (name, column) in added {
        fields.push(Arc::new(ArrowField::new(name, DataType::UInt64, false)));
        columns.push(column);
    }
    let schema = Arc::new(ArrowSchema::new(fields));
    RecordBatch::try_new(schema, columns).map_err(|error| arrow_error("write a fragment", error))
}

/// Collects batches up to the size of a fragment, and splits larger ones.
pub(super) struct Pieces<'a> {
    batches: Batches<'a>,
    schema: &'a Schema,
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    done: bool,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(batches: Batches<'a>, schema: &'a Schema) -> Self {
        Self { batches, schema, waiting: Vec::new(), rows: 0, bytes: 0, done: false }
    }

    fn join(&mut self) -> Result<RecordBatch> {
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.len() == 1
            && let Some(only) = waiting.pop()
        {
            return Ok(only);
        }
        concat_batches(self.schema.arrow(), &waiting)
            .map_err(|error| arrow_error("join batches of rows", error))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done && self.rows < MOST_ROWS && self.bytes < MOST_BYTES {
            match self.batches.next() {
                Some(Ok(batch)) if batch.num_rows() == 0 => {}
                Some(Ok(batch)) => {
                    self.rows += batch.num_rows();
                    self.bytes += bytes_of(&batch);
                    self.waiting.push(batch);
                }
                Some(Err(error)) => {
                    self.done = true;
                    self.waiting.clear();
                    return Some(Err(error));
                }
                None => self.done = true,
            }
        }
        if self.waiting.is_empty() {
            return None;
        }
        let all = match self.join() {
            Ok(all) => all,
            Err(error) => return Some(Err(error)),
        };
        let (rows, bytes) = (std::mem::take(&mut self.rows), std::mem::take(&mut self.bytes));
        let fit = (MOST_BYTES as u128 * rows as u128 / bytes.max(1) as u128).max(1);
        let fit = usize::try_from(fit).unwrap_or(usize::MAX).min(MOST_ROWS);
        // A little more than fits stays whole.
        if rows > fit + fit / 4 {
            let rest = all.slice(fit, rows - fit);
            (self.rows, self.bytes) = (rest.num_rows(), bytes_of(&rest));
            self.waiting = vec![rest];
            return Some(Ok(all.slice(0, fit)));
        }
        Some(Ok(all))
    }
}
