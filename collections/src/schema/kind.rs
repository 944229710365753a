//! Types of fields: their texts in manifests, and the Arrow types behind them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, Fields, TimeUnit};
use larder_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::kind_text;

/// Maximum nesting of lists and structs.
pub(super) const MOST_DEPTH: usize = 32;
/// Maximum length of a vector.
pub(super) const MOST_LENGTH: i32 = 1 << 20;

/// The type of a field.
///
/// | text | Arrow |
/// | --- | --- |
/// | `bool` | Boolean |
/// | `int8` … `int64`, `uint8` … `uint64` | integers |
/// | `float16`, `float32`, `float64` | floating-point numbers |
/// | `decimal(P, S)` | Decimal128 |
/// | `text`, `bytes`, `bytes(N)` | Utf8, Binary, FixedSizeBinary |
/// | `date`, `time(UNIT)` | Date32; Time32 for `s` and `ms`, Time64 for `us` and `ns` |
/// | `timestamp(UNIT)`, `timestamp(UNIT, ZONE)` | Timestamp |
/// | `duration(UNIT)` | Duration |
/// | `list<T>`, `vector<T, N>` | List, FixedSizeList |
/// | `struct<NAME: T, …>`, `map<T>` | Struct; Map from texts |
///
/// `T?` may be null. `vector<N>` is `vector<float32, N>`; `int`, `float` and `string` are short for `int64`, `float64` and
/// `text`.
///
/// ```
/// use larder_collections::FieldType;
///
/// let vector: FieldType = "vector<384>".parse()?;
/// assert_eq!(vector.to_string(), "vector<float32, 384>");
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FieldType(DataType);

impl FieldType {
    /// Returns the field type of an Arrow type: views, dictionaries and large types become their plain type.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for unions, run ends, intervals, 256-bit decimals and maps whose keys are not texts.
    pub fn of(arrow: &DataType) -> Result<Self> {
        match canonical(arrow, 0) {
            Some(kind) => Ok(Self(kind)),
            None => Err(Error::invalid(
                "field type",
                &arrow.to_string(),
                "a collection has no such type; cast the column to another one",
            )),
        }
    }

    /// Returns the Arrow type.
    pub fn arrow(&self) -> &DataType {
        &self.0
    }

    /// Returns the length, if it is a vector of `float32`.
    pub fn vector_length(&self) -> Option<usize> {
        match &self.0 {
            DataType::FixedSizeList(item, length) if *item.data_type() == DataType::Float32 => {
                usize::try_from(*length).ok()
            }
            _ => None,
        }
    }

    /// Returns true if a field of this type can be the key.
    pub fn can_be_key(&self) -> bool {
        self.0.is_integer()
            || matches!(
                self.0,
                DataType::Utf8
                    | DataType::Binary
                    | DataType::FixedSizeBinary(_)
                    | DataType::Date32
                    | DataType::Timestamp(..)
            )
    }

    /// Returns true if every value of `self` is one of `wider` as well.
    pub fn widens_to(&self, wider: &Self) -> bool {
        widens(&self.0, &wider.0)
    }
}

fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType::{FixedSizeList, List, Struct};
    if from == to {
        return true;
    }
    match (from, to) {
        (DataType::Float16, DataType::Float32 | DataType::Float64) => true,
        (DataType::Float32, DataType::Float64) => true,
        (from, to) if from.is_integer() && to.is_integer() => match (bits(from), bits(to)) {
            ((true, from), (true, to)) | ((false, from), (false, to)) => from <= to,
            ((false, from), (true, to)) => from < to,
            ((true, _), (false, _)) => false,
        },
        (from, DataType::Float64) if from.is_integer() => bits(from).1 <= 32,
        (from, DataType::Float32) if from.is_integer() => bits(from).1 <= 16,
        (DataType::Date32, DataType::Timestamp(_, None)) => true,
        (List(from), List(to)) => item_widens(from, to),
        (FixedSizeList(from, n), FixedSizeList(to, m)) => n == m && item_widens(from, to),
        (Struct(from), Struct(to)) => {
            from.iter()
                .all(|old| to.iter().any(|new| new.name() == old.name() && item_widens(old, new)))
                && to
                    .iter()
                    .all(|new| new.is_nullable() || from.iter().any(|old| old.name() == new.name()))
        }
        _ => false,
    }
}

fn item_widens(from: &ArrowField, to: &ArrowField) -> bool {
    (to.is_nullable() || !from.is_nullable()) && widens(from.data_type(), to.data_type())
}

/// Returns whether an integer type is signed, and its bits.
fn bits(kind: &DataType) -> (bool, u32) {
    match kind {
        DataType::Int8 => (true, 8),
        DataType::Int16 => (true, 16),
        DataType::Int32 => (true, 32),
        DataType::Int64 => (true, 64),
        DataType::UInt8 => (false, 8),
        DataType::UInt16 => (false, 16),
        DataType::UInt32 => (false, 32),
        _ => (false, 64),
    }
}

