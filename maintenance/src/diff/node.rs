//! The fields of a manifest as a tree, with the order of their keys.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{FieldValue, add};
use larder_core::{
    Error, Result,
    guard::{Guard, Rules},
    manifest::{ArtifactEntry, Manifest},
    store::{Corruption, Digest, Link},
};

/// A JSON value.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl PartialEq for Node {
    /// Returns true if both have the same meaning: the order of keys does not count.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Unsigned(a), Self::Unsigned(b)) => a == b,
            (Self::Signed(a), Self::Signed(b)) => a == b,
            // The zeros are two.
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits(),
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a.len() == b.len() && same_entries(a, b),
            _ => false,
        }
    }
}

fn same_entries(a: &[(String, Node)], b: &[(String, Node)]) -> bool {
    // Written by one type, both have their keys in one order.
    if a.iter().zip(b).all(|((a, _), (b, _))| a == b) {
        return a.iter().zip(b).all(|((_, a), (_, b))| a == b);
    }
    let b = index(b);
    a.iter().all(|(key, value)| b.get(key.as_str()).is_some_and(|other| *other == value))
}

/// The entries by key.
pub(super) fn index(entries: &[(String, Node)]) -> HashMap<&str, &Node> {
    entries.iter().map(|(key, value)| (key.as_str(), value)).collect()
}

/// The fields of a manifest, and what they refer to.
pub(super) struct Tree<'a> {
    pub(super) root: Node,
    entries: &'a [ArtifactEntry],
    places: HashMap<(Digest, &'a str), &'a ArtifactEntry>,
}

impl<'a> Tree<'a> {
    /// Reads the fields; `what` names the version in errors.
    pub(super) fn read(manifest: &'a Manifest, what: impl FnOnce() -> String) -> Result<Self> {
        let guard = Guard::for_bytes(Rules::JSON, manifest.fields().len());
        let mut fields = serde_json::Deserializer::from_str(manifest.fields());
        let root = guard.read(&mut fields).map_err(|error| {
            let reason = format!("its fields: {}", guard.error(error));
            Error::corrupt(what(), Corruption::Unreadable(reason))
        })?;
        let entries = manifest.artifacts();
        let place = |entry: &'a ArtifactEntry| ((entry.digest, entry.serializer.as_str()), entry);
        Ok(Self { root, entries, places: entries.iter().map(place).collect() })
    }

    /// The artifact that a value is a link to.
    pub(super) fn artifact(&self, node: &Node) -> Option<&'a ArtifactEntry> {
        let Node::Map(entries) = node else { return None };
        let [(first, Node::Text(one)), (second, Node::Text(other))] = &entries[..] else {
            return None;
        };
        let Link::Artifact { digest, serializer } = Link::of((first, one), (second, other))? else {
            return None;
        };
        // A value of an older Larder that only looks like a link is listed nowhere.
        self.places.get(&(digest, serializer.as_str())).copied()
    }

    /// The value, if it is shown as one thing: an artifact or a file.
    pub(super) fn thing(&self, node: &Node) -> Option<FieldValue> {
        if let Some(entry) = self.artifact(node) {
            let mut held = 0;
            self.held(entry).for_each(|entry| add(&mut held, entry.size));
            let (digest, size, serializer) = (entry.digest, entry.size, entry.serializer.clone());
            return Some(FieldValue::Artifact { digest, size, serializer, held });
        }
        let Node::Map(entries) = node else { return None };
        let [(first, content), (second, Node::Bool(executable))] = &entries[..] else {
            return None;
        };
        let is_file = first == "content" && second == "executable";
        let entry = self.artifact(content).filter(|_| is_file)?;
        Some(FieldValue::File { digest: entry.digest, size: entry.size, executable: *executable })
    }

    /// The artifacts that an artifact contains.
    pub(super) fn held(&self, entry: &'a ArtifactEntry) -> impl Iterator<Item = &'a ArtifactEntry> {
        entry.holds.iter().filter_map(|&place| self.entries.get(place))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nodes;

        impl<'de> Visitor<'de> for Nodes {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
                Ok(Node::Bool(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
                Ok(Node::Unsigned(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
                Ok(Node::Signed(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
                Ok(Node::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Node, E> {
                Ok(Node::Text(value.to_owned()))
            }
            fn visit_string<E>(self, value: String) -> Result<Node, E> {
                Ok(Node::Text(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Node::Map(map))
            }
        }

        deserializer.deserialize_any(Nodes)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Unsigned(value) => serializer.serialize_u64(*value),
            Self::Signed(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}
