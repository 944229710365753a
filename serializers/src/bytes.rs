//! Plain bytes.

use std::io::Write;

use larder_core::bytes::Bytes;
use larder_core::{BoxError, Item, Serializer, link};

/// The bytes themselves: `Bytes` and `Vec<u8>`.
///
/// Named in manifests `bytes`. The blob is the value, to the byte. As [`Bytes`] it is loaded without a
/// copy: mapped, if the store maps.
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
