//! Arrow IPC files as artifacts.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array as _, ArrayRef, RecordBatch};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_ipc::convert::fb_to_schema;
use arrow_ipc::reader::{FileDecoder, read_footer_length};
use arrow_ipc::root_as_footer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType};
use bytes::Bytes;
use larder_core::extend::catch_panic;
use larder_core::{BoxError, Item, Result, Serializer};

use crate::error::arrow_error;

/// Bytes of the footer's length and of the magic that ends a file.
const TRAILER: usize = 10;

/// An Arrow IPC file with one record batch, as bytes.
///
/// Read from a store that keeps blobs as files, the bytes are mapped, and its batch refers to them.
#[derive(Clone)]
pub struct ArrowFile(Bytes);

impl ArrowFile {
    /// Encodes a batch.
    ///
    /// # Errors
    /// [`Error::Store`](larder_core::Error::Store) if Arrow cannot write it.
    pub fn of(batch: &RecordBatch) -> Result<Self> {
        let mut bytes = Vec::with_capacity(bytes_of(batch) + 4_096);
        let written = write(batch, &mut bytes);
        written.map_err(|error| arrow_error("encode rows as an Arrow file", error))?;
        Ok(Self(bytes.into()))
    }

    /// Returns the number of bytes.
    pub fn size(&self) -> u64 {
        self.0.len() as u64
    }

    /// Decodes the batch, without a copy where the bytes are aligned.
    ///
    /// # Errors
    /// The bytes are not an Arrow IPC file with one batch.
    pub fn batch(&self) -> Result<RecordBatch, BoxError> {
        // The reader of Arrow may panic for forged bytes.
        catch_panic("the reader of Arrow", || read(&self.0))?
    }
}

impl From<Bytes> for ArrowFile {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

/// Returns the bytes of the rows of a batch, which may be a slice of a larger one.
pub(crate) fn bytes_of(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(bytes_of_column).sum()
}

fn bytes_of_column(column: &ArrayRef) -> usize {
    let bits = |count: usize| count.div_ceil(8);
    let validity = column.nulls().map_or(0, |nulls| bits(nulls.len()));
    // Without a copy of the array's description, for the usual types.
    match column.data_type() {
        DataType::Boolean => bits(column.len()) + validity,
        DataType::Utf8 => bytes_of_parts(column.as_string::<i32>().offsets()) + validity,
        DataType::Binary => bytes_of_parts(column.as_binary::<i32>().offsets()) + validity,
        kind => match kind.primitive_width() {
            Some(width) => width * column.len() + validity,
            None => column.to_data().get_slice_memory_size().unwrap_or(0),
        },
    }
}

fn bytes_of_parts(offsets: &OffsetBuffer<i32>) -> usize {
    let (first, last) = (offsets.first().copied(), offsets.last().copied());
    let values = last.unwrap_or_default().abs_diff(first.unwrap_or_default());
    values as usize + (offsets.len() - 1) * size_of::<i32>()
}

fn write(batch: &RecordBatch, out: impl Write) -> Result<(), ArrowError> {
    let mut writer = FileWriter::try_new(out, batch.schema_ref())?;
    writer.write(batch)?;
    writer.finish()
}

fn read(bytes: &Bytes) -> Result<RecordBatch, BoxError> {
    let buffer = Buffer::from(bytes.clone());
    let trailer = buffer.len().checked_sub(TRAILER).ok_or("it is too short for an Arrow file")?;
    let length = read_footer_length(bytes[trailer..].try_into()?)?;
    let footer = trailer.checked_sub(length).ok_or("its footer is longer than the file")?;
    let footer = root_as_footer(&bytes[footer..trailer]).map_err(|error| error.to_string())?;
    let schema = fb_to_schema(footer.schema().ok_or("it has no schema")?);
    let decoder = FileDecoder::new(Arc::new(schema), footer.version());
    if footer.dictionaries().is_some_and(|all| !all.is_empty()) {
        return Err("it has dictionaries, which fragments never have".into());
    }
    let blocks = footer.recordBatches().ok_or("it has no record batch")?;
    if blocks.len() != 1 {
        return Err(
            format!("it has {} record batches, and fragments have one", blocks.len()).into()
        );
    }
    let block = blocks.get(0);
    let start = usize::try_from(block.offset())?;
    let length = usize::try_from(block.bodyLength())?
        .checked_add(usize::try_from(block.metaDataLength())?)
        .filter(|&length| start.checked_add(length).is_some_and(|end| end <= trailer))
        .ok_or("its record batch is longer than the file")?;
    let data = buffer.slice_with_length(start, length);
    decoder.read_record_batch(block, &data)?.ok_or_else(|| "its record batch is empty".into())
}

/// The serializer of Arrow IPC files, `arrow-ipc` in manifests. The blob is the file.
#[derive(Debug, Clone, Copy)]
pub struct ArrowIpc;

impl Serializer<ArrowFile> for ArrowIpc {
    const NAME: &'static str = "arrow-ipc";

    fn encode(value: &ArrowFile, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(&value.0)?)
    }

    fn decode(bytes: &Bytes) -> Result<ArrowFile, BoxError> {
        Ok(ArrowFile(bytes.clone()))
    }
}

/// A batch is encoded into what it is written to, without a copy in memory.
impl Serializer<RecordBatch> for ArrowIpc {
    const NAME: &'static str = <Self as Serializer<ArrowFile>>::NAME;

    fn encode(value: &RecordBatch, out: &mut dyn Write) -> Result<(), BoxError> {
        let mut out = BufWriter::new(out);
        write(value, &mut out)?;
        Ok(out.flush()?)
    }

    fn decode(bytes: &Bytes) -> Result<RecordBatch, BoxError> {
        ArrowFile(bytes.clone()).batch()
    }
}

larder_core::link!(Item::serializer::<ArrowFile, ArrowIpc>());

impl std::fmt::Debug for ArrowFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ArrowFile({} bytes)", self.0.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::{
        BinaryArray, BooleanArray, Decimal128Array, Int64Array, NullArray, StringArray,
    };

    use super::super::samples::{each_damage, every_layout};
    use super::*;

    #[test]
    fn bytes_are_those_that_arrow_counts() {
        let columns: [ArrayRef; 6] = [
            Arc::new(Int64Array::from_iter(vec![Some(1), None, Some(3), None, Some(5)])),
            Arc::new(BooleanArray::from(vec![true, false, true, true, false])),
            Arc::new(StringArray::from(vec![Some("one"), None, Some(""), Some("three"), None])),
            Arc::new(BinaryArray::from_vec(vec![b"1", b"22", b"333", b"4444", b"55555"])),
            Arc::new(Decimal128Array::from(vec![1, 2, 3, 4, 5])),
            Arc::new(NullArray::new(5)),
        ];
        for column in columns {
            for (start, length) in [(0, 5), (1, 3), (2, 0)] {
                let column = column.slice(start, length);
                let counted = column.to_data().get_slice_memory_size().unwrap();
                assert_eq!(bytes_of_column(&column), counted, "{column:?}");
            }
        }
    }

    #[test]
    fn a_file_is_read_back_and_damaged_bytes_never_panic() {
        let batch = every_layout();
        let file = ArrowFile::of(&batch).unwrap();
        assert_eq!(file.batch().unwrap(), batch);
        for cut in [0, 5, 10, 100, file.0.len() - 1] {
            assert!(ArrowFile(file.0.slice(..cut)).batch().is_err(), "{cut}");
        }
        each_damage(&file.0, |bytes| {
            // Either an error or a batch: the digest decides whether the bytes are right.
            let _ = ArrowFile(bytes.into()).batch();
        });
    }
}
