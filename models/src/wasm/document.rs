//! Documents: inputs and outputs of guests, converted from and to any serde format.

use std::cell::RefCell;

use larder_core::bytes::Bytes;
use larder_core::guard::GuardError;
use larder_core::{BoxError, Error, Result};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::error::WasmError;
use super::interface::GuestFormat;
use super::transcode::Transcoder;

/// Maximum depth of JSON passed through unchanged; the same as a guard's.
const MAX_DEPTH: usize = 120;

impl GuestFormat {
    /// Transcodes an input to a document.
    pub(super) fn encode_input<'de, D: Deserializer<'de>>(
        self,
        input: D,
    ) -> Result<Vec<u8>, BoxError> {
        let mut document = Vec::new();
        self.codec().encode(&Transcoder::new(input), &mut document)?;
        Ok(document)
    }

    /// Validates the output of a guest.
    pub(super) fn parse_output(self, output: Vec<u8>) -> Result<Document, WasmError> {
        let bytes = Bytes::from(output);
        match self.codec().read::<Shape>(&bytes) {
            Ok(Shape { rows }) => Ok(Document { format: self, bytes, rows }),
            Err(source) => Err(WasmError::Document { format: self.name(), source }),
        }
    }

    /// Transcodes a sequence of inputs to documents.
    pub(super) fn encode_rows<'de, D: Deserializer<'de>>(self, inputs: D) -> Result<Vec<Vec<u8>>> {
        let failed = RefCell::new(None);
        let rows = inputs.deserialize_seq(Rows { format: self, failed: &failed });
        rows.map_err(|error| match failed.take() {
            Some((row, error)) => {
                let (path, source) = parts(error);
                let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                Error::Input { path: format!("[{row}]{dot}{path}"), source }
            }
            None => Error::Input { path: String::new(), source: error.to_string().into() },
        })
    }

    /// Joins documents to an array.
    pub(super) fn join_rows(self, rows: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, WasmError> {
        let mut array =
            Vec::with_capacity(rows.iter().map(|row| row.as_ref().len() + 1).sum::<usize>() + 5);
        match self {
            Self::Json => {
                array.push(b'[');
                for (at, row) in rows.iter().enumerate() {
                    if at > 0 {
                        array.push(b',');
                    }
                    array.extend_from_slice(row.as_ref());
                }
                array.push(b']');
            }
            // `array 32`: https://github.com/msgpack/msgpack/blob/master/spec.md
            Self::MsgPack => {
                let len = u32::try_from(rows.len())
                    .map_err(|error| WasmError::Host { source: error.into() })?;
                array.push(0xdd);
                array.extend_from_slice(&len.to_be_bytes());
                rows.iter().for_each(|row| array.extend_from_slice(row.as_ref()));
            }
        }
        Ok(array)
    }
}

/// Converts the error of an input, with its path.
pub(super) fn input_error(error: BoxError) -> Error {
    let (path, source) = parts(error);
    Error::Input { path, source }
}

fn parts(error: BoxError) -> (String, BoxError) {
    match error.downcast::<GuardError>() {
        Ok(error) => error.into_parts(),
        Err(error) => (String::new(), error),
    }
}

/// A valid document.
pub(super) struct Document {
    format: GuestFormat,
    bytes: Bytes,
    /// Number of elements of an array.
    rows: Option<usize>,
}

impl Document {
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Returns the number of elements of an array, otherwise 0.
    pub(super) fn rows(&self) -> usize {
        self.rows.unwrap_or_default()
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (mut serializer, mut written) = (Some(serializer), None);
        let read = self.format.codec().decode(&self.bytes, &mut |document| {
            if let Some(serializer) = serializer.take() {
                written = Some(Transcoder::new(document).serialize(serializer));
            }
            Ok(())
        });
        match (written, read) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(error)) => Err(S::Error::custom(error)),
            (Some(written), Ok(())) => written,
            (None, Ok(())) => Err(S::Error::custom("the document is empty")),
        }
    }
}

/// Checks that a text is one JSON document that is not nested too deep.
pub(super) fn check_json(text: &str) -> Result<(), BoxError> {
    check_depth(text)?;
    serde_json::from_str::<IgnoredAny>(text)?;
    Ok(())
}

/// Splits a JSON array into its elements.
pub(super) fn json_rows(text: &str) -> Result<Vec<&RawValue>, BoxError> {
    check_depth(text)?;
    Ok(serde_json::from_str(text)?)
}

/// Validates the JSON output of a guest.
pub(super) fn json_text(output: Vec<u8>) -> Result<String, WasmError> {
    let wrong = |source| WasmError::Document { format: GuestFormat::Json.name(), source };
    let text = String::from_utf8(output).map_err(|error| wrong(error.into()))?;
    check_json(&text).map_err(wrong)?;
    Ok(text)
}

fn check_depth(text: &str) -> Result<(), BoxError> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(format!("nested deeper than {MAX_DEPTH} levels").into());
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Outer shape of a document; deserializing it reads the whole document.
struct Shape {
    rows: Option<usize>,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

macro_rules! scalars {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E>(self, _: $type) -> Result<Shape, E> {
            Ok(Shape { rows: None })
        })*
    };
}

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document")
    }

    scalars! {
        visit_bool: bool,
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f64: f64,
        visit_str: &str,
        visit_bytes: &[u8],
    }

    fn visit_none<E>(self) -> Result<Shape, E> {
        Ok(Shape { rows: None })
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape { rows: None })
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Shape, D::Error> {
        Shape::deserialize(inner)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Shape, D::Error> {
        Shape::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut rows = 0;
        while seq.next_element::<Shape>()?.is_some() {
            rows += 1;
        }
        Ok(Shape { rows: Some(rows) })
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        while map.next_entry::<Shape, Shape>()?.is_some() {}
        Ok(Shape { rows: None })
    }
}

/// Reads a sequence of inputs into documents.
struct Rows<'a> {
    format: GuestFormat,
    failed: &'a RefCell<Option<(usize, BoxError)>>,
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = Vec<Vec<u8>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a sequence of inputs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        loop {
            let seed = Row { format: self.format, index: rows.len(), failed: self.failed };
            match seq.next_element_seed(seed)? {
                Some(row) => rows.push(row),
                None => return Ok(rows),
            }
        }
    }
}

struct Row<'a> {
    format: GuestFormat,
    index: usize,
    failed: &'a RefCell<Option<(usize, BoxError)>>,
}

impl<'de> DeserializeSeed<'de> for Row<'_> {
    type Value = Vec<u8>;

    fn deserialize<D: Deserializer<'de>>(self, row: D) -> Result<Vec<u8>, D::Error> {
        self.format.encode_input(row).map_err(|error| {
            let text = error.to_string();
            *self.failed.borrow_mut() = Some((self.index, error));
            serde::de::Error::custom(text)
        })
    }
}
