//! Adding fragments, and merging small ones.

use arrow_schema::DataType;
use larder_core::extend::{ArtifactAhead, LarderExt as _};
use larder_core::store::Digest;
use larder_core::{Artifact, Identifier, Larder, Result};

use super::columns::{Columns, Place};
use super::view::read;
use super::{NewRows, OutputFragment, Outputs};
use larder_collections::arrow_array::RecordBatch;
use larder_collections::extend::FragmentCache;
use larder_collections::{ArrowFile, ArrowIpc, FieldType};

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

/// A fragment whose file is being made durable, unless the commit writes it.
pub(crate) type FragmentAhead = (OutputFragment, Option<ArtifactAhead>);

/// Writes rows as a fragment of `model` for the outputs `name`, whose inputs are in the version `seen` of the collection; their
/// outputs are of the type `column`. A small one waits for the commit.
pub(crate) fn written(
    (larder, name): (&Larder, &Identifier),
    rows: NewRows,
    column: Option<&FieldType>,
    model: Option<Digest>,
    seen: u64,
) -> Result<FragmentAhead> {
    let columns = rows.columns(&arrow_of(column))?;
    if columns.bytes() <= larder.store().capabilities().inline_blob {
        return Ok((fragment_of(&columns, model, Some(seen))?, None));
    }
    let ahead = larder.write_ahead::<RecordBatch, ArrowIpc>(name, &columns.batch()?)?;
    let stored = ahead.stored().clone();
    let bytes = stored.entry().size;
    let fragment = fragment(&columns, (stored.into_artifact(), bytes), model, Some(seen));
    Ok((fragment, Some(ahead)))
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
    let bytes = file.size();
    Ok(fragment(columns, (Artifact::new(file), bytes), model, seen))
}

fn fragment(
    columns: &Columns,
    (data, bytes): (Artifact<ArrowFile, ArrowIpc>, u64),
    model: Option<Digest>,
    seen: Option<u64>,
) -> OutputFragment {
    OutputFragment {
        rows: columns.rows.len() as u64,
        first: columns.rows.first().copied().unwrap_or_default(),
        last: columns.rows.last().copied().unwrap_or_default(),
        bytes,
        data,
        model,
        seen: seen.filter(|_| columns.inputs.is_none()),
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::ops::Range;
    use std::sync::Arc;

    use larder_collections::arrow_array::Int64Array;

    use super::*;
    use crate::listeners::tests::{attach, shop};

    /// The same output for each of these rows.
    fn constant(rows: Range<u64>) -> OutputFragment {
        let rows: Vec<u64> = rows.collect();
        let mut new = NewRows::new(false, 0);
        new.push(&rows, &[], Arc::new(Int64Array::from(vec![7; rows.len()])), Vec::new());
        fragment_of(&new.columns(&DataType::Int64).unwrap(), None, Some(1)).unwrap()
    }

    #[test]
    fn equal_outputs_of_other_rows_are_told_apart() {
        let (larder, _, listeners) = shop();
        attach(&listeners, "sum", &["x"], "total");
        let listener = &listeners.all().unwrap()[0];
        let (_, mut outputs) = listeners.outputs_of(listener).unwrap().unwrap();
        outputs.fragments = vec![constant(0..3), constant(3..6), constant(0..3)];
        larder.apply("equal", &outputs).unwrap();
        let stored: Outputs = larder.load("equal").unwrap();
        let [one, two, three] = &stored.fragments[..] else { panic!("{stored:?}") };
        assert_eq!(one.data.digest(), two.data.digest(), "their files are equal");
        assert!(one.is_same(three) && !one.is_same(two));
    }
}
