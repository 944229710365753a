//! A hand-written `Serialize` that declares other lengths than it writes.

use std::collections::BTreeMap;

use larder::prelude::*;
use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{Fate, fates, kept_by_all};

/// Declares one less than it writes, as the tokenizers of Hugging Face do.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Struct {
    a: u8,
    b: u8,
    c: Vec<u16>,
}

impl Serialize for Struct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Struct", 2)?;
        fields.serialize_field("a", &self.a)?;
        fields.serialize_field("b", &self.b)?;
        fields.serialize_field("c", &self.c)?;
        fields.end()
    }
}

/// Declares `declares` more entries than it writes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
struct Map<const DECLARES: isize>(BTreeMap<String, u8>);

impl<const DECLARES: isize> Serialize for Map<DECLARES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(self.0.len().checked_add_signed(DECLARES))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
struct Seq<const DECLARES: isize>(Vec<u8>);

impl<const DECLARES: isize> Serialize for Seq<DECLARES> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(self.0.len().checked_add_signed(DECLARES))?;
        for value in &self.0 {
            seq.serialize_element(value)?;
        }
        seq.end()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
struct Tuple([u8; 3]);

impl Serialize for Tuple {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(4)?;
        for value in &self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct TupleStruct(u8, String, u8);

impl Serialize for TupleStruct {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple_struct("TupleStruct", 1)?;
        tuple.serialize_field(&self.0)?;
        tuple.serialize_field(&self.1)?;
        tuple.serialize_field(&self.2)?;
        tuple.end()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
enum Variants {
    Struct { a: u8, b: u8 },
    Tuple(u8, u8),
}

impl Serialize for Variants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Struct { a, b } => {
                let mut fields = serializer.serialize_struct_variant("V", 0, "Struct", 20)?;
                fields.serialize_field("a", a)?;
                fields.serialize_field("b", b)?;
                fields.end()
            }
            Self::Tuple(a, b) => {
                let mut fields = serializer.serialize_tuple_variant("V", 1, "Tuple", 0)?;
                fields.serialize_field(a)?;
                fields.serialize_field(b)?;
                fields.end()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rows<T> {
    first: u64,
    rows: Vec<T>,
    last: String,
}

/// A value in the middle of others.
fn among<T: Clone>(value: T) -> Rows<T> {
    Rows { first: 1 << 40, rows: vec![value.clone(), value], last: "last".into() }
}

fn map() -> BTreeMap<String, u8> {
    (0..20).map(|key| (format!("key {key}"), key)).collect()
}

/// MessagePack and JSON write the length that is right; positional formats refuse it.
#[track_caller]
fn only_positional_formats_refuse<T>(value: T, counts: &str)
where
    T: Clone + PartialEq + std::fmt::Debug + Serialize + for<'de> Deserialize<'de> + 'static,
{
    let [msgpack, json, bincode, postcard] = fates(&among(value));
    assert_eq!([msgpack, json], [Fate::Same, Fate::Same]);
    for refused in [bincode, postcard] {
        refused.names(&["at `rows[0]", counts]);
    }
}

#[test]
fn structs_tuples_and_variants() {
    let fields = Struct { a: 1, b: 2, c: vec![3; 5] };
    only_positional_formats_refuse(fields, "declares 2 fields, entries or elements and writes 3");
    only_positional_formats_refuse(Tuple([7, 8, 9]), "declares 4");
    only_positional_formats_refuse(TupleStruct(7, "eight".into(), 9), "declares 1");
    only_positional_formats_refuse(Variants::Struct { a: 1, b: 2 }, "declares 20");
    only_positional_formats_refuse(Variants::Tuple(1, 2), "declares 0");
}

#[test]
fn maps_and_sequences_have_their_right_lengths_in_every_format() {
    kept_by_all(&among(Map::<-1>(map())));
    kept_by_all(&among(Map::<7>(map())));
    kept_by_all(&among(Map::<-20>(map())));
    kept_by_all(&among(Seq::<-1>(vec![7, 8, 9])));
    kept_by_all(&among(Seq::<1000>(vec![7, 8, 9])));
    kept_by_all(&among(Seq::<-3>(vec![7, 8, 9])));
    kept_by_all(&Map::<1>(BTreeMap::new()));
    kept_by_all(&among(Map::<0>(map())));
    // Wrong inside of wrong.
    kept_by_all(&vec![vec![Seq::<1>(vec![1; 300]); 3]; 2]);
}

#[test]
fn after_more_bytes_than_are_held_back_a_wrong_length_is_refused_with_its_path() {
    let rows = vec![Seq::<0>(vec![200; 1 << 20]); 9];
    let late = (rows, Seq::<1>(vec![1, 2]));
    let [msgpack, json, bincode, postcard] = fates(&late);
    assert_eq!(json, Fate::Same);
    for refused in [msgpack, bincode, postcard] {
        refused.names(&["at `[1]`", "declares 3", "writes 2"]);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-counts")]
struct Fields {
    a: Struct,
    b: Map<-1>,
    c: Seq<-3>,
    d: Tuple,
    e: Vec<Variants>,
    f: Map<-20>,
    g: TupleStruct,
}

#[test]
fn fields_of_a_manifest_have_no_lengths() {
    let larder = larder::open("memory:").unwrap();
    let fields = Fields {
        a: Struct { a: 1, b: 2, c: Vec::new() },
        b: Map([("a".to_owned(), 1)].into()),
        c: Seq(vec![1, 2, 3]),
        d: Tuple([1, 2, 3]),
        e: vec![Variants::Struct { a: 1, b: 2 }, Variants::Tuple(3, 4)],
        f: Map(map()),
        g: TupleStruct(7, "eight".into(), 9),
    };
    larder.apply("fields", &fields).unwrap();
    assert_eq!(larder.load::<Fields>("fields").unwrap(), fields);
}
