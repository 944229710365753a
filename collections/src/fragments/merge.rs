//! Rules of compaction: few small fragments, few deleted rows.

use arrow_array::{Array, ArrayRef, UInt64Array};
use arrow_select::concat::concat;
use arrow_select::interleave::interleave;
use larder_core::Result;

use super::write::{NewFragment, Uploads};
use crate::engine::RowBatch;
use crate::error::arrow_error;
use crate::fragment::{Data, Fragment, Rows};
use crate::schema::{Schema, adapt, batch_of};

/// A fragment with fewer rows is small, unless it is large in bytes.
const SMALL_ROWS: u64 = 8_192;
/// A fragment with more bytes is never small.
const SMALL_BYTES: u64 = 4 << 20;
/// Small fragments of one level that are merged, as soon as there are so many. A level holds four times the rows of the
/// level below; with seven levels, there are at most 21 small fragments.
const MERGED: usize = 4;
/// A fragment with a larger share of deleted rows than one in so many is written again without them.
const DELETED_SHARE: u64 = 10;
/// Rows of a fragment that `compact` does not merge with others.
const FULL_ROWS: u64 = 65_536;
/// Bytes of a fragment that `compact` does not merge with others.
const FULL_BYTES: u64 = 16 << 20;

/// Returns true if the fragment counts as small.
pub(super) fn is_small(fragment: &Fragment) -> bool {
    fragment.data.is_inline() || fragment.rows < SMALL_ROWS && fragment.size() < SMALL_BYTES
}

fn level(fragment: &Fragment) -> u32 {
    fragment.rows.max(1).ilog2() / MERGED.ilog2()
}

/// Reads the fragment at a position of the list.
pub(super) type Load<'a> = dyn Fn(&Fragment) -> Result<Rows> + 'a;

/// Applies the rules after a write: writes fragments again whose share of deleted rows is too large, keeps at most one inline,
/// and merges levels of small fragments that are full.
pub(super) fn tidy(
    mut fragments: Vec<NewFragment>,
    schema: &Schema,
    key_at: Option<usize>,
    load: &Load<'_>,
    uploads: &mut Uploads<'_>,
) -> Result<Vec<NewFragment>> {
    fragments.retain(|it| it.fragment.live() > 0);
    let has_many_deleted = |it: &Fragment| match &it.data {
        Data::Inline(_) => it.deleted.is_some(),
        Data::File(_) => (it.rows - it.live()) * DELETED_SHARE > it.rows,
    };
    for it in &mut fragments {
        if has_many_deleted(&it.fragment) {
            *it = merged(&[&it.fragment], schema, key_at, load, uploads)?;
        }
    }
    let inline = positions(&fragments, |it| it.data.is_inline());
    if inline.len() > 1 {
        merge_in(&mut fragments, &inline, schema, key_at, load, uploads)?;
    }
    loop {
        let full = (0..=SMALL_ROWS.ilog2() / MERGED.ilog2()).find_map(|wanted| {
            let is_of_level =
                |it: &Fragment| !it.data.is_inline() && is_small(it) && level(it) == wanted;
            let of_level = positions(&fragments, is_of_level);
            (of_level.len() >= MERGED).then_some(of_level)
        });
        let Some(full) = full else { break };
        merge_in(&mut fragments, &full, schema, key_at, load, uploads)?;
    }
    fragments.sort_by_key(|it| it.fragment.first_id);
    Ok(fragments)
}

fn positions(fragments: &[NewFragment], is_so: impl Fn(&Fragment) -> bool) -> Vec<usize> {
    (0..fragments.len()).filter(|&at| is_so(&fragments[at].fragment)).collect()
}

