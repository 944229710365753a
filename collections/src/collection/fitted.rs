//! Rows on their way into a collection: fitted to its schema, without those that do not fit.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use larder_core::{Identifier, Result};
use serde_json::{Map, Value};

use super::CollectionVersion;
use super::insert::{Counts, Reject};
use super::source::{InputRow, Source};
use crate::error::arrow_error;
use crate::json::{build, row_of};
use crate::key::{Key, KeyColumn, KeyRef, KeySet};
use crate::schema::{Fault, Misfit, Misfits, Schema, fit};

/// Number of JSON objects that become one batch.
const CHUNK: usize = 8_192;

/// Fits rows to a schema.
pub(super) struct Fitted<'a> {
    source: Source<'a>,
    schema: Schema,
    /// The same, for rejects.
    shared: Arc<Schema>,
    key_at: Option<usize>,
    name: Identifier,
    /// Receives rows that do not fit; without it, the first ones are an error.
    rejects: Option<&'a mut dyn FnMut(Reject) -> Result<()>>,
    /// The version whose keys are rejected.
    known: Option<CollectionVersion>,
    keys: KeySet,
    counts: Rc<Counts>,
    /// Rows that were read.
    rows: u64,
    done: bool,
}

impl<'a> Fitted<'a> {
    pub(super) fn new(
        source: Source<'a>,
        schema: Schema,
        key: Option<String>,
        name: Identifier,
        rejects: Option<&'a mut dyn FnMut(Reject) -> Result<()>>,
        known: Option<CollectionVersion>,
        counts: Rc<Counts>,
    ) -> Self {
        let key_at = key.and_then(|key| schema.fields().iter().position(|field| field.name == key));
        let mut keys = KeySet::default();
        keys.keep_all();
        let shared = Arc::new(schema.clone());
        Self {
            source,
            schema,
            shared,
            key_at,
            name,
            rejects,
            known,
            keys,
            counts,
            rows: 0,
            done: false,
        }
    }

    pub(super) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Returns the next batch; with the rejects, if they are kept.
    fn step(&mut self) -> Result<Option<RecordBatch>> {
        let start = self.rows;
        let batch = match &mut self.source {
            Source::Batches(batches) => {
                let Some(batch) = batches.next().transpose()? else { return Ok(None) };
                self.rows += batch.num_rows() as u64;
                self.fit_batch(batch, start)?
            }
            Source::Json(rows) => {
                let chunk = rows.by_ref().take(CHUNK).collect::<Result<Vec<_>>>()?;
                if chunk.is_empty() {
                    return Ok(None);
                }
                self.rows += chunk.len() as u64;
                self.fit_json(chunk, start)?
            }
        };
        self.counts.inserted.set(self.counts.inserted.get() + batch.num_rows() as u64);
        Ok(Some(batch))
    }

    fn fit_json(&mut self, chunk: Vec<InputRow>, start: u64) -> Result<RecordBatch> {
        let mut rows: Vec<(u64, Map<String, Value>)> = Vec::with_capacity(chunk.len());
        for (number, row) in (start..).zip(chunk) {
            match row {
                InputRow::Row(row) => rows.push((number, row)),
                InputRow::Bad { text, reason } => {
                    let misfits = Misfits(vec![Misfit::new(number, "", &text, reason)]);
                    for (_, misfit) in self.first_of_each(misfits)? {
                        self.reject(
                            misfit,
                            Map::from_iter([("_text".to_owned(), text.clone().into())]),
                        )?;
                    }
                }
            }
        }
        loop {
            match build(&rows, &self.schema)? {
                Ok(batch) => {
                    let Some(bad) = self.bad_keys(&batch, |row| rows[row].0)? else {
                        return Ok(batch);
                    };
                    for (row, misfit) in bad {
                        self.reject(misfit, rows[row].1.clone())?;
                        rows[row].0 = u64::MAX;
                    }
                    rows.retain(|(number, _)| *number != u64::MAX);
                    return match build(&rows, &self.schema)? {
                        Ok(batch) => Ok(batch),
                        Err(misfits) => Err(misfits.into_error("insert rows into", &self.name)),
                    };
                }
                Err(misfits) => {
                    let bad = self.first_of_each(misfits)?;
                    for (number, row) in rows.iter().filter(|(number, _)| bad.contains_key(number))
                    {
                        if let Some(misfit) = bad.get(number) {
                            self.reject(misfit.clone(), row.clone())?;
                        }
                    }
                    rows.retain(|(number, _)| !bad.contains_key(number));
                }
            }
        }
    }

