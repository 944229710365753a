//! Schemas of Rust types.
//!
//! `serde_arrow` finds them by decoding a type again and again. A field type that serde does not describe, such as a vector,
//! decodes itself as a marker meanwhile: a struct with one field, whose name says what it stands for.

use std::any::type_name;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::{DataType, Field as ArrowField, FieldRef};
use larder_core::{Error, Result};
use serde::Deserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde_arrow::schema::{SchemaLike, TracingOptions};

use crate::schema::{Field, FieldType, Schema};

/// What begins the name of a marker's field.
const MARK: &str = "$larder.";

thread_local! {
    static TRACING: Cell<bool> = const { Cell::new(false) };
}

/// While it lives, field types decode themselves as markers.
struct Tracing;

impl Tracing {
    fn begin() -> Self {
        TRACING.set(true);
        Self
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        TRACING.set(false);
    }
}

pub(super) fn is_tracing() -> bool {
    TRACING.get()
}

/// Decodes a marker: `vector N` or `encoded NAME`.
pub(super) fn mark<'de, D: Deserializer<'de>>(deserializer: D, what: &str) -> Result<(), D::Error> {
    deserializer.deserialize_struct("Marker", interned(what), Marker)
}

/// Returns the list of fields of a marker, which lives as long as the program.
fn interned(what: &str) -> &'static [&'static str] {
    static KNOWN: Mutex<Option<HashMap<String, &'static [&'static str]>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(fields) = known.get(what) {
        return fields;
    }
    let name: &'static str = Box::leak(format!("{MARK}{what}").into_boxed_str());
    let fields: &'static [&'static str] = Box::leak(vec![name].into_boxed_slice());
    known.insert(what.to_owned(), fields);
    fields
}

struct Marker;

impl<'de> Visitor<'de> for Marker {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a marker")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<String>()?.is_some() {
            map.next_value::<bool>()?;
        }
        Ok(())
    }
}

/// Returns the schema of a struct.
pub(crate) fn schema_of<Row: DeserializeOwned>() -> Result<Schema> {
    let options = TracingOptions::default()
        .sequence_as_large_list(false)
        .strings_as_large_utf8(false)
        .bytes_as_large_binary(false)
        .enums_without_data_as_strings(true)
        .map_as_struct(false)
        .allow_null_fields(true);
    let traced = {
        let _tracing = Tracing::begin();
        Vec::<FieldRef>::from_type::<Row>(options)
    };
    let traced = traced.map_err(|error| {
        let reason = format!("its fields have no schema: {error}");
        Error::invalid("row type", type_name::<Row>(), reason)
    })?;
    Schema::new(traced.iter().map(|field| field_of(field)).collect::<Result<Vec<_>>>()?)
}

fn field_of(traced: &ArrowField) -> Result<Field> {
    let mut serializer = None;
    let kind = unmarked(traced.data_type(), &mut serializer);
    let mut field = Field::new(traced.name(), FieldType::of(&kind)?);
    field.nullable = traced.is_nullable();
    field.serializer = serializer;
    Ok(field)
}

/// Replaces markers by the types that they stand for.
fn unmarked(kind: &DataType, serializer: &mut Option<String>) -> DataType {
    let item = |field: &ArrowField| {
        let kind = unmarked(field.data_type(), &mut None);
        Arc::new(ArrowField::new(field.name(), kind, field.is_nullable()))
    };
    match kind {
        DataType::Struct(fields) => {
            if let [only] = &fields[..]
                && let Some(what) = only.name().strip_prefix(MARK)
            {
                return match what.split_once(' ') {
                    Some(("vector", length)) => {
                        let item = Arc::new(ArrowField::new("item", DataType::Float32, false));
                        DataType::FixedSizeList(item, length.parse().unwrap_or(0))
                    }
                    Some((_, name)) => {
                        *serializer = Some(name.to_owned());
                        DataType::Binary
                    }
                    None => DataType::Binary,
                };
            }
            DataType::Struct(fields.iter().map(|field| item(field)).collect())
        }
        DataType::List(field) => DataType::List(item(field)),
        DataType::Map(entries, sorted) => DataType::Map(item(entries), *sorted),
        other => other.clone(),
    }
}
