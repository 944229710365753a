//! Lengths, keys and comparisons, with `serde_json` as the format.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, HashMap, HashSet};

use larder_guard::{Counts, Guard, Refusal, Rules, compare};
use serde::ser::{SerializeSeq, SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};

/// Writes three elements and declares another number of them.
struct Seq(usize);

impl Serialize for Seq {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0))?;
        for value in [1, 2, 3] {
            seq.serialize_element(&value)?;
        }
        seq.end()
    }
}

/// Skips its second field.
struct Skips;

impl Serialize for Skips {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Skips", 1)?;
        fields.serialize_field("first", &1)?;
        fields.skip_field("second")?;
        fields.end()
    }
}

fn json(rules: Rules, value: &impl Serialize) -> Result<String, (String, Option<Refusal>)> {
    let guard = Guard::new(rules);
    serde_json::to_string(&guard.value(value)).map_err(|error| {
        let error = guard.error(error);
        (error.path().to_owned(), error.refusal().cloned())
    })
}

fn rules(counts: Counts) -> Rules {
    let mut rules = Rules::BINARY;
    rules.counts = counts;
    rules
}

#[test]
fn a_wrong_length_is_refused_where_lengths_are_stored() {
    let value = BTreeMap::from([("key", (0, Seq(2)))]);
    let count = Some(Refusal::Count { declared: 2, written: 3 });
    for counts in [Counts::All, Counts::Sequences] {
        assert_eq!(json(rules(counts), &value), Err(("[0][1]".into(), count.clone())));
        assert_eq!(json(rules(counts), &(0, Seq(3))).unwrap(), "[0,[1,2,3]]");
    }
    assert_eq!(json(Rules::JSON, &value).unwrap(), r#"{"key":[0,[1,2,3]]}"#);
    assert_eq!(json(Rules::JSON, &Seq(0)).unwrap(), "[1,2,3]");
}

#[test]
fn a_guard_that_counted_corrects_the_lengths() {
    let value = [Seq(9), Seq(3), Seq(0)];
    let counting = Guard::counting(rules(Counts::All));
    serde_json::to_string(&counting.value(&value)).unwrap();
    let guard = counting.corrected();
    assert_eq!(serde_json::to_string(&guard.value(&value)).unwrap(), "[[1,2,3],[1,2,3],[1,2,3]]");
    // Another value has other lengths.
    let guard = Guard::counting(rules(Counts::All)).corrected();
    assert!(serde_json::to_string(&guard.value(&value)).is_err());
}

#[test]
fn a_skipped_field_is_refused_by_positional_formats_alone() {
    let refusal = Some(Refusal::SkippedField);
    assert_eq!(json(Rules::BINARY, &[Skips]), Err(("[0].second".into(), refusal)));
    assert_eq!(json(rules(Counts::All), &Skips).unwrap(), r#"{"first":1}"#);
    assert_eq!(json(Rules::JSON, &Skips).unwrap(), r#"{"first":1}"#);
}

#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    values: Vec<f32>,
    pair: (u8, u8),
}

fn row(values: &[f32], pair: (u8, u8)) -> Row {
    Row { name: "row".into(), values: values.to_vec(), pair }
}

#[test]
fn values_are_compared_without_the_order_of_maps_and_sets() {
    let same = |a: &Row, b: &Row| compare(Rules::BINARY, a, b).is_ok();
    assert!(same(&row(&[1.0, 2.0], (1, 2)), &row(&[2.0, 1.0], (1, 2))), "it may be a set");
    assert!(!same(&row(&[1.0, 2.0], (1, 2)), &row(&[1.0, 2.0], (2, 1))), "a tuple has an order");
    assert!(!same(&row(&[1.0, 2.0], (1, 2)), &row(&[1.0], (1, 2))));
    assert!(!same(&row(&[0.0], (1, 2)), &row(&[-0.0], (1, 2))));
    assert!(same(&row(&[f32::NAN], (1, 2)), &row(&[f32::NAN], (1, 2))));
    let map =
        || (0..100).map(|key| (key, HashSet::from([key, key + 1]))).collect::<HashMap<_, _>>();
    compare(Rules::BINARY, &map(), &map()).unwrap();
    let mut other = map();
    other.insert(50, HashSet::from([50]));
    assert!(compare(Rules::BINARY, &map(), &other).is_err());
}

#[test]
fn the_first_difference_has_a_path() {
    let path = |a: &[Row], b: &[Row]| compare(Rules::BINARY, a, b).unwrap_err().path().to_owned();
    let rows = |pair| [row(&[1.0], (0, 0)), row(&[1.0, 2.0], pair)];
    assert_eq!(path(&rows((1, 2)), &rows((1, 3))), "[1].pair[1]");
    assert_eq!(path(&rows((1, 2)), &rows((1, 2))[..1]), "");
    let tree = |leaf: u8| BTreeMap::from([("a", BTreeMap::from([("b", leaf)]))]);
    let error = compare(Rules::JSON, &tree(1), &tree(2)).unwrap_err();
    assert_eq!((error.path(), error.refusal()), ("a.b", Some(&Refusal::Changed)));
}

#[test]
fn numbers_booleans_and_characters_are_keys_of_json() {
    let keys = BTreeMap::from([(i128::MIN, BTreeMap::from([(true, 'x')]))]);
    let text = json(Rules::JSON, &keys).unwrap();
    assert_eq!(text, format!(r#"{{"{}":{{"true":"x"}}}}"#, i128::MIN));
    let guard = Guard::for_bytes(Rules::JSON, text.len());
    let mut source = serde_json::Deserializer::from_str(&text);
    let back: BTreeMap<i128, BTreeMap<bool, char>> = guard.read(&mut source).unwrap();
    assert_eq!(back, keys);
    let refusal = Some(Refusal::Key);
    assert_eq!(json(Rules::JSON, &BTreeMap::from([([1], 1)])), Err((String::new(), refusal)));
}

#[test]
fn numbers_without_a_wrapper_keep_their_checks_and_paths() {
    let read = |text: &str| {
        let guard = Guard::for_bytes(Rules::JSON, text.len());
        let mut source = serde_json::Deserializer::from_str(text);
        let read: Result<Vec<f32>, _> = guard.read(&mut source);
        read.map_err(|error| guard.error(error).path().to_owned())
    };
    assert_eq!(read("[0.5,2]"), Ok(vec![0.5, 2.0]));
    assert_eq!(read("[0.5,1e39]"), Err("[1]".into()), "it is no f32");
    assert_eq!(read("[0.5,1,\"2\"]"), Err("[2]".into()));
    let infinite = Some(Refusal::Number("an infinity"));
    assert_eq!(json(Rules::JSON, &[1.0, f64::INFINITY]), Err(("[1]".into(), infinite)));
}