    fn fit_batch(&mut self, mut batch: RecordBatch, start: u64) -> Result<RecordBatch> {
        let mut numbers: Vec<u64> = (start..start + batch.num_rows() as u64).collect();
        loop {
            match fit(&batch, &self.schema, 0) {
                Ok(fitted) => {
                    let Some(bad) = self.bad_keys(&fitted, |row| numbers[row])? else {
                        return Ok(fitted);
                    };
                    let mut kept = vec![true; numbers.len()];
                    for (row, misfit) in bad {
                        kept[row] = false;
                        self.reject(misfit, row_of(&fitted, row))?;
                    }
                    return filtered(&fitted, kept);
                }
                Err(Fault::Error(error)) => return Err(error),
                Err(Fault::Misfits(Misfits(misfits))) => {
                    let misfits = misfits.into_iter().map(|misfit| {
                        let row = numbers.get(misfit.row as usize).copied().unwrap_or(misfit.row);
                        Misfit { row, ..misfit }
                    });
                    let bad = self.first_of_each(Misfits(misfits.collect()))?;
                    let kept: Vec<bool> =
                        numbers.iter().map(|number| !bad.contains_key(number)).collect();
                    for (row, number) in numbers.iter().enumerate() {
                        if let Some(misfit) = bad.get(number) {
                            self.reject(misfit.clone(), row_of(&batch, row))?;
                        }
                    }
                    batch = filtered(&batch, kept)?;
                    numbers.retain(|number| !bad.contains_key(number));
                }
            }
        }
    }

    /// Returns one misfit of each row; an error, if rows that do not fit are not left out.
    fn first_of_each(&self, Misfits(misfits): Misfits) -> Result<BTreeMap<u64, Misfit>> {
        if self.rejects.is_none() {
            return Err(Misfits(misfits).into_error("insert rows into", &self.name));
        }
        let mut bad = BTreeMap::new();
        for misfit in misfits {
            bad.entry(misfit.row).or_insert(misfit);
        }
        Ok(bad)
    }

    /// Returns rows whose key is null, used before or there already, if rows are left out. Otherwise the engine refuses them.
    fn bad_keys(
        &mut self,
        batch: &RecordBatch,
        number: impl Fn(usize) -> u64,
    ) -> Result<Option<BTreeMap<usize, Misfit>>> {
        let (Some(at), Some(_)) = (self.key_at, &self.rejects) else { return Ok(None) };
        let field = &self.schema.fields()[at].name;
        let keys = KeyColumn::of(batch.column(at))?;
        let Misfits(misfits) = self.keys.add(&keys, 0, field);
        let mut bad: BTreeMap<usize, Misfit> =
            misfits.into_iter().map(|misfit| (misfit.row as usize, misfit)).collect();
        if let Some(known) = &self.known {
            let wanted: Vec<Key> = keys.iter().flatten().map(KeyRef::to_owned).collect();
            let found = known.find_keys(&wanted)?;
            let rows = (0..keys.len()).filter(|&row| keys.get(row).is_some());
            for (row, _) in rows.zip(found).filter(|(_, found)| found.is_some()) {
                let key = keys.get(row).map_or_else(String::new, |key| key.to_string());
                let misfit = Misfit::new(0, field, key, "a row with this key is there");
                bad.entry(row).or_insert(misfit);
            }
        }
        bad.iter_mut().for_each(|(row, misfit)| misfit.row = number(*row));
        Ok((!bad.is_empty()).then_some(bad))
    }

    fn reject(&mut self, misfit: Misfit, row: Map<String, Value>) -> Result<()> {
        self.counts.skipped.set(self.counts.skipped.get() + 1);
        match &mut self.rejects {
            Some(take) => take(Reject { misfit, row, schema: Arc::clone(&self.shared) }),
            None => Ok(()),
        }
    }
}

fn filtered(batch: &RecordBatch, kept: Vec<bool>) -> Result<RecordBatch> {
    filter_record_batch(batch, &BooleanArray::from(kept))
        .map_err(|error| arrow_error("leave out rows", error))
}

impl Iterator for Fitted<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}
