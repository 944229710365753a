//! Keys of maps in a manifest, and what a manifest cannot read back.

use std::collections::{BTreeMap, HashMap};

use larder::Error;
use larder::prelude::*;
use larder::serializers::Json;

use super::{Fate, fate};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
struct Id(u64);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Color {
    Red,
    Green,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-keys")]
struct Keys {
    signed: BTreeMap<i8, String>,
    unsigned: HashMap<u64, u8>,
    wide: BTreeMap<i128, u8>,
    flags: BTreeMap<bool, u8>,
    letters: BTreeMap<char, BTreeMap<u16, bool>>,
    ids: HashMap<Id, u8>,
    colors: BTreeMap<Color, u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional: Option<BTreeMap<Option<u8>, u8>>,
}

fn keys() -> Keys {
    Keys {
        signed: (-3..3).map(|key| (key, key.to_string())).collect(),
        unsigned: [(0, 1), (u64::MAX, 2)].into(),
        wide: [(i128::MIN, 1), (-1, 2), (i128::MAX, 3)].into(),
        flags: [(false, 0), (true, 1)].into(),
        letters: [('"', [(7, true)].into()), ('ß', BTreeMap::new())].into(),
        ids: [(Id(7), 1)].into(),
        colors: [(Color::Red, 1), (Color::Green, 2)].into(),
        optional: None,
    }
}

#[test]
fn integers_booleans_and_characters_are_keys_in_a_manifest() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("keys", &keys()).unwrap();
    assert_eq!(larder.load::<Keys>("keys").unwrap(), keys());
    let manifest = larder.show("keys").unwrap().manifest;
    let fields: serde_json::Value = serde_json::from_str(manifest.fields()).unwrap();
    assert_eq!(fields["signed"]["-3"], "-3");
    assert_eq!(fields["flags"]["true"], 1);
    assert_eq!(fields["letters"]["\""]["7"], true);
    assert_eq!(fields["wide"]["-1"], 2);
}

#[test]
fn the_same_keys_in_an_artifact_of_json() {
    assert_eq!(fate::<Json, _>(&keys().signed), Fate::Same);
    assert_eq!(fate::<Json, _>(&keys().wide), Fate::Same);
    assert_eq!(fate::<Json, _>(&vec![keys().letters]), Fate::Same);
    fate::<Json, _>(&BTreeMap::from([([1, 2], 3)])).names(&["map key"]);
    fate::<Json, _>(&BTreeMap::from([(Some(1), 3)])).names(&["map key"]);
}

#[test]
fn a_key_that_is_no_text_is_refused() {
    let larder = larder::open("memory:").unwrap();
    let optional = Some([(Some(1), 2)].into());
    let error = larder.apply("keys", &Keys { optional, ..keys() }).unwrap_err();
    let Error::Lossy { path, reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(path, "optional");
    assert!(reason.contains("map key"), "{reason}");
}

/// Buffers its map, so that keys come back as text only.
#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-flat")]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, BTreeMap<u8, u8>>,
    #[serde(flatten)]
    numbers: Numbers,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Numbers {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counts: BTreeMap<u8, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-field")]
struct Field {
    choices: Vec<Choice>,
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum Choice {
    Small(u8),
    Text(String),
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-twice")]
struct Twice {
    counts: HashMap<Choice, u8>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-required")]
struct Required {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<u8>,
    pair: (u8, u8),
}

#[test]
fn fields_that_do_not_come_back_are_refused_with_their_path() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("required", &Required { tokens: vec![1], pair: (1, 2) }).unwrap();
    let error = larder.apply("required", &Required { tokens: vec![], pair: (1, 2) }).unwrap_err();
    let Error::Lossy { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("read back") && reason.contains("`tokens`"), "{reason}");

    let flat =
        |counts| Flat { name: "flat".into(), rest: BTreeMap::new(), numbers: Numbers { counts } };
    larder.apply("flat", &flat(BTreeMap::new())).unwrap();
    assert_eq!(larder.load::<Flat>("flat").unwrap(), flat(BTreeMap::new()));
    let error = larder.apply("flat", &flat([(1, 2)].into())).unwrap_err();
    assert!(matches!(error, Error::Lossy { .. }), "{error:?}");

    let counts = [(Choice::Small(1), 1), (Choice::Text("1".into()), 2)].into();
    let error = larder.apply("twice", &Twice { counts }).unwrap_err();
    assert!(matches!(error, Error::Lossy { .. }), "{error:?}");

    let choices = vec![Choice::Small(1), Choice::Text("x".into())];
    larder.apply("field", &Field { choices }).unwrap();
    assert_eq!(larder.list().count(), 3);
}

#[test]
fn reading_back_can_be_switched_off() {
    let larder = larder::open("memory:").unwrap();
    let lost = Required { tokens: vec![], pair: (1, 2) };
    let options = larder::ApplyOptions::new().read_back(false);
    larder.apply_with("required", &lost, &options).unwrap();
    let error = larder.load::<Required>("required").unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error:?}");
}
