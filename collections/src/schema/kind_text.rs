//! The texts of field types, in both directions.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field as ArrowField, TimeUnit};

use super::kind::{MOST_DEPTH, MOST_LENGTH, map_of};

/// Reads a type.
pub(super) fn parse(text: &str) -> Option<DataType> {
    let mut parser = Parser { rest: text, depth: 0 };
    parser.kind().filter(|_| parser.rest.trim().is_empty())
}

/// Writes a type.
pub(super) fn write(kind: &DataType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    use DataType as D;
    let optional = |field: &ArrowField| if field.is_nullable() { "?" } else { "" };
    match kind {
        D::Boolean => f.write_str("bool"),
        D::Utf8 => f.write_str("text"),
        D::Binary => f.write_str("bytes"),
        D::FixedSizeBinary(length) => write!(f, "bytes({length})"),
        D::Date32 => f.write_str("date"),
        D::Time32(unit) | D::Time64(unit) => write!(f, "time({})", unit_text(*unit)),
        D::Timestamp(unit, None) => write!(f, "timestamp({})", unit_text(*unit)),
        D::Timestamp(unit, Some(zone)) => write!(f, "timestamp({}, {zone})", unit_text(*unit)),
        D::Duration(unit) => write!(f, "duration({})", unit_text(*unit)),
        D::Decimal128(precision, scale) => write!(f, "decimal({precision}, {scale})"),
        D::List(item) => {
            f.write_str("list<")?;
            write(item.data_type(), f)?;
            write!(f, "{}>", optional(item))
        }
        D::FixedSizeList(item, length) => {
            f.write_str("vector<")?;
            write(item.data_type(), f)?;
            write!(f, "{}, {length}>", optional(item))
        }
        D::Struct(fields) => {
            f.write_str("struct<")?;
            for (at, field) in fields.iter().enumerate() {
                write!(f, "{}{}: ", if at > 0 { ", " } else { "" }, field.name())?;
                write(field.data_type(), f)?;
                f.write_str(optional(field))?;
            }
            f.write_str(">")
        }
        D::Map(entries, _) => {
            f.write_str("map<")?;
            if let D::Struct(entry) = entries.data_type()
                && let Some(value) = entry.get(1)
            {
                write(value.data_type(), f)?;
                f.write_str(optional(value))?;
            }
            f.write_str(">")
        }
        // `int32`, `float64` …
        other => f.write_str(&format!("{other}").to_lowercase()),
    }
}

fn unit_text(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "s",
        TimeUnit::Millisecond => "ms",
        TimeUnit::Microsecond => "us",
        TimeUnit::Nanosecond => "ns",
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    fn word(&mut self) -> Option<String> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        let (word, rest) = rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn item(&mut self, name: &str) -> Option<ArrowField> {
        let kind = self.kind()?;
        let nullable = self.token("?").is_some();
        Some(ArrowField::new(name, kind, nullable))
    }

    fn number<N: FromStr>(&mut self) -> Option<N> {
        self.word()?.parse().ok()
    }

    fn unit(&mut self) -> Option<TimeUnit> {
        Some(match self.word()?.as_str() {
            "s" => TimeUnit::Second,
            "ms" => TimeUnit::Millisecond,
            "us" => TimeUnit::Microsecond,
            "ns" => TimeUnit::Nanosecond,
            _ => return None,
        })
    }

    /// A time zone, such as `UTC` or `+01:00`.
    fn zone(&mut self) -> Option<Arc<str>> {
        let (zone, _) = self.rest.split_once(')')?;
        self.rest = &self.rest[zone.len()..];
        let zone = zone.trim();
        (!zone.is_empty()).then(|| zone.into())
    }

    fn in_round<T>(&mut self, inside: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.token("(").is_none() {
            return Some(None);
        }
        let inside = inside(self)?;
        self.token(")")?;
        Some(Some(inside))
    }

    fn kind(&mut self) -> Option<DataType> {
        use DataType as D;
        self.depth += 1;
        if self.depth > MOST_DEPTH {
            return None;
        }
        let unit =
            |parser: &mut Self| Some(parser.in_round(Self::unit)?.unwrap_or(TimeUnit::Microsecond));
        let kind = match self.word()?.to_lowercase().as_str() {
            "bool" | "boolean" => D::Boolean,
            "int8" => D::Int8,
            "int16" => D::Int16,
            "int32" => D::Int32,
            "int64" | "int" | "integer" => D::Int64,
            "uint8" => D::UInt8,
            "uint16" => D::UInt16,
            "uint32" => D::UInt32,
            "uint64" => D::UInt64,
            "float16" => D::Float16,
            "float32" => D::Float32,
            "float64" | "float" | "double" | "number" => D::Float64,
            "text" | "string" | "str" | "utf8" => D::Utf8,
            "bytes" | "binary" => match self.in_round(Self::number)? {
                Some(length) if length > 0 => D::FixedSizeBinary(length),
                Some(_) => return None,
                None => D::Binary,
            },
            "date" => D::Date32,
            "time" => match unit(self)? {
                unit @ (TimeUnit::Second | TimeUnit::Millisecond) => D::Time32(unit),
                unit => D::Time64(unit),
            },
            "timestamp" => {
                let inside = self.in_round(|parser| {
                    let unit = parser.unit()?;
                    let zone = match parser.token(",") {
                        Some(()) => Some(parser.zone()?),
                        None => None,
                    };
                    Some((unit, zone))
                })?;
                let (unit, zone) = inside.unwrap_or((TimeUnit::Microsecond, None));
                D::Timestamp(unit, zone)
            }
            "duration" => D::Duration(unit(self)?),
            "decimal" => {
                let (precision, scale) = self.in_round(|parser| {
                    let precision: u8 = parser.number()?;
                    parser.token(",")?;
                    Some((precision, parser.number::<i8>()?))
                })??;
                if !(1..=38).contains(&precision) || scale.unsigned_abs() > precision {
                    return None;
                }
                D::Decimal128(precision, scale)
            }
            "list" => {
                self.token("<")?;
                let item = self.item("item")?;
                self.token(">")?;
                D::List(Arc::new(item))
            }
            "vector" => {
                self.token("<").or_else(|| self.token("("))?;
                let before = self.rest;
                let item = match self.number::<i32>() {
                    Some(_) => {
                        self.rest = before;
                        ArrowField::new("item", D::Float32, false)
                    }
                    None => {
                        self.rest = before;
                        let item = self.item("item")?;
                        self.token(",")?;
                        item
                    }
                };
                let length = self.number().filter(|length| (1..=MOST_LENGTH).contains(length))?;
                self.token(">").or_else(|| self.token(")"))?;
                D::FixedSizeList(Arc::new(item), length)
            }
            "struct" => {
                self.token("<")?;
                let mut fields = Vec::new();
                loop {
                    let name = self.word()?;
                    self.token(":")?;
                    fields.push(self.item(&name)?);
                    if self.token(",").is_none() {
                        break;
                    }
                }
                self.token(">")?;
                D::Struct(fields.into())
            }
            "map" => {
                self.token("<")?;
                let value = self.item("value")?;
                self.token(">")?;
                map_of(value.data_type().clone(), value.is_nullable())
            }
            _ => return None,
        };
        self.depth -= 1;
        Some(kind)
    }
}

/// Characters of names, numbers and time zones.
fn is_word(c: char) -> bool {
    !c.is_whitespace() && !"<>(),:?".contains(c)
}
