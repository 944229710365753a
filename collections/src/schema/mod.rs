//! Schemas: the fields of the rows of a collection.

mod evolve;
mod fit;
mod kind;
mod kind_text;
mod misfit;

use std::sync::Arc;

use arrow_schema::{Field as ArrowField, Schema as ArrowSchema, SchemaRef};
use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use fit::value_text;
pub(crate) use fit::{Fault, adapt, batch_of, fit, projection};
pub use kind::FieldType;
pub use misfit::{Misfit, Misfits};

/// Maximum number of fields.
const MOST_FIELDS: usize = 4_096;
/// Maximum bytes of a name.
const MOST_NAME: usize = 128;
/// Minimum similarity of a suggestion, from 0 to 1.
const ALIKE: f64 = 0.75;
/// The key of a field's media type in the metadata of Arrow.
const MEDIA_TYPE: &str = "larder.media_type";
/// The key of a field's serializer in the metadata of Arrow.
const SERIALIZER: &str = "larder.serializer";

/// A field of the rows of a collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Field {
    /// The name: 1 to 128 bytes, not beginning with `_`.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// True if it may be null.
    #[serde(default, skip_serializing_if = "is_false")]
    pub nullable: bool,
    /// The value of rows that were written before the field was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Former names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The media type of its bytes, such as `image/png`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The serializer of its bytes, such as `msgpack-named`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serializer: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Field {
    /// Creates a field that is never null.
    pub fn new(name: impl Into<String>, kind: FieldType) -> Self {
        Self {
            name: name.into(),
            kind,
            nullable: false,
            default: None,
            aliases: Vec::new(),
            media_type: None,
            serializer: None,
        }
    }

    /// Allows null.
    #[must_use]
    pub fn nullable(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Sets the value of rows that do not have the field yet.
    #[must_use]
    pub fn with_default(self, value: impl Into<Value>) -> Self {
        Self { default: Some(value.into()), ..self }
    }

    /// Adds a former name.
    #[must_use]
    pub fn with_alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// Sets the media type of its bytes.
    #[must_use]
    pub fn with_media_type(self, media_type: impl Into<String>) -> Self {
        Self { media_type: Some(media_type.into()), ..self }
    }

    /// Sets the serializer of its bytes.
    #[must_use]
    pub fn with_serializer(self, name: impl Into<String>) -> Self {
        Self { serializer: Some(name.into()), ..self }
    }

    /// Returns true if `name` is its name or a former one.
    pub fn is_named(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }

    /// Returns the field of Arrow.
    pub fn to_arrow(&self) -> ArrowField {
        let field = ArrowField::new(&self.name, self.kind.arrow().clone(), self.nullable);
        let pairs = [(MEDIA_TYPE, &self.media_type), (SERIALIZER, &self.serializer)];
        let pairs = pairs.into_iter().filter_map(|(key, value)| Some((key, value.clone()?)));
        field.with_metadata(pairs.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Returns the field of a collection for one of Arrow.
    ///
    /// # Errors
    /// As [`FieldType::of`].
    pub fn of_arrow(field: &ArrowField) -> Result<Self> {
        let get = |key: &str| field.metadata().get(key).cloned();
        let (media_type, serializer) = (get(MEDIA_TYPE), get(SERIALIZER));
        let kind = FieldType::of(field.data_type()).map_err(|error| match error {
            Error::InvalidName { what, text, reason } => {
                let text = format!("{}: {text}", field.name());
                Error::InvalidName { what, text, reason }
            }
            other => other,
        })?;
        let nullable = field.is_nullable();
        Ok(Self { nullable, media_type, serializer, ..Self::new(field.name(), kind) })
    }
}

/// The fields of the rows of a collection, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Field>", into = "Vec<Field>")]
pub struct Schema {
    fields: Vec<Field>,
    arrow: SchemaRef,
}

impl Schema {
    /// Creates a schema.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for no fields, too many, a name that is used twice, is too long or begins with `_`.
    pub fn new(fields: impl IntoIterator<Item = Field>) -> Result<Self> {
        let fields: Vec<Field> = fields.into_iter().collect();
        if fields.is_empty() || fields.len() > MOST_FIELDS {
            let reason = format!("it has {} fields; it must have 1 to {MOST_FIELDS}", fields.len());
            return Err(Error::invalid("schema", "", reason));
        }
        for (at, field) in fields.iter().enumerate() {
            let names = field.aliases.iter().chain([&field.name]);
            for name in names {
                check_name(name)?;
                if fields[..at].iter().any(|other| other.is_named(name)) {
                    let reason = "two fields of the schema have that name";
                    return Err(Error::invalid("field name", name, reason));
                }
            }
        }
        Ok(Self::of_fields(fields))
    }

    /// Creates the schema of Arrow data.
    ///
    /// # Errors
    /// As [`new`](Schema::new) and [`FieldType::of`].
    pub fn of_arrow(schema: &ArrowSchema) -> Result<Self> {
        let fields = schema.fields().iter().map(|field| Field::of_arrow(field));
        Self::new(fields.collect::<Result<Vec<_>>>()?)
    }

    /// Returns the schema with fields that are computed when they are read; their names begin with `_`.
    #[must_use]
    pub fn with_computed(&self, fields: impl IntoIterator<Item = Field>) -> Self {
        Self::of_fields(self.fields.iter().cloned().chain(fields).collect())
    }

    /// Returns the schema without computed fields.
    pub(crate) fn stored(&self) -> Self {
        let fields = self.fields.iter().filter(|field| !is_computed(&field.name));
        Self::of_fields(fields.cloned().collect())
    }

    fn of_fields(fields: Vec<Field>) -> Self {
        let arrow = fields.iter().map(Field::to_arrow).collect::<Vec<_>>();
        Self { arrow: Arc::new(ArrowSchema::new(arrow)), fields }
    }

    pub(crate) fn has_computed(&self) -> bool {
        self.fields.iter().any(|field| is_computed(&field.name))
    }

    /// Returns the fields.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns the schema of Arrow.
    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Returns the position of a field.
    ///
    /// # Errors
    /// [`Error::NotFound`] with similar names.
    pub fn position(&self, name: &str) -> Result<usize> {
        if let Some(at) = self.fields.iter().position(|field| field.name == name) {
            return Ok(at);
        }
        let known = self.fields.iter().map(|field| field.name.as_str());
        Err(unknown_field(name, known))
    }

    /// Returns a field.
    ///
    /// # Errors
    /// As [`position`](Schema::position).
    pub fn field(&self, name: &str) -> Result<&Field> {
        Ok(&self.fields[self.position(name)?])
    }
}

/// Returns the error of a field that is not there, with similar names or all of a few.
pub(crate) fn unknown_field<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let known: Vec<&str> = known.collect();
    let likeness = |other: &str| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
    let mut near: Vec<&str> =
        known.iter().copied().filter(|other| likeness(other) >= ALIKE).collect();
    near.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    near.truncate(3);
    let list = |names: &[&str]| {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let reason = match (near.is_empty(), known.len()) {
        (false, _) => format!("there is no such field; did you mean {}?", list(&near)),
        (true, 0..=12) => format!("there is no such field; there are: {}", list(&known)),
        (true, _) => format!(
            "there is no such field; the first of {} are: {}",
            known.len(),
            list(&known[..12])
        ),
    };
    Error::invalid("field", name, reason)
}

/// Returns whether a name belongs to a computed field. Names of stored fields do not begin with `_`.
pub fn is_computed(name: &str) -> bool {
    name.starts_with('_')
}

fn check_name(name: &str) -> Result<()> {
    let reason = match name {
        "" => "it is empty",
        name if is_computed(name) => "names that begin with `_` are reserved",
        name if name.len() > MOST_NAME => "it is longer than 128 bytes",
        name if name.contains(|c: char| c.is_control() || c == '`') => {
            "it has a control character or a backtick"
        }
        _ => return Ok(()),
    };
    Err(Error::invalid("field name", name, reason))
}

impl TryFrom<Vec<Field>> for Schema {
    type Error = Error;

    fn try_from(fields: Vec<Field>) -> Result<Self> {
        Self::new(fields)
    }
}

impl From<Schema> for Vec<Field> {
    fn from(schema: Schema) -> Self {
        schema.fields
    }
}
