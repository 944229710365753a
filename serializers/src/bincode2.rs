//! The bincode 2 format.

use std::io::Write;

use larder_core::BoxError;
use larder_core::guard::Rules;
use larder_core::serializers::FormatTraits;
use serde::Serialize;
use serde::de::DeserializeSeed;

use crate::serde_format::{SerdeFormat, serde_format};

/// bincode 2 in its standard configuration: little endian, variable-length integers.
///
/// Manifest name: `bincode2-standard`. Specification: `docs/spec.md` of bincode 2.0.1. For existing data only:
/// bincode is unmaintained (RUSTSEC-2025-0141). A type that changed cannot decode older bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bincode;

/// Maximum length, in bytes, that bincode accepts; the input's length bounds it further.
const MAX_BYTES: usize = 1 << 40;

impl SerdeFormat for Bincode {
    const RULES: Rules = Rules::BINARY;

    fn write<T: Serialize, W: Write>(value: &T, out: &mut W) -> Result<(), BoxError> {
        let config = bincode::config::standard().with_limit::<MAX_BYTES>();
        bincode::serde::encode_into_std_write(value, out, config)?;
        Ok(())
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError> {
        let config = bincode::config::standard().with_limit::<MAX_BYTES>();
        let (value, used) = bincode::serde::seed_decode_from_slice(seed, bytes, config)?;
        Ok((value, used == bytes.len()))
    }
}

serde_format!(Bincode, "bincode2-standard", FormatTraits::new(false, false, true));
