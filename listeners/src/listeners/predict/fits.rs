//! JSON Schemas of models compared with the types of fields.

use arrow_schema::DataType;
use larder_core::schemars::Schema;
use serde_json::Value;

use larder_collections::FieldType;

/// Maximum depth of schemas that are followed.
const MOST_DEPTH: usize = 16;

/// Returns why values of the type `given` are no inputs of a model with this schema, if so.
///
/// A schema that says nothing of a value takes it.
pub(super) fn misfit(schema: &Schema, given: &DataType) -> Option<String> {
    let root = schema.as_value();
    if accepts(root, root, given, 0) {
        return None;
    }
    let given = FieldType::of(given).map_or_else(|_| given.to_string(), |kind| kind.to_string());
    Some(format!("it is {given}, and the model takes {}", described(root, root, 0)))
}

/// Returns whether the schema takes only objects.
pub(super) fn takes_objects(schema: &Schema) -> bool {
    let root = schema.as_value();
    let types = types_of(resolved(root, root));
    !types.is_empty() && types.iter().all(|kind| *kind == "object")
}

/// Returns the properties that an object must have.
pub(super) fn required(schema: &Schema) -> Vec<String> {
    let root = schema.as_value();
    let names = resolved(root, root).get("required").and_then(Value::as_array);
    let text = |name: &Value| name.as_str().map(str::to_owned);
    names.into_iter().flatten().filter_map(text).collect()
}

/// Returns the schema of a property.
pub(super) fn property(schema: &Schema, name: &str) -> Option<Schema> {
    let root = schema.as_value();
    let property = resolved(root, root).get("properties")?.get(name)?;
    let mut property = property.clone();
    // References lead to the definitions of the whole.
    if let (Some(object), Some(definitions)) = (property.as_object_mut(), root.get("$defs")) {
        object.insert("$defs".into(), definitions.clone());
    }
    Schema::try_from(property).ok()
}

/// Follows references within the document.
fn resolved<'a>(root: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..MOST_DEPTH {
        let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
        let Some(target) = reference.strip_prefix('#').and_then(|it| root.pointer(it)) else {
            break;
        };
        schema = target;
    }
    schema
}

