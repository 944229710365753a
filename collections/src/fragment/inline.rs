//! Few rows within the manifest, as an Arrow IPC stream.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use larder_core::extend::catch_panic;
use larder_core::{BoxError, Result};

use super::file::bytes_of;
use crate::error::arrow_error;

/// Maximum rows that are written inline.
const MOST_ROWS: usize = 16;
/// Maximum bytes of the values that are written inline.
const MOST_BYTES: usize = 2_048;
/// Maximum bytes in memory of decoded rows that are kept: they may be a slice of a large batch.
const MOST_KEPT: usize = 65_536;
/// Alignment of the columns in a stream: the smallest that Arrow allows.
const ALIGNMENT: usize = 8;

/// Rows in the manifest. Cheap to clone; encoded and decoded once, and only if that is needed.
#[derive(Clone)]
pub(crate) struct InlineRows(Arc<Forms>);

#[derive(Default)]
struct Forms {
    batch: OnceLock<RecordBatch>,
    stream: OnceLock<Vec<u8>>,
}

impl InlineRows {
    /// Returns the rows, if they are few enough.
    pub(crate) fn of(batch: &RecordBatch) -> Option<Self> {
        let fits = batch.num_rows() <= MOST_ROWS && bytes_of(batch) <= MOST_BYTES;
        fits.then(|| Self(Arc::new(Forms { batch: batch.clone().into(), stream: OnceLock::new() })))
    }

    fn from_stream(stream: Vec<u8>) -> Self {
        Self(Arc::new(Forms { batch: OnceLock::new(), stream: stream.into() }))
    }

    /// Returns the rows as an Arrow IPC stream with one record batch.
    pub(crate) fn stream(&self) -> Result<&[u8]> {
        if let Some(stream) = self.0.stream.get() {
            return Ok(stream);
        }
        // Without a stream, there is a batch.
        let batch = self
            .batch()
            .map_err(|error| arrow_error("encode rows", ArrowError::from_external_error(error)))?;
        let stream = encode(&batch).map_err(|error| arrow_error("encode rows", error))?;
        Ok(self.0.stream.get_or_init(|| stream))
    }

    /// Decodes the rows.
    ///
    /// # Errors
    /// The bytes are not an Arrow IPC stream with one record batch without dictionaries.
    pub(crate) fn batch(&self) -> Result<RecordBatch, BoxError> {
        if let Some(batch) = self.0.batch.get() {
            return Ok(batch.clone());
        }
        let stream = self.0.stream.get().map_or(&[][..], Vec::as_slice);
        // The reader of Arrow may panic for forged bytes.
        let batch = catch_panic("the reader of Arrow", || decode(stream))??;
        Ok(self.0.batch.get_or_init(|| batch).clone())
    }

    /// Returns the same rows, without a large batch that they may be a slice of.
    pub(crate) fn without_large_batch(self) -> Self {
        let is_large = |batch: &RecordBatch| batch.get_array_memory_size() > MOST_KEPT;
        match (self.0.batch.get().is_some_and(is_large), self.0.stream.get()) {
            (true, Some(stream)) => Self::from_stream(stream.clone()),
            _ => self,
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.stream().map_or(0, |stream| stream.len() as u64)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let streams = || Some((self.stream().ok()?, other.stream().ok()?));
        Arc::ptr_eq(&self.0, &other.0) || streams().is_some_and(|(one, two)| one == two)
    }

    pub(crate) fn to_text(&self) -> Result<String> {
        Ok(BASE64_STANDARD.encode(self.stream()?))
    }

    pub(crate) fn from_text(text: &str) -> Result<Self, BoxError> {
        Ok(Self::from_stream(BASE64_STANDARD.decode(text)?))
    }
}

fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::try_new(ALIGNMENT, false, arrow_ipc::MetadataVersion::V5)?;
    let stream = Vec::with_capacity(2 * MOST_BYTES);
    let mut writer = StreamWriter::try_new_with_options(stream, batch.schema_ref(), options)?;
    writer.write(batch)?;
    writer.into_inner()
}

/// Decodes a stream. A forged length in it allocates nothing.
fn decode(stream: &[u8]) -> Result<RecordBatch, BoxError> {
    let (mut decoder, mut rest) = (StreamDecoder::new(), Buffer::from(stream));
    let batch = decoder.decode(&mut rest)?.ok_or("it has no record batch")?;
    let is_dictionary = |field: &&Field| matches!(field.data_type(), DataType::Dictionary(..));
    if batch.schema_ref().flattened_fields().iter().any(is_dictionary) {
        return Err("it has dictionaries, which fragments never have".into());
    }
    if decoder.decode(&mut rest)?.is_some() {
        return Err("it has several record batches, and fragments have one".into());
    }
    decoder.finish()?;
    Ok(batch)
}

impl fmt::Debug for InlineRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InlineRows({} bytes)", self.size())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{ArrayRef, DictionaryArray, Int64Array, StringArray};

    use super::super::samples::{each_damage, every_layout};
    use super::*;

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn numbers(rows: i64) -> RecordBatch {
        batch(vec![("a", Arc::new(Int64Array::from_iter_values(0..rows)))])
    }

    fn streams(batches: &[RecordBatch]) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), batches[0].schema_ref()).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.into_inner().unwrap()
    }

    #[test]
    fn few_rows_are_read_back_and_many_are_refused() {
        let rows = InlineRows::of(&numbers(3)).unwrap();
        let back = InlineRows::from_text(&rows.to_text().unwrap()).unwrap();
        assert_eq!(back.batch().unwrap(), numbers(3));
        assert!(rows.is_same(&back) && !rows.is_same(&InlineRows::of(&numbers(4)).unwrap()));
        assert!(InlineRows::of(&numbers(1_000)).is_none());
        let long = StringArray::from(vec!["long".repeat(1_000)]);
        assert!(InlineRows::of(&batch(vec![("a", Arc::new(long))])).is_none());
        // A slice counts as what it is, and what it is a slice of is not kept.
        let slice = InlineRows::of(&numbers(100_000).slice(500, 3)).unwrap();
        let text = slice.to_text().unwrap();
        let kept = slice.without_large_batch();
        assert!(kept.0.batch.get().is_none());
        assert_eq!(kept.to_text().unwrap(), text);
        assert!(kept.batch().unwrap().get_array_memory_size() < 10_000);
    }

    #[test]
    fn damaged_streams_are_errors_and_never_panic() {
        let refused = |stream: Vec<u8>| {
            InlineRows::from_stream(stream).batch().map_err(|error| error.to_string()).unwrap_err()
        };
        let one = streams(&[numbers(3)]);
        assert!(refused(streams(&[numbers(3), numbers(3)])).contains("several record batches"));
        let texts: DictionaryArray<Int32Type> = ["x", "y", "x"].into_iter().collect();
        let texts = streams(&[batch(vec![("a", Arc::new(texts))])]);
        assert!(refused(texts).contains("dictionaries"));
        for cut in [0, 5, one.len() / 2] {
            refused(one[..cut].to_vec());
        }
        let every = InlineRows::of(&every_layout()).unwrap();
        assert_eq!(decode(every.stream().unwrap()).unwrap(), every_layout());
        each_damage(every.stream().unwrap(), |bytes| {
            // Either an error or rows: the digest of the manifest decides whether the bytes are right.
            let _ = InlineRows::from_stream(bytes).batch();
        });
        assert!(InlineRows::from_text("no base64!").is_err());
    }
}
