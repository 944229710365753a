//! Implementation of `Serializer` and `Format` for serde formats.

use std::io::{self, Write};

use larder_core::BoxError;
use larder_core::guard::{Guard, Rules};
use serde::Serialize;
use serde::de::DeserializeSeed;

/// A serde format.
pub(crate) trait SerdeFormat {
    /// Limits of the guard.
    const RULES: Rules;

    /// Tells the guard of an encoding how the format writes lengths, if that is needed.
    fn prepare(guard: Guard) -> Guard {
        guard
    }

    /// Encodes `value`, which is already guarded.
    fn write<T: Serialize>(value: &T, out: &mut dyn Write) -> Result<(), BoxError>;

    /// Decodes a value from the start of `bytes`; returns `true` with it if no bytes are left.
    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError>;
}

/// Size of the write buffer, in bytes.
const BUFFER: usize = 64 * 1024;

/// Encodes a value with a guard.
pub(crate) fn write<F: SerdeFormat, T: Serialize + ?Sized>(
    value: &T,
    out: &mut dyn Write,
) -> Result<(), BoxError> {
    let guard = F::prepare(Guard::new(F::RULES));
    let mut out = guard.output(io::BufWriter::with_capacity(BUFFER, out));
    F::write(&guard.value(value), &mut out).map_err(|error| guard.error(error))?;
    let written = out.finish()?;
    Ok(guard.finish(written)?)
}

/// Decodes a value with a guard.
///
/// # Errors
/// The format's error, or trailing bytes.
pub(crate) fn read<'de, F: SerdeFormat, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
) -> Result<S::Value, BoxError> {
    let guard = Guard::for_bytes(F::RULES, bytes.len());
    let read = F::read(guard.seed(seed), bytes);
    let (value, at_end) = read.map_err(|error| guard.error(error))?;
    if at_end { Ok(value) } else { Err("trailing bytes after the value".into()) }
}

/// Implements `Serializer` and `Format` for a [`SerdeFormat`], and registers it.
macro_rules! serde_format {
    ($format:ident, $name:literal, $traits:expr) => {
        impl<T: serde::Serialize + serde::de::DeserializeOwned> larder_core::Serializer<T>
            for $format
        {
            const NAME: &'static str = $name;

            fn encode(
                value: &T,
                out: &mut dyn std::io::Write,
            ) -> Result<(), larder_core::BoxError> {
                $crate::serde_format::write::<Self, T>(value, out)
            }

            fn decode(bytes: &larder_core::bytes::Bytes) -> Result<T, larder_core::BoxError> {
                $crate::serde_format::read::<Self, _>(std::marker::PhantomData, bytes)
            }

            fn encode_by(
                format: &dyn larder_core::serializers::Format,
                value: &T,
                out: &mut dyn std::io::Write,
            ) -> Option<Result<(), larder_core::BoxError>> {
                Some(format.encode(value, out))
            }

            fn decode_by(
                format: &dyn larder_core::serializers::Format,
                bytes: &larder_core::bytes::Bytes,
            ) -> Option<Result<T, larder_core::BoxError>> {
                Some(format.read(bytes))
            }
        }

        impl larder_core::serializers::Format for $format {
            fn name(&self) -> &str {
                $name
            }

            fn traits(&self) -> larder_core::serializers::FormatTraits {
                $traits
            }

            fn encode(
                &self,
                value: &dyn erased_serde::Serialize,
                out: &mut dyn std::io::Write,
            ) -> Result<(), larder_core::BoxError> {
                $crate::serde_format::write::<Self, _>(value, out)
            }

            fn decode(
                &self,
                bytes: &larder_core::bytes::Bytes,
                read: &mut larder_core::serializers::ReadWith<'_>,
            ) -> Result<(), larder_core::BoxError> {
                $crate::serde_format::read::<Self, _>(
                    larder_core::serializers::ErasedSeed(read),
                    bytes,
                )
            }
        }

        larder_core::link!(larder_core::Item::format($format));
    };
}

pub(crate) use serde_format;