fn canonical(kind: &DataType, depth: usize) -> Option<DataType> {
    use DataType as D;
    if depth > MOST_DEPTH {
        return None;
    }
    let item = |field: &Arc<ArrowField>| {
        let kind = canonical(field.data_type(), depth + 1)?;
        Some(Arc::new(ArrowField::new("item", kind, field.is_nullable())))
    };
    Some(match kind {
        D::Null => D::Utf8,
        D::Boolean | D::Date32 | D::Utf8 | D::Binary | D::Decimal128(..) => kind.clone(),
        kind if kind.is_integer() || kind.is_floating() => kind.clone(),
        D::Timestamp(..) | D::Duration(_) | D::FixedSizeBinary(_) => kind.clone(),
        D::Time32(_) | D::Time64(_) => kind.clone(),
        D::Date64 => D::Timestamp(TimeUnit::Millisecond, None),
        D::LargeUtf8 | D::Utf8View => D::Utf8,
        D::LargeBinary | D::BinaryView => D::Binary,
        D::Decimal32(p, s) | D::Decimal64(p, s) => D::Decimal128(*p, *s),
        D::Dictionary(_, value) => canonical(value, depth + 1)?,
        D::List(field) | D::LargeList(field) | D::ListView(field) | D::LargeListView(field) => {
            D::List(item(field)?)
        }
        D::FixedSizeList(field, length) if (1..=MOST_LENGTH).contains(length) => {
            D::FixedSizeList(item(field)?, *length)
        }
        D::Struct(fields) if !fields.is_empty() => {
            let field = |field: &Arc<ArrowField>| {
                let kind = canonical(field.data_type(), depth + 1)?;
                Some(Arc::new(ArrowField::new(field.name(), kind, field.is_nullable())))
            };
            D::Struct(fields.iter().map(field).collect::<Option<Fields>>()?)
        }
        D::Map(entries, _) => {
            let D::Struct(entry) = entries.data_type() else { return None };
            let [key, value] = &entry[..] else { return None };
            if canonical(key.data_type(), depth + 1)? != D::Utf8 {
                return None;
            }
            map_of(canonical(value.data_type(), depth + 1)?, value.is_nullable())
        }
        _ => return None,
    })
}

pub(super) fn map_of(value: DataType, nullable: bool) -> DataType {
    let key = ArrowField::new("key", DataType::Utf8, false);
    let value = ArrowField::new("value", value, nullable);
    let entries = DataType::Struct(vec![key, value].into());
    DataType::Map(Arc::new(ArrowField::new("entries", entries, false)), false)
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        kind_text::write(&self.0, f)
    }
}

impl FromStr for FieldType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        kind_text::parse(text).map(Self).ok_or_else(|| {
            Error::invalid(
                "field type",
                text,
                "there are: bool, int8 to int64, uint8 to uint64, float16, float32, float64, decimal(P, S), text, \
                 bytes, date, time(us), timestamp(us), duration(us), list<T>, vector<T, N>, struct<NAME: T>, map<T>; \
                 `?` after a type allows null",
            )
        })
    }
}

impl Serialize for FieldType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_back_from_its_text() {
        let texts = [
            "bool",
            "int8",
            "uint64",
            "float16",
            "float32",
            "decimal(10, 2)",
            "text",
            "bytes",
            "bytes(16)",
            "date",
            "time(us)",
            "time(s)",
            "timestamp(ns)",
            "timestamp(us, UTC)",
            "timestamp(us, +01:00)",
            "duration(ms)",
            "list<text?>",
            "vector<float32, 384>",
            "struct<a: int64, b: list<float64>?>",
            "map<int64?>",
        ];
        for text in texts {
            let kind: FieldType = text.parse().unwrap();
            assert_eq!(kind.to_string(), text);
            assert_eq!(FieldType::of(kind.arrow()).unwrap(), kind);
        }
    }

    #[test]
    fn an_unknown_type_is_refused_with_those_there_are() {
        for text in [
            "",
            "strin",
            "list<",
            "vector<0>",
            "vector<-1>",
            "decimal(3)",
            "decimal(40, 2)",
            "int64 x",
        ] {
            assert!(text.parse::<FieldType>().is_err(), "{text}");
        }
        assert!("list<".repeat(100_000).parse::<FieldType>().is_err());
        let error = "strin".parse::<FieldType>().unwrap_err().to_string();
        assert!(error.contains("text, bytes"), "{error}");
    }

    #[test]
    fn numbers_widen_and_never_narrow() {
        let widens = |from: &str, to: &str| {
            from.parse::<FieldType>().unwrap().widens_to(&to.parse().unwrap())
        };
        assert!(
            widens("int32", "int64") && widens("uint32", "int64") && widens("int32", "float64")
        );
        assert!(widens("list<int32>", "list<int64?>"));
        assert!(
            !widens("int64", "int32") && !widens("uint64", "int64") && !widens("int64", "float64")
        );
        assert!(!widens("text", "int64") && !widens("vector<3>", "vector<4>"));
    }
}
