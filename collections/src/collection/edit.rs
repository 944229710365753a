//! Updating and deleting rows.

use arrow_array::{Array, RecordBatch, UInt32Array};
use arrow_select::take::take;
use larder_core::{Error, Result};
use serde_json::{Map, Value};

use super::{CollectionVersion, UntypedCollection};
use crate::engine::{RowBatch, Scan, Write};
use crate::error::arrow_error;
use crate::filter::Filter;
use crate::json::array_of;
use crate::key::Key;
use crate::schema::{Fault, Schema, fit};

/// Result of an update or a deletion.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Edited {
    /// The newest version; the one before, if no row matched.
    pub version: CollectionVersion,
    /// The rows that changed.
    pub rows: u64,
}

impl UntypedCollection {
    /// Deletes rows that match, as one version.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for unknown fields; [`Error::Conflict`] with the key of a row that another writer edited
    /// meanwhile; [`Error::NotFound`]; [`Error::Store`].
    pub fn delete(&self, filter: &Filter) -> Result<Edited> {
        self.delete_of(&self.latest()?, filter)
    }

    /// Deletes rows that match in a version, which may have computed fields, as one new version.
    ///
    /// # Errors
    /// As [`delete`](UntypedCollection::delete); [`Error::Conflict`] with the key of a row that was edited since.
    pub fn delete_of(&self, base: &CollectionVersion, filter: &Filter) -> Result<Edited> {
        let scan = Scan::new().filter(filter.clone()).columns(Vec::<String>::new());
        let mut ids = Vec::new();
        for batch in base.scan(&scan)? {
            ids.extend(batch?.ids.values());
        }
        self.delete_from(base, ids)
    }

    /// Deletes the rows with these keys, as one version. Keys that are not there are ignored.
    ///
    /// # Errors
    /// As [`delete`](UntypedCollection::delete); [`Error::Refused`] if the collection has no key.
    pub fn delete_keys(&self, keys: &[Key]) -> Result<Edited> {
        let base = self.latest()?;
        let ids = base.find_keys(keys)?.into_iter().flatten().collect();
        self.delete_from(&base, ids)
    }

    fn delete_from(&self, base: &CollectionVersion, mut ids: Vec<u64>) -> Result<Edited> {
        ids.sort_unstable();
        ids.dedup();
        let rows = ids.len() as u64;
        if ids.is_empty() {
            return Ok(Edited { version: base.clone(), rows });
        }
        let version =
            self.engine.write(base.engine(), Write { deletes: ids, ..Write::default() })?;
        Ok(Edited { version: CollectionVersion::new(version), rows })
    }

    /// Sets fields of the rows that match, as one version. All rows match without a filter.
    ///
    /// # Errors
    /// As [`delete`](UntypedCollection::delete); [`Error::Refused`] for a value that does not fit, and for the key.
    pub fn update(&self, filter: Option<&Filter>, set: &Map<String, Value>) -> Result<Edited> {
        self.update_of(&self.latest()?, filter, set)
    }

    /// Sets fields of the rows that match in a version, which may have computed fields, as one new version.
    ///
    /// # Errors
    /// As [`update`](UntypedCollection::update); [`Error::Conflict`] with the key of a row that was edited since.
    pub fn update_of(
        &self,
        base: &CollectionVersion,
        filter: Option<&Filter>,
        set: &Map<String, Value>,
    ) -> Result<Edited> {
        let schema = base.schema().stored();
        let mut values = Vec::with_capacity(set.len());
        for (name, value) in set {
            let at = schema.position(name)?;
            let field = &schema.fields()[at];
            let refused = |reason: String| Error::Refused {
                action: format!("set the field `{name}` of {} to {value}", self.name()),
                reason,
            };
            if value.is_null() && !field.nullable {
                return Err(refused("the field is not nullable".into()));
            }
            let value = Some(value).filter(|value| !value.is_null());
            values.push((at, array_of(&field.kind, [value].into_iter()).map_err(refused)?));
        }
        self.change(base, filter, |batch| {
            let mut columns = batch.columns().to_vec();
            let first = UInt32Array::from(vec![0; batch.num_rows()]);
            for (at, value) in &values {
                columns[*at] =
                    take(value, &first, None).map_err(|error| arrow_error("set a field", error))?;
            }
            RecordBatch::try_new(batch.schema(), columns)
                .map_err(|error| arrow_error("set a field", error))
        })
    }

