//! The JSON format.

use std::io::Write;

use larder_core::BoxError;
use larder_core::guard::Rules;
use larder_core::serializers::FormatTraits;
use serde::Serialize;
use serde::de::DeserializeSeed;

use crate::serde_format::{SerdeFormat, serde_format};

/// Compact JSON, readable by people and other tools.
///
/// Manifest name: `json`. Specification: RFC 8259. Rejects what JSON cannot represent exactly: NaN, infinities,
/// 128-bit integers, `Some(None)`, map keys other than text, integers, booleans and characters.
#[derive(Debug, Clone, Copy)]
pub struct Json;

impl SerdeFormat for Json {
    const RULES: Rules = Rules::JSON;

    fn write<T: Serialize, W: Write>(value: &T, out: &mut W) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(out, value)?)
    }

    fn read<'de, S: DeserializeSeed<'de>>(
        seed: S,
        bytes: &'de [u8],
    ) -> Result<(S::Value, bool), BoxError> {
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let value = seed.deserialize(&mut deserializer)?;
        // Accepts trailing white space; reports anything else with line and column.
        deserializer.end()?;
        Ok((value, true))
    }
}

serde_format!(Json, "json", FormatTraits::new(true, true, true));
