//! The fields of a form, from the schema of a model's input.

use serde_json::{Map, Value};

use crate::forms::Form;
use crate::sample::{present, resolve, sample, type_of};

/// The maximum number of fields; an input with more is one text.
const MOST_FIELDS: usize = 40;
/// The maximum number of choices of a field.
const MOST_CHOICES: usize = 50;
/// Before the name of a field of the input.
const PREFIX: &str = "in.";

/// The input element of a field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) struct Field {
    /// The name of the property.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) is_required: bool,
    pub(crate) hint: String,
    /// The text of the field.
    pub(crate) value: String,
}

impl Field {
    /// The name in the form.
    pub(crate) fn key(&self) -> String {
        format!("{PREFIX}{}", self.name)
    }

    pub(crate) fn is_boolean(&self) -> bool {
        self.kind == Kind::Boolean
    }

    pub(crate) fn is_number(&self) -> bool {
        self.kind == Kind::Number
    }

    pub(crate) fn is_json(&self) -> bool {
        self.kind == Kind::Json
    }

    pub(crate) fn choices(&self) -> &[String] {
        match &self.kind {
            Kind::Choice(choices) => choices,
            _ => &[],
        }
    }
}

/// Returns a field for each property of an object, filled from `input`; `None` if the input is none, or has too many.
pub(crate) fn fields(schema: &Value, input: Option<&Value>) -> Option<Vec<Field>> {
    let object = resolve(schema, schema);
    let properties = object.get("properties")?.as_object()?;
    if properties.is_empty() || properties.len() > MOST_FIELDS {
        return None;
    }
    let required = object.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|required| required.iter().any(|it| it == name));
    let field = |(name, property): (&String, &Value)| {
        let described =
            property.get("description").or(present(schema, property).get("description"));
        let hint = described.and_then(Value::as_str).unwrap_or_default().to_owned();
        let property = present(schema, property);
        let (kind, is_required) = (kind(property), is_required(name));
        let given = input.and_then(|input| input.get(name)).cloned();
        let given = given.or_else(|| is_required.then(|| sample(schema, property)));
        let value = match (&kind, given) {
            (_, None) => String::new(),
            (Kind::Text, Some(Value::String(text))) => text,
            (_, Some(value)) => value.to_string(),
        };
        Field { name: name.clone(), kind, is_required, hint, value }
    };
    Some(properties.iter().map(field).collect())
}

fn kind(property: &Value) -> Kind {
    let values = property.get("enum").and_then(Value::as_array).cloned();
    // Each choice may be a schema of its own.
    let constants = || {
        let choices = property.get("oneOf")?.as_array()?;
        choices.iter().map(|choice| choice.get("const").cloned()).collect::<Option<Vec<_>>>()
    };
    if let Some(values) = values.or_else(constants)
        && values.len() <= MOST_CHOICES
    {
        return Kind::Choice(values.iter().map(Value::to_string).collect());
    }
    match type_of(property) {
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
pub(crate) fn read(fields: &mut [Field], form: &Form) -> Result<String, String> {
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_property_is_a_field_of_its_kind() {
        let schema = json!({
            "type": "object",
            "required": ["area", "kind", "shape"],
            "properties": {
                "area": {"type": "number", "description": "In metres."},
                "garden": {"type": ["boolean", "null"]},
                "kind": {"$ref": "#/$defs/Kind", "description": "Its own."},
                "more": {"anyOf": [{"$ref": "#/$defs/Kind"}, {"type": "null"}]},
                "shape": {"type": "array", "items": {"type": "integer"}},
                "street": {"type": "string"},
            },
            "$defs": {"Kind": {"description": "A kind.", "oneOf": [{"const": "Flat"}, {"const": "House"}]}},
        });
        let found = fields(&schema, None).unwrap();
        let of = |name: &str| found.iter().find(|field| field.name == name).unwrap();
        let kinds = || Kind::Choice(vec!["\"Flat\"".into(), "\"House\"".into()]);
        assert_eq!((&of("area").kind, &*of("area").value), (&Kind::Number, "0.0"));
        assert_eq!((&of("garden").kind, of("garden").is_required), (&Kind::Boolean, false));
        assert_eq!((&of("kind").kind, &*of("kind").hint), (&kinds(), "Its own."));
        assert_eq!((&of("more").kind, &*of("more").hint), (&kinds(), "A kind."));
        assert_eq!((&of("shape").kind, &*of("shape").value), (&Kind::Json, "[0]"));
        assert_eq!((&of("street").kind, &*of("street").value), (&Kind::Text, ""));
        let given = json!({"area": 2, "street": "Elm"});
        let filled = fields(&schema, Some(&given)).unwrap();
        let texts: Vec<_> =
            filled.iter().filter(|it| it.kind != Kind::Json).map(|it| &*it.value).collect();
        assert!(texts.contains(&"2") && texts.contains(&"Elm"), "{texts:?}");
        assert!(fields(&json!({"type": "number"}), None).is_none());
    }
}
