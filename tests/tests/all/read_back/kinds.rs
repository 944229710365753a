//! Kinds of serde types under each serializer.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use larder::prelude::*;
use larder::serializers::{Bincode, MsgPack, Postcard};
use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};
use serde_json::json;

use super::{Fate, fate, fates, kept_by_all, kept_by_names};

fn is_zero(value: &u32) -> bool {
    *value == 0
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    #[serde(default, skip_serializing_if = "is_zero")]
    label: u32,
    tokens: Vec<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Round {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        radius: Option<u32>,
        holes: u8,
    },
}

#[test]
fn a_skipped_field_is_refused_where_fields_have_no_names() {
    let row = |label| Row { label, tokens: vec![1, 7] };
    kept_by_all(&row(2));
    kept_by_names(&row(0), &["`label`", "left out"]);
    kept_by_names(&vec![row(3), row(0)], &["at `[1].label`", "skip_serializing_if"]);
    let shape = Shape::Round { radius: None, holes: 1 };
    kept_by_names(&BTreeMap::from([(7, shape)]), &["at `[0].radius`"]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NoDefault {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Thin(#[serde(default, skip_serializing_if = "is_zero")] u32, #[serde(default)] Vec<u8>);

#[test]
fn a_skipped_field_that_cannot_be_read_back_is_refused_everywhere() {
    for refused in fates(&(1, vec![NoDefault { tokens: Vec::new() }])) {
        refused.names(&["at `[1][0]"]);
    }
    // A tuple struct with a field less reads back as another value, or not at all.
    for refused in fates(&Thin(0, vec![1, 7])) {
        refused.names(&["read"]);
    }
    kept_by_all(&Thin(1, vec![1, 7]));
}

/// Writes text, and reads whatever is there.
#[derive(Debug, PartialEq)]
struct Decimal(String);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Decimal;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
                Ok(Decimal(text.to_owned()))
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Decimal, E> {
                Ok(Decimal(number.to_string()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Text(String),
    List(Vec<Untagged>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Internal {
    Nothing,
    Linear { weight: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "of")]
enum Adjacent {
    Nothing,
    Pair(u8, u8),
    Linear { weight: f64 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, u32>,
}

#[test]
fn types_that_need_a_self_describing_format_are_refused_by_the_others() {
    let fields = |value| [("deep".to_owned(), vec![value])].into_iter().collect::<BTreeMap<_, _>>();
    kept_by_names(&fields(Decimal("1.10".into())), &["read back"]);
    kept_by_names(&json!({"a": [1, -2, 2.5, null, true, "text"], "b": {}}), &["read back"]);
    kept_by_names(&Untagged::List(vec![Untagged::Number(1), Untagged::Text("x".into())]), &[]);
    kept_by_names(&(1, Internal::Linear { weight: 0.5 }), &["at `[1]`"]);
    kept_by_names(&(1, Internal::Nothing), &["at `[1]`"]);
    let adjacent = [Adjacent::Nothing, Adjacent::Pair(1, 2), Adjacent::Linear { weight: 0.1 }];
    kept_by_names(&Vec::from(adjacent), &["at `[0].kind`"]);
    kept_by_names(&Flat { name: "flat".into(), rest: [("a".to_owned(), 1)].into() }, &[]);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Overlap {
    Small(u8),
    Big(u64),
    Float(f64),
    Pair(f32, f32),
    List(Vec<f32>),
}

#[test]
fn a_variant_that_is_read_back_as_another_is_refused() {
    assert_eq!(fates(&Overlap::Small(1))[..2], [Fate::Same, Fate::Same]);
    assert_eq!(fates(&Overlap::Float(1.0))[..2], [Fate::Same, Fate::Same]);
    assert_eq!(fates(&Overlap::Big(1 << 20))[..2], [Fate::Same, Fate::Same]);
    let mixed = vec![Overlap::Small(1), Overlap::Big(1)];
    for refused in &fates(&mixed)[..2] {
        refused.names(&["another value", "`[1]`"]);
    }
    for refused in fates(&mixed) {
        refused.names(&["read"]);
    }
    for refused in fates(&Overlap::List(vec![1.0, 2.0])) {
        refused.names(&["read"]);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Renamed {
    #[serde(rename(serialize = "out", deserialize = "in"), default)]
    value: u8,
    #[serde(default)]
    other: u8,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct OneWay {
    #[serde(skip_deserializing)]
    written: u8,
    read: u8,
}

#[test]
fn asymmetric_attributes_are_refused() {
    let [msgpack, json, ..] = fates(&Renamed { value: 1, other: 2 });
    msgpack.names(&["unknown field"]);
    json.names(&["unknown field", "at `out`"]);
    for refused in fates(&OneWay { written: 1, read: 2 }) {
        refused.names(&["read"]);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Plain {
    optional: Option<u8>,
    nothing: Option<String>,
    unit: (),
    text: Cow<'static, str>,
    boxed: Box<[i64]>,
    float: (f32, f64, f64),
    letter: char,
    address: IpAddr,
    time: Duration,
    nested: [[u8; 2]; 3],
    #[serde(skip)]
    cache: Option<u8>,
}

#[test]
fn ordinary_types_are_kept_by_every_serializer() {
    kept_by_all(&Plain {
        optional: Some(1),
        nothing: None,
        unit: (),
        text: Cow::Borrowed("text"),
        boxed: Box::new([i64::MIN, i64::MAX]),
        float: (0.1, -0.0, f64::MIN_POSITIVE),
        letter: 'ß',
        address: "::1".parse().unwrap(),
        time: Duration::new(1, 2),
        nested: [[1, 2], [3, 4], [5, 6]],
        cache: None,
    });
    kept_by_all(&vec![Shape::Round { radius: Some(1), holes: 2 }]);
    kept_by_all(&vec![Some(Ok::<u8, String>(1)), Some(Err("no".into())), None]);
    kept_by_all(&serde_bytes::ByteBuf::from([0, 128, 255]));
    kept_by_all(&(0..=255).collect::<Vec<u8>>());
    kept_by_all(&Vec::<u8>::new());
    kept_by_all(&(0..300).map(|i| i as f32 * 0.1).collect::<Vec<_>>());
    kept_by_all(&String::from_utf8(vec![b'x'; 100_000]).unwrap());
}

#[test]
fn what_only_some_formats_hold_is_kept_by_those() {
    for refused in &fates(&Some(Some(None::<u8>)))[..2] {
        refused.names(&["Some(None)"]);
    }
    assert_eq!(fates(&Some(Some(None::<u8>)))[2..], [Fate::Same, Fate::Same]);
    let [msgpack, json, bincode, postcard] = fates(&vec![i128::MIN, -1, i128::MAX]);
    assert_eq!([msgpack, bincode, postcard], [Fate::Same, Fate::Same, Fate::Same]);
    json.names(&["at `[0]`", "128-bit"]);
    let pairs = BTreeMap::from([((1, 2), 3)]);
    assert_eq!(fate::<MsgPack, _>(&pairs), Fate::Same);
    assert_eq!(fate::<Bincode, _>(&pairs), Fate::Same);
    assert_eq!(fate::<Postcard, _>(&pairs), Fate::Same);
}

#[test]
fn the_order_of_hash_maps_and_sets_does_not_count() {
    let number = |key: u32| (format!("key {key}"), vec![key; 3]);
    kept_by_all(&(0..40).map(number).collect::<HashMap<_, _>>());
    kept_by_all(&(0..40).map(number).collect::<HashSet<_>>());
    kept_by_all(&(0..40).map(number).collect::<BTreeSet<_>>());
    let inner = |from| (from..from + 9).collect::<HashSet<u64>>();
    kept_by_all(&(0..9).map(|key| (key, inner(key))).collect::<HashMap<_, _>>());
}

/// Borrows from the bytes where it can, and fails where it cannot.
#[derive(Debug, PartialEq, Serialize)]
struct Borrowed(String);

impl<'de> Deserialize<'de> for Borrowed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(<&str>::deserialize(deserializer)?.to_owned()))
    }
}

#[test]
fn borrowed_text_is_kept_where_it_can_be_borrowed() {
    kept_by_all(&Borrowed("plain".into()));
    // An escape in JSON cannot be borrowed.
    let [msgpack, json, bincode, postcard] = fates(&vec![Borrowed("a\nb".into())]);
    assert_eq!([msgpack, bincode, postcard], [Fate::Same, Fate::Same, Fate::Same]);
    json.names(&["`[0]`", "read back"]);
}
