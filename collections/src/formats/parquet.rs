//! Parquet.

use arrow_array::{Array, RecordBatch};
use larder_core::extend::catch_panic;
use larder_core::{Error, Result};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use crate::Schema;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Bytes of a batch in memory.
const MOST_BATCH: u64 = 256 << 20;
/// Bytes that a part of a file may always become.
const ALWAYS: u64 = 64 << 20;
/// How many times its size a larger part may become.
const MOST_GROWTH: u64 = 1_000;

fn wrong(name: &str, error: impl std::fmt::Display) -> Error {
    Error::Refused {
        action: format!("read rows of {name}"),
        reason: format!("it is not a sound parquet file: {error}"),
    }
}

fn bomb(name: &str, reason: String) -> Error {
    Error::Refused {
        action: format!("read rows of {name}"),
        reason: format!("{reason}; write it again with smaller row groups, or less repetition"),
    }
}

fn metadata(file: &impl ChunkReader, name: &str) -> Result<ArrowReaderMetadata> {
    let load = || ArrowReaderMetadata::load(file, ArrowReaderOptions::new());
    catch_panic("the reader of Parquet", load)
        .map_err(|panic| wrong(name, panic))?
        .map_err(|error| wrong(name, error))
}

pub(super) fn schema(file: impl ChunkReader + 'static, name: &str) -> Result<Schema> {
    Schema::of_arrow(metadata(&file, name)?.schema())
}

/// Returns the batches of a file. A file whose rows take far more memory than the file says is refused.
pub(super) fn batches(
    file: impl ChunkReader + 'static,
    name: String,
) -> Result<Box<dyn Iterator<Item = Result<RecordBatch>>>> {
    let size = file.len();
    let metadata = metadata(&file, &name)?;
    let rows = checked_rows(metadata.metadata(), size, &name)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let build = move || builder.with_batch_size(rows).build();
    let reader =
        catch_panic("the reader of Parquet", build).map_err(|panic| wrong(&name, panic))?;
    let mut reader = reader.map_err(|error| wrong(&name, error))?;
    let mut total = 0u64;
    Ok(Box::new(std::iter::from_fn(move || {
        let batch = match catch_panic("the reader of Parquet", || reader.next()) {
            Ok(batch) => batch?,
            Err(panic) => return Some(Err(wrong(&name, panic))),
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return Some(Err(wrong(&name, error))),
        };
        let bytes =
            batch.columns().iter().map(|column| column.get_array_memory_size() as u64).sum::<u64>();
        total = total.saturating_add(bytes);
        if bytes > MOST_BATCH
            || total > ALWAYS.saturating_mul(16).max(size.saturating_mul(MOST_GROWTH))
        {
            let reason =
                format!("{total} bytes of rows come from {size} bytes, which looks like a bomb");
            return Some(Err(bomb(&name, reason)));
        }
        Some(Ok(batch))
    })))
}

/// Returns how many rows to read at a time, by what the file says of itself.
fn checked_rows(metadata: &ParquetMetaData, size: u64, name: &str) -> Result<usize> {
    let mut rows = BATCH_ROWS as u64;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let group_rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX).max(1);
        for column in group.columns() {
            let of = |value: i64| u64::try_from(value).unwrap_or(u64::MAX);
            let (packed, unpacked) = (of(column.compressed_size()), of(column.uncompressed_size()));
            let values = of(column.num_values());
            let path = column.column_path().string();
            let limit = ALWAYS.max(packed.min(size).saturating_mul(MOST_GROWTH));
            // A value in memory has 4 bytes at least, whatever the encoding.
            let in_memory = unpacked.max(values.saturating_mul(4));
            if packed > size || unpacked > limit || in_memory > limit.saturating_mul(16) {
                let reason = format!(
                    "the column `{path}` of row group {} has {packed} bytes, and {in_memory} when it is read",
                    number + 1
                );
                return Err(bomb(name, reason));
            }
            // Lists: as many rows as leave the batch small.
            let of_a_row = in_memory / group_rows + 1;
            rows = rows.min((MOST_BATCH / 4 / of_a_row).max(1));
        }
    }
    Ok(usize::try_from(rows).unwrap_or(BATCH_ROWS))
}
