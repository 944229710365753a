//! Adding fragments, and merging small ones.

use arrow_array::{Array, RecordBatch};
use larder_core::store::Digest;
use larder_core::{Artifact, Result};

use super::rows::schema_of;
use super::view::{Fragment, read};
use super::{NewRows, OutputFragment, Outputs};
use larder_collections::ArrowFile;
use larder_collections::extend::FragmentCache;
use larder_collections::extend::arrow_error;

/// Maximum bytes of a fragment that is merged with another.
const MOST_BYTES: u64 = 32 << 20;

/// Adds rows as a fragment of `model`.
///
/// A fragment that is not much larger than the one after it is merged with it, so that there are few of each size: the
/// number of fragments grows with the logarithm of the rows, and a row is written that often.
pub(crate) fn append(
    outputs: &mut Outputs,
    rows: &NewRows,
    model: Option<Digest>,
    cache: &FragmentCache,
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let column =
        outputs.column.as_ref().map_or(arrow_schema::DataType::Null, |it| it.arrow().clone());
    let mut batch = rows.batch(&column)?;
    while let Some(last) = outputs.fragments.last() {
        let size = batch.get_array_memory_size() as u64;
        let is_small = last.rows / 2 <= batch.num_rows() as u64;
        if last.model != model || !is_small || last.bytes + size > MOST_BYTES {
            break;
        }
        let older = read(last, cache, || "a fragment of outputs".into())?;
        // Outputs whose column was not known yet have no values.
        if older.values().data_type() != batch.column(4).data_type() {
            break;
        }
        batch = merged(&older, &batch)?;
        outputs.fragments.pop();
    }
    outputs.fragments.push(fragment(&batch, model)?);
    Ok(())
}

fn fragment(batch: &RecordBatch, model: Option<Digest>) -> Result<OutputFragment> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    let rows = batch.column(0).as_primitive::<UInt64Type>().values();
    let file = ArrowFile::of(batch)?;
    Ok(OutputFragment {
        rows: rows.len() as u64,
        first: rows.first().copied().unwrap_or_default(),
        last: rows.last().copied().unwrap_or_default(),
        bytes: file.size(),
        data: Artifact::new(file),
        model,
    })
}

/// Merges two batches; of a row that both have, the newer stays.
fn merged(older: &Fragment, newer: &RecordBatch) -> Result<RecordBatch> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::UInt64Type;
    let old = older.rows();
    let new: &[u64] = newer.column(0).as_primitive::<UInt64Type>().values();
    let mut order = Vec::with_capacity(old.len() + new.len());
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
    let failed = |error| arrow_error("merge outputs", error);
    let pairs = older.batch().columns().iter().zip(newer.columns());
    let columns: Result<Vec<_>> = pairs
        .map(|(one, two)| {
            let arrays: [&dyn Array; 2] = [one, two];
            arrow_select::interleave::interleave(&arrays, &order).map_err(failed)
        })
        .collect();
    let schema = schema_of(newer.column(4).data_type());
    RecordBatch::try_new(std::sync::Arc::new(schema), columns?).map_err(failed)
}