/// Merges neighbours up to a full size, and drops all deleted rows: makes at most `most` fragments, and returns how many are
/// left; `None` if there is nothing to do.
pub(super) fn compact(
    mut fragments: Vec<NewFragment>,
    most: usize,
    schema: &Schema,
    key_at: Option<usize>,
    load: &Load<'_>,
    uploads: &mut Uploads<'_>,
) -> Result<Option<(Vec<NewFragment>, usize)>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let (mut rows, mut bytes) = (u64::MAX, u64::MAX);
    for (at, NewFragment { fragment, .. }) in fragments.iter().enumerate() {
        let is_open = fragment.deleted.is_some()
            || fragment.live() < FULL_ROWS / 2 && fragment.size() < FULL_BYTES / 2;
        if !is_open {
            rows = u64::MAX;
            continue;
        }
        let fits = rows.saturating_add(fragment.live()) <= FULL_ROWS
            && bytes.saturating_add(fragment.size()) <= FULL_BYTES;
        match groups.last_mut().filter(|_| fits) {
            Some(group) => {
                group.push(at);
                rows += fragment.live();
                bytes += fragment.size();
            }
            None => {
                groups.push(vec![at]);
                (rows, bytes) = (fragment.live(), fragment.size());
            }
        }
    }
    groups.retain(|group| group.len() > 1 || fragments[group[0]].fragment.deleted.is_some());
    if groups.is_empty() {
        return Ok(None);
    }
    let left = groups.len().saturating_sub(most.max(1));
    groups.truncate(most.max(1));
    for group in groups.iter().rev() {
        merge_in(&mut fragments, group, schema, key_at, load, uploads)?;
    }
    fragments.sort_by_key(|it| it.fragment.first_id);
    Ok(Some((fragments, left)))
}

/// Replaces the fragments at ascending positions by one.
fn merge_in(
    fragments: &mut Vec<NewFragment>,
    places: &[usize],
    schema: &Schema,
    key_at: Option<usize>,
    load: &Load<'_>,
    uploads: &mut Uploads<'_>,
) -> Result<()> {
    let sources: Vec<&Fragment> = places.iter().map(|&at| &fragments[at].fragment).collect();
    let new = merged(&sources, schema, key_at, load, uploads)?;
    for &at in places.iter().rev() {
        fragments.remove(at);
    }
    fragments.insert(places[0].min(fragments.len()), new);
    Ok(())
}

/// Writes the rows of fragments that are not deleted as one fragment.
fn merged(
    sources: &[&Fragment],
    schema: &Schema,
    key_at: Option<usize>,
    load: &Load<'_>,
    uploads: &mut Uploads<'_>,
) -> Result<NewFragment> {
    // One of the sources may have been written just now.
    uploads.finish()?;
    let sources = sources.iter().map(|fragment| load(fragment)).collect::<Result<Vec<_>>>()?;
    let mut places: Vec<(u64, usize, usize)> = Vec::new();
    for (source, rows) in sources.iter().enumerate() {
        let live = (0..rows.len()).filter(|&row| rows.is_live(row));
        places.extend(live.map(|row| (rows.ids.get(row), source, row)));
    }
    places.sort_unstable();
    let ids = UInt64Array::from_iter_values(places.iter().map(|place| place.0));
    let writes = places.iter().map(|&(_, source, row)| sources[source].writes.get(row));
    let writes = UInt64Array::from_iter_values(writes);
    let wanted: Vec<usize> = (0..schema.fields().len()).collect();
    let columns = sources.iter().map(|rows| adapt(&rows.batch, schema, &wanted));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let pairs: Vec<(usize, usize)> = places.iter().map(|&(_, source, row)| (source, row)).collect();
    // Appended rows follow each other.
    let is_all = pairs.is_sorted() && pairs.len() == sources.iter().map(Rows::len).sum::<usize>();
    let columns = wanted.iter().map(|&at| -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = columns.iter().map(|source| &*source[at]).collect();
        let merged = if is_all { concat(&arrays) } else { interleave(&arrays, &pairs) };
        merged.map_err(|error| arrow_error("merge fragments", error))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let rows = batch_of(schema.arrow(), columns, ids.len())?;
    uploads.fragment(RowBatch { ids, rows }, &writes, key_at)
}
