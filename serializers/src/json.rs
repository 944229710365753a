//! JSON.

use std::io::Write;

use larder_core::BoxError;
use larder_core::guard::Rules;
use larder_core::serializers::FormatTraits;
use serde::Serialize;
use serde::de::DeserializeSeed;

use crate::format::{SerdeFormat, serde_format};

/// JSON, compact: for values that people or other tools are to read.
///
/// Named in manifests `json`. Specification: RFC 8259. What JSON cannot hold exactly is refused: NaN,
/// infinities, 128-bit integers, map keys that are not text, `Some(None)`.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl SerdeFormat for Json {
    const RULES: Rules = Rules::JSON;

    fn write<T: Serialize>(value: &T, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(out, value)?)
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = seed.deserialize(&mut deserializer)?;
        // White space may follow; anything else is said with its line and column.
        deserializer.end()?;
        Ok((value, true))
    }
}

serde_format!(Json, "json", FormatTraits::new(true, true, true));
