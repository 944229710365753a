//! The fields of a form, from the schema of a model's input.

use serde_json::{Map, Value};

use super::forms::Form;
use super::sample::{resolve, sample};

/// The maximum number of fields; an input with more is one text.
const MOST_FIELDS: usize = 40;
/// The maximum number of choices of a field.
const MOST_CHOICES: usize = 50;
/// Before the name of a field of the input.
const PREFIX: &str = "in.";

/// How a field is filled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Text,
    Boolean,
    /// One of these, as JSON.
    Choice(Vec<String>),
    /// Anything, as JSON.
    Json,
}

/// A field of the input.
#[derive(Debug)]
pub(super) struct Field {
    /// The name of the property.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    pub(super) hint: String,
    /// The text of the field.
    pub(super) value: String,
}

impl Field {
    /// The name in the form.
    pub(super) fn key(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    pub(super) fn is_boolean(&self) -> bool {
        self.kind == Kind::Boolean
    }

    pub(super) fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    pub(super) fn is_json(&self) -> bool {
        self.kind == Kind::Json
    }

    pub(super) fn choices(&self) -> &[String] {
        match &self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }
}

/// Returns a field for each property of an object, filled from `input`; `None` if the input is none, or has too many.
pub(super) fn fields(schema: &Value, input: Option<&Value>) -> Option<Vec<Field>> {
    let object = resolve(schema, schema);
    let properties = object.get("properties")?.as_object()?;
    if properties.is_empty() || properties.len() > MOST_FIELDS {
        return None;
    }
    let required = object.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|required| required.iter().any(|it| it == name));
    let field = |(name, property): (&String, &Value)| {
        let property = resolve(schema, property);
        let (kind, is_required) = (kind(property), is_required(name));
        let given = input.and_then(|input| input.get(name)).cloned();
        let given = given.or_else(|| is_required.then(|| sample(schema, property)));
        let value = match (&kind, given) {
            (_, None) => String::new(),
            (Kind::Text, Some(Value::String(text))) => text,
            (_, Some(value)) => value.to_string(),
        };
        let hint = property.get("description").and_then(Value::as_str).unwrap_or_default();
        Field { name: name.clone(), kind, is_required, hint: hint.to_owned(), value }
    };
    Some(properties.iter().map(field).collect())
}

fn kind(property: &Value) -> Kind {
    if let Some(values) = property.get("enum").and_then(Value::as_array)
        && values.len() <= MOST_CHOICES
    {
        return Kind::Choice(values.iter().map(Value::to_string).collect());
    }
    match property.get("type").and_then(Value::as_str) {
        Some("number" | "integer") => Kind::Number,
        Some("string") => Kind::Text,
        Some("boolean") => Kind::Boolean,
        _ => Kind::Json,
    }
}

/// Reads the input from a form with fields, and keeps what was typed.
///
/// # Errors
/// The name of the field that is no JSON.
pub(super) fn read(fields: &mut [Field], form: &Form) -> Result<String, String> {
    let mut input = Map::new();
    let mut wrong = None;
    for field in fields {
        field.value = form.get(&field.key()).to_owned();
        let text = field.value.trim();
        let value = match field.kind {
            Kind::Text if text.is_empty() && !field.is_required => continue,
            Kind::Text => Value::String(field.value.clone()),
            // A field that is left empty is left out.
            _ if text.is_empty() => continue,
            _ => match serde_json::from_str(text) {
                Ok(value) => value,
                // What JSON has no number for is a text.
                Err(_) if ["NaN", "Infinity", "-Infinity"].contains(&text) => text.into(),
                Err(_) => {
                    wrong.get_or_insert_with(|| field.name.clone());
                    continue;
                }
            },
        };
        input.insert(field.name.clone(), value);
    }
    match wrong {
        None => Ok(Value::Object(input).to_string()),
        Some(name) => Err(name),
    }
}
