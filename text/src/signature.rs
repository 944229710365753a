//! Signatures of models as one line: `X: float32[N, 30] → variable: float32[N, 1]`.

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Maximum nesting of a schema that is described; deeper parts are `…`.
const MOST_DEEP: usize = 6;
/// Maximum number of names of an object.
const MOST_NAMES: usize = 20;

/// Describes a signature, given as the schemas of input and output, or `None` if the model states none.
///
/// An ONNX model's manifest lists its inputs and outputs with all their dimensions; a signature has those of one row.
pub fn describe(
    type_tag: &str,
    fields: &Value,
    signature: Option<(&Value, &Value)>,
) -> Option<String> {
    let ports = |side: &str| -> Option<String> {
        let ports = fields.get(side)?.as_array()?;
        let ports: Option<Vec<_>> = ports.iter().map(port).collect();
        Some(ports?.join(", "))
    };
    if type_tag == "larder/onnx"
        && let (Some(inputs), Some(outputs)) = (ports("inputs"), ports("outputs"))
    {
        return Some(format!("{inputs} → {outputs}"));
    }
    let (input, output) = signature?;
    let side = |schema: &Value| Schema { root: schema, depth: 0 }.names(schema);
    Some(format!("{} → {}", side(input), side(output)))
}

/// `X: float32[N, 30]`; `list of` before a sequence, `| null` after an optional value.
fn port(port: &Value) -> Option<String> {
    let (name, dtype) = (port.get("name")?.as_str()?, port.get("dtype")?.as_str()?);
    let dims = port.get("shape")?.as_array()?;
    let dim = |dim: &Value| dim.as_str().map_or_else(|| dim.to_string(), str::to_owned);
    let dims: Vec<_> = dims.iter().map(dim).collect();
    let dims = if dims.is_empty() { String::new() } else { format!("[{}]", dims.join(", ")) };
    let is = |key: &str| port.get(key).and_then(Value::as_bool).unwrap_or_default();
    let before = if is("sequence") { "list of " } else { "" };
    let after = if is("optional") { " | null" } else { "" };
    Some(format!("{name}: {before}{dtype}{dims}{after}"))
}

/// A part of a JSON Schema.
#[derive(Clone, Copy)]
struct Schema<'a> {
    root: &'a Value,
    depth: usize,
}

impl Schema<'_> {
    /// The properties of an object at the top, or the type.
    fn names(self, schema: &Value) -> String {
        let properties = self.resolve(schema).get("properties").and_then(Value::as_object);
        match properties {
            Some(names) if !names.is_empty() => self.properties(self.resolve(schema), names),
            _ => self.of(schema),
        }
    }

    /// Follows a link within the schema.
    fn resolve<'v>(self, schema: &'v Value) -> &'v Value
    where
        Self: 'v,
    {
        let root: &'v Value = self.root;
        let link = schema.get("$ref").and_then(Value::as_str);
        let target = link.and_then(|link| root.pointer(link.strip_prefix('#')?));
        target.unwrap_or(schema)
    }

    fn properties(self, schema: &Value, properties: &Map<String, Value>) -> String {
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| {
            required.is_some_and(|names| names.iter().any(|required| required == name))
        };
        let inner = Self { depth: self.depth + 1, ..self };
        let mut text = String::new();
        for (at, (name, schema)) in properties.iter().enumerate() {
            if at == MOST_NAMES {
                let _ = write!(text, ", … {} more", properties.len() - at);
                break;
            }
            let comma = if at > 0 { ", " } else { "" };
            let optional = if is_required(name) { "" } else { "?" };
            let _ = write!(text, "{comma}{name}{optional}: {}", inner.of(schema));
        }
        text
    }

    fn of(self, schema: &Value) -> String {
        if self.depth > MOST_DEEP {
            return "…".into();
        }
        let schema = self.resolve(schema);
        let inner = Self { depth: self.depth + 1, ..self };
        let choices = ["anyOf", "oneOf"].into_iter().find_map(|key| schema.get(key)?.as_array());
        if let Some(choices) = choices {
            return any_of(choices.iter().map(|choice| inner.of(choice)));
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array) {
            return any_of(values.iter().map(Value::to_string));
        }
        if let Some(value) = schema.get("const") {
            return value.to_string();
        }
        match schema.get("type") {
            Some(Value::String(name)) => inner.named(schema, name),
            Some(Value::Array(names)) => {
                any_of(names.iter().filter_map(Value::as_str).map(|name| inner.named(schema, name)))
            }
            _ => "any".into(),
        }
    }

    fn named(self, schema: &Value, name: &str) -> String {
        match name {
            "array" => self.array(schema),
            "object" => match schema.get("properties").and_then(Value::as_object) {
                Some(names) if !names.is_empty() => {
                    format!("{{{}}}", self.properties(schema, names))
                }
                _ => match schema.get("additionalProperties") {
                    Some(values) if values.is_object() => format!("{{name: {}}}", self.of(values)),
                    _ => "object".into(),
                },
            },
            "number" | "integer" => match schema.get("format").and_then(Value::as_str) {
                Some("double") => "float64".into(),
                Some("float") => "float32".into(),
                Some("uint") => "uint64".into(),
                Some("int") => "int64".into(),
                Some(format) => format.to_owned(),
                None => name.to_owned(),
            },
            _ => name.to_owned(),
        }
    }

    /// `float32[30]`, `float64[_, 3]` for arrays of arrays, `(a, b)` for tuples.
    fn array(self, schema: &Value) -> String {
        if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
            let items: Vec<_> = items.iter().map(|item| self.of(item)).collect();
            return format!("({})", items.join(", "));
        }
        let mut dims = Vec::new();
        let mut item = schema;
        while dims.len() < 16
            && item.get("type").and_then(Value::as_str) == Some("array")
            && item.get("prefixItems").is_none()
        {
            let size = |key: &str| item.get(key).and_then(Value::as_u64);
            dims.push(match (size("minItems"), size("maxItems")) {
                (Some(least), Some(most)) if least == most => least.to_string(),
                _ => "_".to_owned(),
            });
            item = self.resolve(item.get("items").unwrap_or(&Value::Bool(true)));
        }
        let item = self.of(item);
        let item = if item.contains([' ', '|']) { format!("({item})") } else { item };
        format!("{item}[{}]", dims.join(", "))
    }
}

