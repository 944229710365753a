//! Reading rows by id and by key.

use std::collections::HashMap;

use arrow_array::{Array, UInt64Array, new_empty_array};
use arrow_select::interleave::interleave;
use larder_core::{Error, Result};

use super::version::FragmentVersion;
use crate::engine::{EngineVersion, RowBatch};
use crate::error::arrow_error;
use crate::fragment::{Fragment, Rows};
use crate::key::{Key, KeyColumn, KeyRef};
use crate::schema::{adapt, batch_of, projection};

/// The place of a row: the position of its fragment in the manifest, and its own in the fragment.
pub(super) type Place = (usize, u32);

/// Finds rows by id: the places of those that are there, with the positions of their ids in `ids`.
pub(super) fn places(version: &FragmentVersion, ids: &[u64]) -> Result<Vec<(usize, Place)>> {
    let mut order: Vec<usize> = (0..ids.len()).collect();
    order.sort_by_key(|&at| ids[at]);
    let mut found = Vec::with_capacity(ids.len());
    for (at, fragment) in version.snapshot().fragments.iter().enumerate() {
        let start = order.partition_point(|&it| ids[it] < fragment.first_id);
        let end = order.partition_point(|&it| ids[it] <= fragment.last_id);
        if start == end {
            continue;
        }
        let rows = version.load(at)?;
        for &it in &order[start..end] {
            if let Some(row) = rows.find(ids[it]).filter(|&row| rows.is_live(row)) {
                found.push((it, (at, row as u32)));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

pub(super) fn take(
    version: &FragmentVersion,
    ids: &[u64],
    columns: Option<&[String]>,
) -> Result<RowBatch> {
    let (wanted, schema) = projection(version.schema(), columns)?;
    let found = places(version, ids)?;
    let mut sources: Vec<(usize, Vec<arrow_array::ArrayRef>)> = Vec::new();
    let mut by_fragment = HashMap::new();
    let mut pairs = Vec::with_capacity(found.len());
    for (_, (fragment, row)) in &found {
        let source = match by_fragment.get(fragment) {
            Some(&source) => source,
            None => {
                let rows = version.load(*fragment)?;
                sources.push((*fragment, adapt(&rows.batch, version.schema(), &wanted)?));
                by_fragment.insert(*fragment, sources.len() - 1);
                sources.len() - 1
            }
        };
        pairs.push((source, *row as usize));
    }
    let arrays = (0..wanted.len()).map(|column| {
        if sources.is_empty() {
            return Ok(new_empty_array(schema.field(column).data_type()));
        }
        let arrays: Vec<&dyn Array> =
            sources.iter().map(|(_, columns)| &*columns[column]).collect();
        interleave(&arrays, &pairs).map_err(|error| arrow_error("read rows by id", error))
    });
    let rows = batch_of(&schema, arrays.collect::<Result<Vec<_>>>()?, found.len())?;
    let ids = UInt64Array::from_iter_values(found.iter().map(|(at, _)| ids[*at]));
    Ok(RowBatch { ids, rows })
}

pub(super) fn find_keys(version: &FragmentVersion, keys: &[Key]) -> Result<Vec<Option<u64>>> {
    let Some(_) = version.snapshot().key_at() else {
        return Err(Error::Refused {
            action: format!("find a row of {} by key", version.info().identifier),
            reason: "the collection has no key; search it with a filter".into(),
        });
    };
    let mut found = vec![None; keys.len()];
    let wanted: HashMap<KeyRef<'_>, usize> =
        keys.iter().enumerate().map(|(at, key)| (key.borrowed(), at)).collect();
    for_each_match(
        version,
        &wanted,
        |_| false,
        |at, rows, row| {
            found[at] = Some(rows.ids.get(row));
        },
    )?;
    // A key that is asked for twice is found twice.
    Ok(keys.iter().map(|key| wanted.get(&key.borrowed()).and_then(|&at| found[at])).collect())
}

/// Passes the rows that are not deleted and whose key is wanted: what the key stands for, its fragment, and the position in
/// it. Fragments that `skip` accepts are not read.
pub(super) fn for_each_match(
    version: &FragmentVersion,
    wanted: &HashMap<KeyRef<'_>, usize>,
    skip: impl Fn(&Fragment) -> bool,
    mut take: impl FnMut(usize, &Rows, usize),
) -> Result<()> {
    let Some(key_at) = version.snapshot().key_at() else { return Ok(()) };
    let bounds = wanted.keys().min().zip(wanted.keys().max());
    let Some((min, max)) = bounds else { return Ok(()) };
    for (at, fragment) in version.snapshot().fragments.iter().enumerate() {
        if !fragment.may_have_keys(*min, *max) || skip(fragment) {
            continue;
        }
        if let Some(keys) = &fragment.keys
            && !wanted.keys().any(|key| keys.may_hold(*key))
        {
            continue;
        }
        let rows = version.load(at)?;
        let column = KeyColumn::of(&adapt(&rows.batch, version.schema(), &[key_at])?[0])?;
        for row in 0..column.len() {
            if let Some(key) = column.get(row)
                && let Some(&stands_for) = wanted.get(&key)
                && rows.is_live(row)
            {
                take(stands_for, &rows, row);
            }
        }
    }
    Ok(())
}
