//! Adding fragments, and merging small ones.

use arrow_schema::DataType;
use larder_core::store::Digest;
use larder_core::{Artifact, Result};

use super::columns::{Columns, Place};
use super::view::read;
use super::{NewRows, OutputFragment, Outputs};
use larder_collections::extend::FragmentCache;
use larder_collections::{ArrowFile, FieldType};

/// Maximum bytes of a fragment that is merged with another.
const MOST_BYTES: u64 = 32 << 20;

/// Adds rows as a fragment of `model`, whose inputs are in the version `seen` of the collection.
///
/// A fragment that is not much larger than the one after it is merged with it, so that there are few of each size: the
/// number of fragments grows with the logarithm of the rows, and a row is written that often. Without `merges`, it stays.
pub(crate) fn append(
    outputs: &mut Outputs,
    rows: NewRows,
    model: Option<Digest>,
    seen: u64,
    cache: &FragmentCache,
    merges: bool,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut columns = rows.columns(&arrow_of(outputs.column.as_ref()))?;
    let mut known = Some(seen);
    while let Some(last) = outputs.fragments.last().filter(|_| merges) {
        let size = columns.bytes() as u64;
        let is_small = last.rows / 2 <= columns.rows.len() as u64;
        if last.model != model || !is_small || last.bytes + size > MOST_BYTES {
            break;
        }
        // Until all rows were reached, fingerprints may tell which outputs are of former inputs.
        if last.seen.is_some() == columns.inputs.is_some() && outputs.fill_from.is_some() {
            break;
        }
        let older = read(last, cache, || "a fragment of outputs".into())?;
        // Outputs whose column was not known yet have no values.
        if older.values().data_type() != columns.values.data_type() {
            break;
        }
        if last.seen == Some(0) {
            known = Some(0);
        }
        columns = merged(older.columns(), &columns)?;
        outputs.fragments.pop();
    }
    outputs.fragments.push(fragment_of(&columns, model, known)?);
    Ok(())
}

/// Encodes rows as a fragment of `model`, whose inputs are in the version `seen` of the collection; their outputs are of the type
/// `column`.
pub(crate) fn encoded(
    rows: NewRows,
    column: Option<&FieldType>,
    model: Option<Digest>,
    seen: u64,
) -> Result<OutputFragment> {
    fragment_of(&rows.columns(&arrow_of(column))?, model, Some(seen))
}

fn arrow_of(column: Option<&FieldType>) -> DataType {
    column.map_or(DataType::Null, |column| column.arrow().clone())
}

fn fragment_of(
    columns: &Columns,
    model: Option<Digest>,
    seen: Option<u64>,
) -> Result<OutputFragment> {
    let file = ArrowFile::of(&columns.batch()?)?;
    Ok(OutputFragment {
        rows: columns.rows.len() as u64,
        first: columns.rows.first().copied().unwrap_or_default(),
        last: columns.rows.last().copied().unwrap_or_default(),
        bytes: file.size(),
        data: Artifact::new(file),
        model,
        seen: seen.filter(|_| columns.inputs.is_none()),
    })
}

/// Merges two fragments; of a row that both have, the newer stays.
fn merged(older: &Columns, newer: &Columns) -> Result<Columns> {
    let (old, new) = (&older.rows, &newer.rows);
    let mut order: Vec<Place> = Vec::with_capacity(old.len() + new.len());
    let (mut at, mut other) = (0, 0);
    while at < old.len() || other < new.len() {
        match (old.get(at), new.get(other)) {
            (Some(one), Some(two)) if one < two => {
                order.push((0, at));
                at += 1;
            }
            (Some(one), None) => {
                let _ = one;
                order.push((0, at));
                at += 1;
            }
            (one, _) => {
                if one == new.get(other) {
                    at += 1;
                }
                order.push((1, other));
                other += 1;
            }
        }
    }
    Columns::interleaved(older, newer, &order)
}
