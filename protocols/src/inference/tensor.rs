//! Types of tensors, and their elements as bytes and as JSON.

use std::fmt::Write as _;

use larder_core::BoxError;

/// A type of the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataType {
    /// `BOOL`.
    Bool,
    /// `UINT8`.
    Uint8,
    /// `UINT16`.
    Uint16,
    /// `UINT32`.
    Uint32,
    /// `UINT64`.
    Uint64,
    /// `INT8`.
    Int8,
    /// `INT16`.
    Int16,
    /// `INT32`.
    Int32,
    /// `INT64`.
    Int64,
    /// `FP16`.
    Fp16,
    /// `BF16`.
    Bf16,
    /// `FP32`.
    Fp32,
    /// `FP64`.
    Fp64,
    /// `BYTES`.
    Bytes,
}

/// The types with their names in the protocol, their names in NumPy, and their sizes in bytes; strings have none.
const TYPES: [(DataType, &str, &str, usize); 14] = [
    (DataType::Bool, "BOOL", "bool", 1),
    (DataType::Uint8, "UINT8", "uint8", 1),
    (DataType::Uint16, "UINT16", "uint16", 2),
    (DataType::Uint32, "UINT32", "uint32", 4),
    (DataType::Uint64, "UINT64", "uint64", 8),
    (DataType::Int8, "INT8", "int8", 1),
    (DataType::Int16, "INT16", "int16", 2),
    (DataType::Int32, "INT32", "int32", 4),
    (DataType::Int64, "INT64", "int64", 8),
    (DataType::Fp16, "FP16", "float16", 2),
    (DataType::Bf16, "BF16", "bfloat16", 2),
    (DataType::Fp32, "FP32", "float32", 4),
    (DataType::Fp64, "FP64", "float64", 8),
    (DataType::Bytes, "BYTES", "string", 0),
];

impl DataType {
    fn entry(self) -> &'static (Self, &'static str, &'static str, usize) {
        // Every type stands in the table, in the order of its declaration.
        &TYPES[self as usize]
    }

    /// Returns the name in the protocol.
    pub(crate) fn name(self) -> &'static str {
        self.entry().1
    }

    /// The size of an element in bytes; 0 for strings, each of which has its own.
    pub(crate) fn size(self) -> usize {
        self.entry().3
    }

    /// Returns the type with a name of the protocol.
    pub(crate) fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|entry| entry.1 == name).map(|entry| entry.0)
    }

    pub(crate) fn of_numpy(name: &str) -> Option<Self> {
        TYPES.iter().find(|entry| entry.2 == name).map(|entry| entry.0)
    }

    /// Returns the JSON of elements in little-endian bytes, one text each.
    ///
    /// # Errors
    /// If the bytes are no whole number of elements, or a string is not UTF-8.
    pub(crate) fn read(self, bytes: &[u8]) -> Result<Vec<String>, BoxError> {
        if self == Self::Bytes {
            return read_strings(bytes);
        }
        if !bytes.len().is_multiple_of(self.size()) {
            return Err("its bytes are no whole number of elements".into());
        }
        Ok(bytes.chunks_exact(self.size()).map(|element| self.json(element)).collect())
    }

    /// The JSON of one element, whose bytes are as many as its size.
    fn json(self, bytes: &[u8]) -> String {
        macro_rules! number {
            ($of:ty) => {
                bytes.try_into().map(<$of>::from_le_bytes).unwrap_or_default()
            };
        }
        match self {
            Self::Bool => (bytes[0] != 0).to_string(),
            Self::Uint8 => number!(u8).to_string(),
            Self::Uint16 => number!(u16).to_string(),
            Self::Uint32 => number!(u32).to_string(),
            Self::Uint64 => number!(u64).to_string(),
            Self::Int8 => number!(i8).to_string(),
            Self::Int16 => number!(i16).to_string(),
            Self::Int32 => number!(i32).to_string(),
            Self::Int64 => number!(i64).to_string(),
            Self::Fp16 => word(half::f16::from_bits(number!(u16)).to_f32()),
            Self::Bf16 => word(half::bf16::from_bits(number!(u16)).to_f32()),
            Self::Fp32 => word(number!(f32)),
            Self::Fp64 => word(number!(f64)),
            Self::Bytes => String::new(),
        }
    }

    /// Appends one element of JSON as little-endian bytes. `None` for a value of another type.
    pub(crate) fn write(self, value: &serde_json::Value, out: &mut Vec<u8>) -> Option<()> {
        macro_rules! integer {
            ($of:ty, $get:ident) => {
                out.extend(<$of>::try_from(value.$get()?).ok()?.to_le_bytes())
            };
        }
        match self {
            Self::Bool => out.push(u8::from(value.as_bool()?)),
            Self::Uint8 => integer!(u8, as_u64),
            Self::Uint16 => integer!(u16, as_u64),
            Self::Uint32 => integer!(u32, as_u64),
            Self::Uint64 => integer!(u64, as_u64),
            Self::Int8 => integer!(i8, as_i64),
            Self::Int16 => integer!(i16, as_i64),
            Self::Int32 => integer!(i32, as_i64),
            Self::Int64 => integer!(i64, as_i64),
            Self::Fp16 => out.extend(half::f16::from_f64(float(value)?).to_le_bytes()),
            Self::Bf16 => out.extend(half::bf16::from_f64(float(value)?).to_le_bytes()),
            Self::Fp32 => out.extend((float(value)? as f32).to_le_bytes()),
            Self::Fp64 => out.extend(float(value)?.to_le_bytes()),
            Self::Bytes => {
                let text = match value {
                    serde_json::Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                out.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
                out.extend(text.as_bytes());
            }
        }
        Some(())
    }
}