fn types_of(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn accepts(root: &Value, schema: &Value, given: &DataType, depth: usize) -> bool {
    use DataType as D;
    let schema = resolved(root, schema);
    if *schema == Value::Bool(false) {
        return false;
    }
    if depth > MOST_DEPTH {
        return true;
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = schema.get(word)
            && !choices.iter().any(|choice| accepts(root, choice, given, depth + 1))
        {
            return false;
        }
    }
    let types = types_of(schema);
    if types.is_empty() {
        return true;
    }
    types.iter().any(|kind| match (*kind, given) {
        ("null", _) => false,
        ("boolean", D::Boolean) => true,
        ("number", given) => given.is_numeric() && !matches!(given, D::Decimal128(..)),
        ("integer", given) => given.is_integer(),
        ("string", D::Utf8 | D::Decimal128(..)) => true,
        ("string", given) => given.is_temporal(),
        ("array", D::Binary | D::FixedSizeBinary(_)) => {
            items_accept(root, schema, &D::UInt8, depth)
        }
        ("array", D::List(item)) => items_accept(root, schema, item.data_type(), depth),
        ("array", D::FixedSizeList(item, length)) => {
            let length = i64::from(*length);
            let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
            bound("minItems").is_none_or(|least| least <= length)
                && bound("maxItems").is_none_or(|most| most >= length)
                && items_accept(root, schema, item.data_type(), depth)
        }
        ("object", D::Struct(fields)) => {
            let find = |name: &str| fields.iter().find(|field| field.name() == name);
            let required = schema.get("required").and_then(Value::as_array);
            let properties = schema.get("properties").and_then(Value::as_object);
            required
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .all(|name| find(name).is_some())
                && properties.into_iter().flatten().all(|(name, property)| {
                    let field = find(name);
                    field.is_none_or(|field| accepts(root, property, field.data_type(), depth + 1))
                })
        }
        ("object", D::Map(..)) => true,
        _ => false,
    })
}

fn items_accept(root: &Value, schema: &Value, item: &DataType, depth: usize) -> bool {
    let one = schema.get("items").is_none_or(|items| accepts(root, items, item, depth + 1));
    let each = schema.get("prefixItems").and_then(Value::as_array);
    one && each.into_iter().flatten().all(|schema| accepts(root, schema, item, depth + 1))
}

/// Describes what a schema takes in a few words.
fn described(root: &Value, schema: &Value, depth: usize) -> String {
    let schema = resolved(root, schema);
    if depth > 3 {
        return "…".into();
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = schema.get(word) {
            let choices: Vec<_> = choices.iter().map(|it| described(root, it, depth + 1)).collect();
            return choices.join(" or ");
        }
    }
    let types = types_of(schema);
    let one = |kind: &&str| match *kind {
        "array" => match schema.get("items") {
            Some(items) => format!("array of {}", described(root, items, depth + 1)),
            None => "array".into(),
        },
        "object" => {
            let names = schema.get("properties").and_then(Value::as_object);
            let names: Vec<_> =
                names.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
            if names.is_empty() {
                "object".into()
            } else {
                format!("object of {}", names.join(", "))
            }
        }
        kind => kind.to_owned(),
    };
    let types: Vec<_> = types.iter().map(one).collect();
    if types.is_empty() { "any value".into() } else { types.join(" or ") }
}

/// Returns the type of a column for the outputs of a model with this schema, if it says enough.
pub(crate) fn column_of(schema: &Schema) -> Option<FieldType> {
    let root = schema.as_value();
    FieldType::of(&type_of(root, root, 0)?.0).ok()
}

/// Returns the type, and whether it may be null.
fn type_of(root: &Value, schema: &Value, depth: usize) -> Option<(DataType, bool)> {
    use std::sync::Arc;

    use arrow_schema::{DataType as D, Field, Fields};
    let schema = resolved(root, schema);
    if depth > MOST_DEPTH {
        return None;
    }
    if let Some(Value::Array(choices)) = schema.get("anyOf") {
        let is_null = |choice: &&Value| types_of(choice) == ["null"];
        let rest: Vec<_> = choices.iter().filter(|choice| !is_null(choice)).collect();
        return match rest[..] {
            [only] => Some((type_of(root, only, depth + 1)?.0, true)),
            _ => None,
        };
    }
    let mut types = types_of(schema);
    let is_null = types.contains(&"null");
    types.retain(|kind| *kind != "null");
    let [kind] = types[..] else { return None };
    let format = schema.get("format").and_then(Value::as_str);
    let item = |schema: &Value| {
        let (kind, is_null) = type_of(root, schema, depth + 1)?;
        Some(Arc::new(Field::new("item", kind, is_null)))
    };
    let kind = match kind {
        "boolean" => D::Boolean,
        "string" => D::Utf8,
        "number" if format == Some("float") => D::Float32,
        "number" => D::Float64,
        "integer" => match format {
            Some("int8") => D::Int8,
            Some("int16") => D::Int16,
            Some("int32") => D::Int32,
            Some("uint8") => D::UInt8,
            Some("uint16") => D::UInt16,
            Some("uint32") => D::UInt32,
            Some("uint64" | "uint") => D::UInt64,
            _ => D::Int64,
        },
        "array" => {
            let bound = |word: &str| schema.get(word).and_then(Value::as_i64);
            let length = bound("minItems").filter(|least| bound("maxItems") == Some(*least));
            let length = length.and_then(|length| i32::try_from(length).ok());
            match length.filter(|length| *length > 0) {
                Some(length) => D::FixedSizeList(item(schema.get("items")?)?, length),
                None => D::List(item(schema.get("items")?)?),
            }
        }
        "object" => {
            let required = schema.get("required").and_then(Value::as_array);
            let is_required =
                |name: &str| required.into_iter().flatten().any(|it| it.as_str() == Some(name));
            let field = |(name, property): (&String, &Value)| {
                let (kind, is_null) = type_of(root, property, depth + 1)?;
                Some(Field::new(name, kind, is_null || !is_required(name)))
            };
            let properties = schema.get("properties")?.as_object()?;
            D::Struct(properties.iter().map(field).collect::<Option<Fields>>()?)
        }
        _ => return None,
    };
    Some((kind, is_null))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use larder_core::schemars::schema_for;

    use super::*;

    fn arrow(text: &str) -> DataType {
        text.parse::<FieldType>().unwrap().arrow().clone()
    }

    #[test]
    fn fields_are_compared_with_what_a_model_takes() {
        let numbers = schema_for!(Vec<f32>);
        assert_eq!(misfit(&numbers, &arrow("vector<float32, 3>")), None);
        assert_eq!(misfit(&numbers, &arrow("list<int64>")), None);
        let reason = misfit(&numbers, &arrow("text")).unwrap();
        assert_eq!(reason, "it is text, and the model takes array of number");
        assert!(misfit(&schema_for!(f64), &arrow("int64")).is_none());
        assert!(misfit(&schema_for!(i64), &arrow("float64")).is_some());
        assert!(misfit(&schema_for!([f64; 3]), &arrow("vector<float64, 4>")).is_some());
        assert!(misfit(&schema_for!(Option<String>), &arrow("text")).is_none());
        assert!(misfit(&schema_for!(Value), &arrow("text")).is_none());
    }

    #[test]
    fn outputs_have_columns() {
        let column = |schema| column_of(&schema).map(|kind| kind.to_string());
        assert_eq!(column(schema_for!(f64)).as_deref(), Some("float64"));
        assert_eq!(column(schema_for!(Vec<f32>)).as_deref(), Some("list<float32>"));
        assert_eq!(column(schema_for!([f32; 3])).as_deref(), Some("vector<float32, 3>"));
        assert_eq!(column(schema_for!(Option<String>)).as_deref(), Some("text"));
        assert_eq!(column(schema_for!(u8)).as_deref(), Some("uint8"));
        assert_eq!(column(schema_for!(Value)), None);
    }
}
