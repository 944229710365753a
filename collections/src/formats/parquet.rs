//! Parquet.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field as ArrowField, Schema as ArrowSchema};
use larder_core::extend::catch_panic;
use larder_core::{Error, Result};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::ChunkReader;

use crate::Schema;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;
/// Bytes of rows that are passed on at a time; a row has no more.
const MOST_PIECE: u64 = 64 << 20;
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
    let load = || {
        let plain = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())?;
        let fields: Vec<ArrowField> =
            plain.schema().fields().iter().map(|field| viewed(field)).collect();
        let schema = ArrowSchema::new(fields).with_metadata(plain.schema().metadata().clone());
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        // Types that cannot be read as views are read as they are.
        Ok::<_, ParquetError>(
            ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options).unwrap_or(plain),
        )
    };
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
    let mut waiting: Option<RecordBatch> = None;
    Ok(Box::new(std::iter::from_fn(move || {
        let batch = match waiting.take() {
            Some(batch) => batch,
            None => match catch_panic("the reader of Parquet", || reader.next()) {
                Ok(batch) => match batch? {
                    Ok(batch) => batch,
                    Err(error) => return Some(Err(wrong(&name, error))),
                },
                Err(panic) => return Some(Err(wrong(&name, panic))),
            },
        };
        // Texts of a dictionary are shared until they are copied, so as many rows are copied as stay small.
        let mut rows = batch.num_rows();
        let mut bytes = batch_bytes(&batch);
        while bytes > MOST_PIECE && rows > 1 {
            rows = rows.div_ceil(2);
            bytes = batch_bytes(&batch.slice(0, rows));
        }
        if rows < batch.num_rows() {
            waiting = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        total = total.saturating_add(bytes);
        if bytes > MOST_PIECE {
            return Some(Err(bomb(
                &name,
                format!("one row takes {bytes} bytes, and {MOST_PIECE} are the most"),
            )));
        }
        if total > ALWAYS.saturating_mul(16).max(size.saturating_mul(MOST_GROWTH)) {
            let reason =
                format!("{total} bytes of rows come from {size} bytes, which looks like a bomb");
            return Some(Err(bomb(&name, reason)));
        }
        Some(Ok(batch.slice(0, rows)))
    })))
}

fn batch_bytes(batch: &RecordBatch) -> u64 {
    batch.columns().iter().map(|column| bytes_of(column)).sum()
}

/// Returns the bytes of a column once its texts are copied.
fn bytes_of(column: &dyn Array) -> u64 {
    let views = |lengths: &mut dyn Iterator<Item = u32>| lengths.map(u64::from).sum::<u64>();
    match column.data_type() {
        DataType::Utf8View => views(&mut column.as_string_view().lengths()),
        DataType::BinaryView => views(&mut column.as_binary_view().lengths()),
        DataType::Struct(_) => {
            column.as_struct().columns().iter().map(|column| bytes_of(column)).sum()
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (start, end) = (offsets[0] as usize, offsets[lists.len()] as usize);
            bytes_of(&lists.values().slice(start, end - start))
        }
        _ => column.to_data().get_slice_memory_size().unwrap_or(0) as u64,
    }
}

/// Returns a type in which the texts of a dictionary are not copied for each row.
fn viewed(field: &ArrowField) -> ArrowField {
    let kind = match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) => match &**value {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            other => other.clone(),
        },
        DataType::List(item) => DataType::List(Arc::new(viewed(item))),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| viewed(field)).collect())
        }
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
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
            rows = rows.min((MOST_PIECE / of_a_row).max(1));
        }
    }
    Ok(usize::try_from(rows).unwrap_or(BATCH_ROWS))
}