/// A number, also as one of the words of JSON without NaN.
fn float(value: &serde_json::Value) -> Option<f64> {
    match value {
        serde_json::Value::String(word) => match word.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        value => value.as_f64(),
    }
}

/// The shortest JSON that reads back as the same number.
fn word(number: impl Into<f64> + std::fmt::Display + Copy) -> String {
    let value: f64 = number.into();
    match value {
        value if value.is_nan() => "\"NaN\"".into(),
        f64::INFINITY => "\"Infinity\"".into(),
        f64::NEG_INFINITY => "\"-Infinity\"".into(),
        _ => {
            let mut text = String::new();
            // Writing to a String cannot fail.
            let _ = write!(text, "{number}");
            text
        }
    }
}

/// Strings, each after its length as u32.
fn read_strings(mut bytes: &[u8]) -> Result<Vec<String>, BoxError> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or("a string is cut short")?;
        let size = u32::from_le_bytes(*size) as usize;
        let text = rest.get(..size).ok_or("a string is cut short")?;
        let text = std::str::from_utf8(text).map_err(|_| "a string is not UTF-8")?;
        all.push(serde_json::to_string(text)?);
        bytes = &rest[size..];
    }
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_types() {
        for (kind, name, numpy, _) in TYPES {
            assert_eq!((kind.name(), DataType::named(name)), (name, Some(kind)));
            assert_eq!(DataType::of_numpy(numpy), Some(kind));
        }
    }

    #[test]
    fn elements_go_to_json_and_back() {
        for (kind, bytes, json) in [
            (DataType::Bool, vec![1], "true"),
            (DataType::Int8, vec![0xff], "-1"),
            (DataType::Uint64, u64::MAX.to_le_bytes().to_vec(), "18446744073709551615"),
            (DataType::Int64, i64::MIN.to_le_bytes().to_vec(), "-9223372036854775808"),
            (DataType::Fp32, 0.1_f32.to_le_bytes().to_vec(), "0.1"),
            (DataType::Fp64, f64::NAN.to_le_bytes().to_vec(), "\"NaN\""),
            (DataType::Fp16, half::f16::from_f32(0.5).to_le_bytes().to_vec(), "0.5"),
            (DataType::Bytes, b"\x02\0\0\0ab".to_vec(), "\"ab\""),
        ] {
            assert_eq!(kind.read(&bytes).unwrap(), [json], "{kind:?}");
            let value = serde_json::from_str(json).unwrap();
            let mut written = Vec::new();
            kind.write(&value, &mut written).unwrap();
            assert_eq!(written, bytes, "{kind:?}");
        }
        assert!(DataType::Fp32.read(&[0; 5]).is_err());
        assert!(DataType::Bytes.read(b"\xff\xff\xff\xffa").is_err());
        assert_eq!(DataType::Int8.write(&serde_json::json!(300), &mut Vec::new()), None);
    }
}
