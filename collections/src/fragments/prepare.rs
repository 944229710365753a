//! Preparing a write: encoding its rows, and refusing what does not fit.

use std::collections::{HashMap, HashSet};

use arrow_array::UInt64Array;
use larder_core::{Error, Result};

use super::engine::FragmentEngine;
use super::version::FragmentVersion;
use super::write::{FilesAhead, NewFragment, Pieces, Uploads};
use super::{delta, lookup};
use crate::engine::{EngineVersion, RowBatch, Write};
use crate::fragment::Fragment;
use crate::key::{KeyColumn, KeyRef, KeySet};
use crate::snapshot::Snapshot;

/// A write whose rows are encoded.
pub(super) struct Prepared {
    pub(super) inserts: Vec<NewFragment>,
    pub(super) updates: Vec<NewFragment>,
    /// The ids of rows that are written again, and of those that are deleted; ascending.
    pub(super) updated: Vec<u64>,
    pub(super) deleted: Vec<u64>,
    /// The files of the fragments that are being made durable.
    pub(super) ahead: FilesAhead,
}

impl Prepared {
    /// Returns true if it changes nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.inserts.is_empty() && self.updated.is_empty() && self.deleted.is_empty()
    }

    /// Returns false if no key of its new rows is one of the other's.
    pub(super) fn may_share_keys(&self, other: &Self) -> bool {
        let new =
            |it: &NewFragment, other: &NewFragment| it.fragment.may_share_keys(&other.fragment);
        self.inserts.iter().any(|one| other.inserts.iter().any(|two| new(one, two)))
    }
}

impl FragmentEngine {
    pub(super) fn prepare(
        &self,
        base: Option<&FragmentVersion>,
        snapshot: &Snapshot,
        write: Write<'_>,
    ) -> Result<Prepared> {
        let mut uploads = Uploads::new(&self.larder, &self.name);
        let key_at = snapshot.key_at();
        let mut inserts: Vec<NewFragment> = Vec::new();
        let mut seen = KeySet::default();
        let mut first = 0;
        for piece in write
            .inserts
            .map(|batches| Pieces::new(batches, &snapshot.schema))
            .into_iter()
            .flatten()
        {
            let piece = piece?;
            if let Some(at) = key_at {
                let keys = KeyColumn::of(piece.column(at))?;
                if seen.needs_earlier(&keys) {
                    uploads.finish()?;
                    for NewFragment { fragment, .. } in &inserts {
                        let rows = self.loader(None)(fragment)?;
                        seen.keep(&KeyColumn::of(rows.batch.column(at))?);
                    }
                }
                let misfits = seen.add(&keys, first, snapshot.key.as_deref().unwrap_or_default());
                if !misfits.0.is_empty() {
                    return Err(misfits.into_error("insert rows into", &self.name));
                }
                if let Some(base) = base {
                    self.refuse_known(base, &keys, first, None)?;
                }
            }
            // Ids and the number of the write are those of the commit; the file does not depend on them.
            let rows = piece.num_rows() as u64;
            let ids = UInt64Array::from_iter_values(first..first + rows);
            let writes = UInt64Array::from_value(0, piece.num_rows());
            inserts.push(uploads.fragment(RowBatch { ids, rows: piece }, &writes, key_at)?);
            first += rows;
        }
        let mut updated: Vec<u64> = Vec::new();
        let mut updates = Vec::new();
        for batch in write.updates {
            if batch.ids.is_empty() {
                continue;
            }
            updated.extend(batch.ids.values());
            let writes = UInt64Array::from_value(0, batch.ids.len());
            updates.push(uploads.fragment(sorted(batch)?, &writes, key_at)?);
        }
        updated.sort_unstable();
        if updated.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Error::internal("a write updates one row twice".to_owned()));
        }
        let mut deleted = write.deletes;
        deleted.sort_unstable();
        deleted.dedup();
        Ok(Prepared { inserts, updates, updated, deleted, ahead: uploads.into_ahead() })
    }

    /// Refuses keys that are there, in fragments that are not in `checked`.
    pub(super) fn refuse_known(
        &self,
        version: &FragmentVersion,
        keys: &KeyColumn,
        first: u64,
        checked: Option<&FragmentVersion>,
    ) -> Result<()> {
        let skip = |fragment: &Fragment| {
            checked.is_some_and(|checked| {
                checked.snapshot().fragments.iter().any(|it| it.is_same(fragment))
            })
        };
        let Some((min, max)) = keys.bounds() else { return Ok(()) };
        let may_meet = |it: &Fragment| it.may_have_keys(min, max) && !skip(it);
        if !version.snapshot().fragments.iter().any(may_meet) {
            return Ok(());
        }
        let wanted: HashMap<KeyRef<'_>, usize> =
            keys.iter().enumerate().filter_map(|(row, key)| Some((key?, row))).collect();
        let mut known: Vec<usize> = Vec::new();
        lookup::for_each_match(version, &wanted, skip, |row, _, _| known.push(row))?;
        known.sort_unstable();
        let misfits = known.into_iter().filter_map(|row| {
            let field = version.key().unwrap_or_default();
            let reason = "a row with this key is there";
            Some(crate::schema::Misfit::new(first + row as u64, field, keys.get(row)?, reason))
        });
        let misfits = crate::schema::Misfits(misfits.collect());
        match misfits.0.is_empty() {
            true => Ok(()),
            false => Err(misfits.into_error("insert rows into", &self.name)),
        }
    }

    /// Refuses edits of rows that another writer edited between two versions.
    pub(super) fn refuse_edited(
        &self,
        base: &FragmentVersion,
        head: &FragmentVersion,
        prepared: &Prepared,
    ) -> Result<()> {
        if prepared.updated.is_empty() && prepared.deleted.is_empty() {
            return Ok(());
        }
        let changed = delta::delta(base, head)?;
        let changed: HashSet<u64> = changed.updated.into_iter().chain(changed.deleted).collect();
        let edited = prepared.updated.iter().chain(&prepared.deleted);
        let Some(&id) = edited.clone().find(|id| changed.contains(id)) else { return Ok(()) };
        let row = match base.key() {
            Some(key) => {
                let row = base.take(&[id], Some(&[key.to_owned()]))?;
                let keys = KeyColumn::of(row.rows.column(0))?;
                let text = keys.iter().next().flatten().map(|key| key.to_string());
                format!("the row of {} with {key} = {}", self.name, text.unwrap_or_default())
            }
            None => format!("row {id} of {}", self.name),
        };
        Err(Error::Conflict { what: row })
    }
}

/// Sorts rows by id.
fn sorted(batch: RowBatch) -> Result<RowBatch> {
    if batch.ids.values().is_sorted() {
        return Ok(batch);
    }
    let mut order: Vec<u32> = (0..batch.ids.len() as u32).collect();
    order.sort_by_key(|&at| batch.ids.value(at as usize));
    let ids = UInt64Array::from_iter_values(order.iter().map(|&at| batch.ids.value(at as usize)));
    let order = arrow_array::UInt32Array::from(order);
    let rows = arrow_select::take::take_record_batch(&batch.rows, &order);
    rows.map(|rows| RowBatch { ids, rows })
        .map_err(|error| crate::error::arrow_error("sort rows", error))
}
