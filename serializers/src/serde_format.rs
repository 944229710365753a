//! Implementation of `Serializer` and `Format` for serde formats.

use std::cell::Cell;
use std::io::{self, Write};

use larder_core::BoxError;
use larder_core::guard::{Guard, GuardError, Refusal, Rules, uses};
use serde::Serialize;
use serde::de::DeserializeSeed;

use crate::buffer::Buffer;

/// A serde format.
pub(crate) trait SerdeFormat {
    /// Limits of the guard.
    const RULES: Rules;

    /// Tells the guard what is special about the format.
    fn prepare(guard: Guard) -> Guard {
        guard
    }

    /// Encodes `value`, which is already guarded.
    fn write<T: Serialize, W: Write>(value: &T, out: &mut W) -> Result<(), BoxError>;

    /// Decodes a value from the start of `bytes`; returns `true` with it if no bytes are left.
    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError>;
}

/// Encodes a value with a guard.
pub(crate) fn write<F: SerdeFormat, T: Serialize + ?Sized>(
    value: &T,
    out: &mut dyn Write,
) -> Result<(), BoxError> {
    let written = Cell::new(0);
    let attempt = |guard, out: Buffer<'_>| uses::collect(|| encode::<F, T>(guard, value, out));
    let (encoded, referred) = match attempt(Guard::new(F::RULES), Buffer::new(out, &written)) {
        // A length was declared wrongly: they are counted first, and then written.
        (Err(error), _)
            if matches!(error.refusal(), Some(Refusal::Count { .. })) && written.get() == 0 =>
        {
            let (mut nowhere, counted) = (io::sink(), Cell::new(0));
            let counting = Guard::counting(F::RULES);
            let (counting, _) = attempt(counting, Buffer::new(&mut nowhere, &counted));
            attempt(counting?.corrected(), Buffer::new(out, &written))
        }
        first => first,
    };
    encoded?;
    // References of failed attempts are dropped.
    referred.into_iter().for_each(uses::add);
    Ok(())
}

fn encode<F: SerdeFormat, T: Serialize + ?Sized>(
    guard: Guard,
    value: &T,
    out: Buffer<'_>,
) -> Result<Guard, GuardError> {
    let guard = F::prepare(guard);
    let written = out.written();
    let mut out = guard.output(out);
    F::write(&guard.value(value), &mut out)
        .and_then(|()| Ok(out.finish()?.finish()?))
        .map_err(|error| guard.error(error))?;
    guard.finish(written.get())?;
    Ok(guard)
}

/// Decodes a value with a guard.
///
/// # Errors
/// The format's error, or trailing bytes.
pub(crate) fn read<'de, F: SerdeFormat, S: DeserializeSeed<'de>>(
    seed: S,
    bytes: &'de [u8],
) -> Result<S::Value, BoxError> {
    let guard = F::prepare(Guard::for_bytes(F::RULES, bytes.len()));
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

            fn compare(value: &T, read: &T) -> Option<Result<(), larder_core::BoxError>> {
                let rules = <Self as $crate::serde_format::SerdeFormat>::RULES;
                Some(larder_core::guard::compare(rules, value, read).map_err(Into::into))
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