    /// Replaces rows that match by what `change` makes of them, as one version. It gets batches and returns as many rows in
    /// the same order; rows that stay the same are not written.
    ///
    /// # Errors
    /// As [`update`](UntypedCollection::update), and the errors of `change`.
    pub fn update_with(
        &self,
        filter: Option<&Filter>,
        change: impl FnMut(&RecordBatch) -> Result<RecordBatch>,
    ) -> Result<Edited> {
        self.change(&self.latest()?, filter, change)
    }

    fn change(
        &self,
        base: &CollectionVersion,
        filter: Option<&Filter>,
        mut change: impl FnMut(&RecordBatch) -> Result<RecordBatch>,
    ) -> Result<Edited> {
        let schema = base.schema().stored();
        let scan = Scan { filter: filter.cloned(), ..Scan::new() };
        let (mut updates, mut rows) = (Vec::new(), 0);
        for batch in base.scan(&scan)? {
            let batch = batch?;
            let changed = change(&batch.rows)?;
            let changed = fit(&changed, &schema, 0).map_err(|fault| match fault {
                Fault::Error(error) => error,
                Fault::Misfits(misfits) => misfits.into_error("update rows of", self.name()),
            })?;
            let refused = |reason: &str| Error::Refused {
                action: format!("update rows of {}", self.name()),
                reason: reason.into(),
            };
            if changed.num_rows() != batch.rows.num_rows() {
                return Err(refused("the update returned another number of rows than it got"));
            }
            if let Some(key) = base.key() {
                let at = schema.position(&key.name)?;
                if changed.column(at).as_ref() != batch.rows.column(at).as_ref() {
                    return Err(refused(
                        "the key of a row stays; delete the row and insert another one",
                    ));
                }
            }
            let differs = differing(&batch.rows, &changed);
            rows += differs.len() as u64;
            if differs.len() == changed.num_rows() {
                updates.push(RowBatch { rows: changed, ..batch });
            } else if !differs.is_empty() {
                let places = UInt32Array::from(differs);
                let ids = places.values().iter().map(|&at| batch.ids.value(at as usize)).collect();
                let rows = arrow_select::take::take_record_batch(&changed, &places)
                    .map_err(|error| arrow_error("update rows", error))?;
                updates.push(RowBatch { ids, rows });
            }
        }
        if updates.is_empty() {
            return Ok(Edited { version: base.clone(), rows });
        }
        let updates = joined(updates, &schema)?;
        let version = self.engine.write(base.engine(), Write { updates, ..Write::default() })?;
        Ok(Edited { version: CollectionVersion::new(version), rows })
    }
}

/// Returns the positions of rows that differ.
fn differing(one: &RecordBatch, two: &RecordBatch) -> Vec<u32> {
    let equal: Vec<bool> = one
        .columns()
        .iter()
        .zip(two.columns())
        .map(|(one, two)| one.as_ref() == two.as_ref())
        .collect();
    if equal.iter().all(|equal| *equal) {
        return Vec::new();
    }
    let columns: Vec<usize> = (0..equal.len()).filter(|&at| !equal[at]).collect();
    let differs = |row: &usize| {
        columns.iter().any(|&at| one.column(at).slice(*row, 1) != two.column(at).slice(*row, 1))
    };
    (0..one.num_rows()).filter(differs).map(|row| row as u32).collect()
}

/// Joins small batches of updates, so that they become few fragments.
fn joined(updates: Vec<RowBatch>, schema: &Schema) -> Result<Vec<RowBatch>> {
    /// Rows of a joined batch.
    const ROWS: usize = 65_536;
    let mut all = Vec::new();
    let mut waiting: Vec<RowBatch> = Vec::new();
    let mut flush = |waiting: &mut Vec<RowBatch>| -> Result<()> {
        let batches = std::mem::take(waiting);
        let ids = batches.iter().flat_map(|batch| batch.ids.values().iter().copied()).collect();
        let rows: Vec<&RecordBatch> = batches.iter().map(|batch| &batch.rows).collect();
        let rows = arrow_select::concat::concat_batches(schema.arrow(), rows)
            .map_err(|error| arrow_error("join rows", error))?;
        all.push(RowBatch { ids, rows });
        Ok(())
    };
    for batch in updates {
        waiting.push(batch);
        if waiting.iter().map(|batch| batch.ids.len()).sum::<usize>() >= ROWS {
            flush(&mut waiting)?;
        }
    }
    if !waiting.is_empty() {
        flush(&mut waiting)?;
    }
    Ok(all)
}
