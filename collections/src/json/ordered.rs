//! JSON objects with their keys in the order of a schema.

use arrow_schema::DataType;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::schema::Schema;

/// A row with its fields in the order of the schema; others follow by name.
///
/// The order of a `serde_json::Map` depends on the features of other crates.
pub(crate) struct OrderedRow<'a> {
    pub(crate) row: &'a Map<String, Value>,
    pub(crate) schema: &'a Schema,
}

impl Serialize for OrderedRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let known = self.schema.fields().iter().flat_map(|field| {
            let names = std::iter::once(&field.name).chain(&field.aliases);
            names.map(|name| (name.as_str(), field.kind.arrow()))
        });
        in_order(self.row, &known.collect::<Vec<_>>(), serializer)
    }
}

/// A value of a type, if it is known.
struct Ordered<'a> {
    value: &'a Value,
    kind: Option<&'a DataType>,
}

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.value, self.kind) {
            (Value::Object(object), Some(DataType::Struct(fields))) => {
                let known = fields.iter().map(|field| (field.name().as_str(), field.data_type()));
                in_order(object, &known.collect::<Vec<_>>(), serializer)
            }
            (Value::Object(object), _) => in_order(object, &[], serializer),
            (Value::Array(items), kind) => {
                let kind = match kind {
                    Some(DataType::List(item) | DataType::FixedSizeList(item, _)) => {
                        Some(item.data_type())
                    }
                    _ => None,
                };
                serializer.collect_seq(items.iter().map(|value| Ordered { value, kind }))
            }
            (value, _) => value.serialize(serializer),
        }
    }
}

fn in_order<S: Serializer>(
    object: &Map<String, Value>,
    known: &[(&str, &DataType)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let is_known = |key: &str| known.iter().any(|(name, _)| *name == key);
    let mut others: Vec<(&str, &Value)> =
        object.iter().map(|(key, value)| (key.as_str(), value)).collect();
    others.retain(|(key, _)| !is_known(key));
    others.sort_by_key(|(key, _)| *key);
    let first = known.iter().filter_map(|(name, kind)| {
        Some((*name, Ordered { value: object.get(*name)?, kind: Some(kind) }))
    });
    let others = others.into_iter().map(|(key, value)| (key, Ordered { value, kind: None }));
    serializer.collect_map(first.chain(others))
}
