//! The OpenAPI document of one model.

use serde_json::{Map, Value, json};

/// Keywords of JSON Schema whose values are no schemas.
const VALUES: [&str; 4] = ["const", "enum", "default", "examples"];

/// Returns the document of a model with these schemas.
pub(super) fn openapi(reference: &str, input: Value, output: Value) -> Value {
    let mut schemas = Map::new();
    let (input, output) =
        (component("Input", input, &mut schemas), component("Output", output, &mut schemas));
    let body = |one: &str, many: &str, schema: Value| {
        let object = |name: &str, schema: Value| {
            json!({
                "type": "object",
                "properties": { name: schema },
                "required": [name],
                "additionalProperties": false,
            })
        };
        let rows = json!({ "type": "array", "items": schema.clone() });
        json!({ "oneOf": [object(one, schema), object(many, rows)] })
    };
    let json_of = |schema: Value| json!({ "application/json": { "schema": schema } });
    let error = json!({
        "type": "object",
        "properties": { "error": {
            "type": "object",
            "properties": {
                "code": { "type": "string" },
                "message": { "type": "string" },
                "request_id": { "type": "string" },
            },
            "required": ["code", "message", "request_id"],
        } },
        "required": ["error"],
    });
    let failed = |description: &str| json!({ "description": description, "content": json_of(error.clone()) });
    json!({
        "openapi": "3.1.0",
        "info": { "title": reference, "version": env!("CARGO_PKG_VERSION") },
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }],
        "paths": { format!("/predict/{reference}"): { "post": {
            "summary": "Predicts for one input, or for many",
            "operationId": "predict",
            "requestBody": { "required": true, "content": json_of(body("input", "inputs", input)) },
            "responses": {
                "200": {
                    "description": "The output, or the outputs in the order of the inputs",
                    "content": json_of(body("output", "outputs", output)),
                },
                "400": failed("The request cannot be read"),
                "401": failed("There is no valid token"),
                "403": failed("The token does not allow it"),
                "404": failed("There is no such model"),
                "413": failed("The body is too large"),
                "415": failed("The type of the body is not known"),
                "422": failed("The input does not fit, or the model failed for it"),
                "503": failed("The server is busy, or the model is not loaded; try again"),
                "504": failed("There was no answer in time"),
            },
        } } },
    })
}

/// Adds a schema and its definitions to the components, and returns the link to it.
fn component(name: &str, mut schema: Value, schemas: &mut Map<String, Value>) -> Value {
    let definitions = schema.as_object_mut().and_then(|schema| {
        schema.remove("$schema");
        schema.remove("$defs")
    });
    if let Some(Value::Object(definitions)) = definitions {
        for (of, mut definition) in definitions {
            adapt(name, &mut definition);
            schemas.insert(full_name(name, &of), definition);
        }
    }
    adapt(name, &mut schema);
    schemas.insert(name.to_owned(), schema);
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The name of a definition among the components, which allow fewer characters.
fn full_name(name: &str, definition: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    format!("{name}.{}", definition.chars().map(plain).collect::<String>())
}

/// Points links at the components, and allows the words that stand for numbers which JSON does not have.
fn adapt(name: &str, schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(|item| adapt(name, item)),
        Value::Object(entries) => {
            for (key, value) in entries.iter_mut() {
                match (key.as_str(), &*value) {
                    ("$ref", Value::String(link)) => {
                        let target = match link.strip_prefix("#/$defs/") {
                            Some(definition) => full_name(name, definition),
                            None => name.to_owned(),
                        };
                        *value = format!("#/components/schemas/{target}").into();
                    }
                    (key, _) if VALUES.contains(&key) => {}
                    _ => adapt(name, value),
                }
            }
            let is_number = |kind: &Value| {
                kind == "number"
                    || kind.as_array().is_some_and(|kinds| kinds.contains(&"number".into()))
            };
            if entries.get("type").is_some_and(is_number) {
                let words = json!({ "enum": ["NaN", "Infinity", "-Infinity"] });
                *schema = json!({ "anyOf": [schema.take(), words] });
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_components_and_numbers_may_be_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "type": { "type": "string", "default": { "type": "number" } },
                "parts": { "type": "array", "items": { "$ref": "#/$defs/Part<T>" } },
                "size": { "type": ["number", "null"] },
                "again": { "$ref": "#" },
            },
            "$defs": { "Part<T>": { "type": "integer" } },
        });
        let mut schemas = Map::new();
        let link = component("Input", schema, &mut schemas);
        assert_eq!(link, json!({ "$ref": "#/components/schemas/Input" }));
        assert_eq!(schemas["Input.Part_T_"], json!({ "type": "integer" }));
        let properties = &schemas["Input"]["properties"];
        let link = json!({ "$ref": "#/components/schemas/Input.Part_T_" });
        assert_eq!(properties["parts"]["items"], link);
        assert_eq!(properties["again"], json!({ "$ref": "#/components/schemas/Input" }));
        assert_eq!(properties["type"]["default"], json!({ "type": "number" }));
        assert_eq!(properties["size"]["anyOf"][1]["enum"][0], "NaN");
        assert!(
            schemas["Input"].get("$schema").is_none() && schemas["Input"].get("$defs").is_none()
        );
    }
}
