//! Raw bytes.

use std::io::Write;

use larder_core::bytes::Bytes;
use larder_core::{BoxError, Item, Serializer, link};

/// Raw bytes, for `Bytes` and `Vec<u8>`.
///
/// Manifest name: `bytes`. The blob is the value. [`Bytes`] are loaded without a copy, and memory-mapped if the
/// store supports it.
#[derive(Debug, Clone, Copy)]
pub struct RawBytes;

impl Serializer<Bytes> for RawBytes {
    const NAME: &'static str = "bytes";

    fn encode(value: &Bytes, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(value)?)
    }

    fn decode(bytes: &Bytes) -> Result<Bytes, BoxError> {
        Ok(bytes.clone())
    }
}

impl Serializer<Vec<u8>> for RawBytes {
    const NAME: &'static str = "bytes";

    fn encode(value: &Vec<u8>, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(value)?)
    }

    fn decode(bytes: &Bytes) -> Result<Vec<u8>, BoxError> {
        Ok(bytes.to_vec())
    }
}

link!(Item::serializer::<Bytes, RawBytes>());
link!(Item::serializer::<Vec<u8>, RawBytes>());
