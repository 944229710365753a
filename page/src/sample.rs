//! A value that fits a JSON Schema, to begin with.

use serde_json::{Map, Value, json};

/// Maximum nesting of a sample.
const MOST_DEEP: usize = 8;
/// Maximum number of items of an array.
const MOST_ITEMS: u64 = 1_000;

/// Follows a link within the schema `root`.
pub(crate) fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let link = schema.get("$ref").and_then(Value::as_str);
    link.and_then(|link| root.pointer(link.strip_prefix('#')?)).unwrap_or(schema)
}

/// Follows links, and takes what an optional value is if it is there.
pub(crate) fn present<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let mut schema = resolve(root, schema);
    for _ in 0..MOST_DEEP {
        let choices = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        let is_null = |it: &&Value| it.get("type").is_some_and(|kind| kind == "null");
        let mut others = choices.into_iter().flatten().filter(|it| !is_null(it));
        match (others.next(), others.next()) {
            (Some(only), None) => schema = resolve(root, only),
            _ => break,
        }
    }
    schema
}

/// Returns the name of a type; of an optional value, what it is if it is there.
pub(crate) fn type_of(schema: &Value) -> Option<&str> {
    let names = schema.get("type")?;
    let mut all = names.as_array().into_iter().flatten().filter_map(Value::as_str);
    names.as_str().or_else(|| all.find(|name| *name != "null"))
}

/// Returns a small value that fits a schema; `null` where it says nothing.
pub(crate) fn sample(root: &Value, schema: &Value) -> Value {
    value(root, schema, 0)
}

fn value(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > MOST_DEEP {
        return Value::Null;
    }
    let schema = resolve(root, schema);
    let given = ["examples", "enum"].into_iter().find_map(|key| schema.get(key)?.get(0));
    if let Some(given) = given.or(schema.get("default")).or(schema.get("const")) {
        return given.clone();
    }
    let choices = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.get(0));
    if let Some(choice) = choices {
        return value(root, choice, depth + 1);
    }
    match type_of(schema).unwrap_or_default() {
        "object" => {
            let mut all = Map::new();
            let required = schema.get("required").and_then(Value::as_array);
            let properties = schema.get("properties").and_then(Value::as_object);
            for (name, property) in properties.into_iter().flatten() {
                if required.is_some_and(|required| required.iter().any(|it| it == name)) {
                    all.insert(name.clone(), value(root, property, depth + 1));
                }
            }
            Value::Object(all)
        }
        "array" => {
            if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
                return items.iter().map(|item| value(root, item, depth + 1)).collect();
            }
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
            let item = value(root, schema.get("items").unwrap_or(&Value::Null), depth + 1);
            (0..least.min(MOST_ITEMS)).map(|_| item.clone()).collect()
        }
        "integer" => schema.get("minimum").cloned().unwrap_or(json!(0)),
        "number" => schema.get("minimum").cloned().unwrap_or(json!(0.0)),
        "string" => json!(""),
        "boolean" => json!(false),
        _ => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_fits_its_schema() {
        for (schema, expected) in [
            (json!({"type": "number"}), json!(0.0)),
            (json!({"type": "integer", "minimum": 3}), json!(3)),
            (json!({"enum": ["red", "white"]}), json!("red")),
            (
                json!({"type": "array", "items": {"type": "number"}, "minItems": 2}),
                json!([0.0, 0.0]),
            ),
            (json!({"type": ["string", "null"]}), json!("")),
            (json!(true), json!(null)),
            (
                json!({"type": "object", "required": ["a"], "properties": {
                    "a": {"$ref": "#/$defs/Kind"}, "b": {"type": "string"}
                }, "$defs": {"Kind": {"type": "boolean"}}}),
                json!({"a": false}),
            ),
        ] {
            assert_eq!(sample(&schema, &schema), expected);
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema =
            json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
        assert!(sample(&schema, &schema).to_string().len() < 200);
        let circle = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(sample(&circle, &circle), Value::Null);
        let nest = json!({"type": "array", "minItems": 3, "items": {"type": "array", "minItems": 2, "items": {"type": "integer"}}});
        assert_eq!(sample(&nest, &nest), json!([[0, 0], [0, 0], [0, 0]]));
    }
}
