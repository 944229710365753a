//! Digests of signatures.

use larder_core::Signature;
use larder_core::store::Digest;
use serde_json::Value;

/// Keywords of JSON Schema that change no value's validity.
const ANNOTATIONS: [&str; 6] =
    ["$schema", "$comment", "title", "description", "examples", "deprecated"];
/// Keywords whose value is an object from names to schemas.
const MAPS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is no schema.
const VALUES: [&str; 3] = ["const", "enum", "default"];

/// Returns a digest of what a signature allows: titles, descriptions and the order of keys do not matter.
pub(crate) fn digest_of(signature: &Signature) -> Digest {
    let mut text = String::new();
    write(signature.input.as_value(), Place::Schema, &mut text);
    text.push('\n');
    write(signature.output.as_value(), Place::Schema, &mut text);
    Digest::of(text.as_bytes())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Schema,
    Map,
    Value,
}

fn write(value: &Value, place: Place, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let is_kept = |key: &str| place != Place::Schema || !ANNOTATIONS.contains(&key);
            let mut fields: Vec<_> = fields.iter().filter(|(key, _)| is_kept(key)).collect();
            // The order of a map depends on the features of the program.
            fields.sort_unstable_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in fields {
                let place = match place {
                    Place::Schema if MAPS.contains(&key.as_str()) => Place::Map,
                    Place::Schema if VALUES.contains(&key.as_str()) => Place::Value,
                    Place::Schema | Place::Map => Place::Schema,
                    Place::Value => Place::Value,
                };
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, place, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for item in items {
                write(item, place, text);
                text.push(',');
            }
            text.push(']');
        }
        value => text.push_str(&value.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn digest(input: &str) -> Digest {
        let schema = |json: &str| serde_json::from_str::<Value>(json).unwrap().try_into().unwrap();
        digest_of(&Signature { input: schema(input), output: schema("true") })
    }

    #[test]
    fn only_what_is_allowed_counts() {
        let one = digest(r#"{"type":"object","title":"A","properties":{"x":{"type":"number"}}}"#);
        let same = r#"{"properties":{"x":{"description":"y","type":"number"}},"type":"object"}"#;
        assert_eq!(one, digest(same));
        for other in [
            r#"{"type":"object","properties":{"x":{"type":"string"}}}"#,
            r#"{"type":"object","properties":{"x":{"type":"number"},"title":true}}"#,
            r#"{"type":"object","properties":{"x":{"type":"number","const":{"title":1}}}}"#,
            "true",
        ] {
            assert_ne!(one, digest(other), "{other}");
        }
    }
}