fn any_of(choices: impl Iterator<Item = String>) -> String {
    let mut distinct = Vec::new();
    for choice in choices {
        if !distinct.contains(&choice) {
            distinct.push(choice);
        }
    }
    if distinct.is_empty() { "any".into() } else { distinct.join(" | ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(schema: Value) -> String {
        Schema { root: &schema, depth: 0 }.names(&schema)
    }

    #[test]
    fn sequences_and_optional_values_of_onnx_are_told() {
        let x = json!({"name": "x", "dtype": "float32", "shape": ["N", 2], "sequence": true});
        let y = json!({"name": "y", "dtype": "int4", "shape": [], "optional": true});
        let fields = json!({"inputs": [x], "outputs": [y]});
        let text = describe("larder/onnx", &fields, None).unwrap();
        assert_eq!(text, "x: list of float32[N, 2] → y: int4 | null");
    }

    #[test]
    fn schemas_read_like_types() {
        let float = json!({"type": "number", "format": "float32"});
        let row = json!({"type": "array", "items": float, "minItems": 3, "maxItems": 3});
        assert_eq!(text(row.clone()), "float32[3]");
        assert_eq!(text(json!({"type": "array", "items": row})), "float32[_, 3]");
        assert_eq!(text(json!(true)), "any");
        assert_eq!(text(json!({})), "any");
        assert_eq!(text(json!({"type": ["number", "null"], "format": "double"})), "float64 | null");
        assert_eq!(
            text(json!({"type": "object", "required": ["a"], "properties": {
                "a": {"$ref": "#/$defs/Kind"}, "b": {"type": "array", "items": {"type": ["string", "null"]}}
            }, "$defs": {"Kind": {"enum": ["red", "white"]}}})),
            "a: \"red\" | \"white\", b?: (string | null)[_]"
        );
        assert_eq!(
            text(
                json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "boolean"}]})
            ),
            "(string, boolean)"
        );
        assert_eq!(
            text(
                json!({"type": "object", "additionalProperties": {"type": "integer", "format": "uint32"}})
            ),
            "{name: uint32}"
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {"type": "object", "properties": {
            "next": {"$ref": "#/$defs/Node"}
        }}}});
        let cut = text(schema);
        assert!(cut.contains('…') && cut.len() < 200, "{cut}");
        let circle = json!({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}});
        assert_eq!(text(circle), "any");
        let nest = json!({"type": "array", "items": {"$ref": "#"}});
        assert!(text(nest).len() < 400);
    }
}
