//! The postcard 1 format.

use std::io::Write;

use larder_core::BoxError;
use larder_core::guard::Rules;
use larder_core::serializers::FormatTraits;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeSeed;

use crate::serde_format::{SerdeFormat, serde_format};

/// postcard 1, the smallest format.
///
/// Manifest name: `postcard1`. Specification: <https://postcard.jamesmunns.com/wire-format>. A type that changed
/// cannot decode older bytes.
#[derive(Debug, Clone, Copy)]
pub struct Postcard;

impl SerdeFormat for Postcard {
    const RULES: Rules = Rules::BINARY;

    fn write<T: Serialize, W: Write>(value: &T, out: &mut W) -> Result<(), BoxError> {
        let mut sink = Sink { out, failure: None };
        let mut serializer = postcard::Serializer { output: &mut sink };
        let written = value.serialize(&mut serializer);
        match sink.failure {
            Some(failure) => Err(failure.into()),
            None => Ok(written?),
        }
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError> {
        let mut deserializer = postcard::Deserializer::from_bytes(bytes);
        let value = seed.deserialize(&mut deserializer)?;
        Ok((value, deserializer.finalize()?.is_empty()))
    }
}

/// Writes postcard's bytes to `out`, and keeps its I/O error, which postcard's error type cannot hold.
struct Sink<'a, W> {
    out: &'a mut W,
    failure: Option<std::io::Error>,
}

impl<W: Write> Flavor for &mut Sink<'_, W> {
    type Output = ();

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.out.write_all(bytes).map_err(|error| {
            self.failure = Some(error);
            postcard::Error::SerializeBufferFull
        })
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

serde_format!(Postcard, "postcard1", FormatTraits::new(false, false, true));
