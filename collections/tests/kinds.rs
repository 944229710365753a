//! Every kind of field, written and read back.
#![allow(clippy::unwrap_used, missing_docs)]

use larder_collections::{Collection, Encoded, LarderCollections, Media, Vector};
use larder_core::{BoxError, Registry};
use serde::{Deserialize, Serialize};

/// A serializer of text.
#[derive(Debug)]
struct Upper;

impl larder_core::Serializer<String> for Upper {
    const NAME: &'static str = "upper";

    fn encode(value: &String, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
        Ok(out.write_all(value.to_uppercase().as_bytes())?)
    }

    fn decode(bytes: &larder_core::bytes::Bytes) -> Result<String, BoxError> {
        Ok(String::from_utf8(bytes.to_vec())?.to_lowercase())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Red,
    White,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Inner {
    a: Option<i16>,
    b: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rich {
    name: String,
    kind: Kind,
    vector: Vector<3>,
    maybe: Option<Vector<2>>,
    inner: Inner,
    picture: Media,
    encoded: Encoded<String, Upper>,
    flag: bool,
    number: Option<u8>,
}

/// In the manifest, and in a file.
#[test]
fn every_kind_of_field_is_read_back() {
    read_back("a word");
    read_back(&"many words ".repeat(300));
}

fn read_back(word: &str) {
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    let all: Collection<Rich> = larder.collection("rich").unwrap().with_key("name");
    let row = Rich {
        name: "a".into(),
        kind: Kind::White,
        vector: Vector::from([1.0, f32::NAN, -0.5]),
        maybe: None,
        inner: Inner { a: Some(-3), b: vec!["x".into(), String::new()] },
        picture: Media::new("image/png", &b"\x89PNG"[..]),
        encoded: Encoded::new(word.to_owned()),
        flag: true,
        number: Some(255),
    };
    let other = Rich {
        name: "b".into(),
        maybe: Some(Vector::from([1.0, 2.0])),
        kind: Kind::Red,
        ..row.clone()
    };
    all.insert(&[row.clone(), other.clone()]).unwrap();
    let schema = all.latest().unwrap().schema().clone();
    let kinds: Vec<String> = schema.fields().iter().map(|field| field.kind.to_string()).collect();
    assert_eq!(
        kinds[1..5],
        ["text", "vector<float32, 3>", "vector<float32, 2>", "struct<a: int16?, b: list<text>>"]
    );
    assert_eq!(schema.field("encoded").unwrap().serializer.as_deref(), Some("upper"));
    let back = all.get("a").unwrap().unwrap();
    assert!(back.vector[1].is_nan());
    assert_eq!(back.encoded.get().unwrap(), word);
    assert_eq!(
        (back.kind, back.inner, back.picture, back.number),
        (row.kind, row.inner, row.picture, row.number)
    );
    assert_eq!(all.get("b").unwrap().unwrap().maybe, other.maybe);
    let parts: Vec<_> =
        all.latest().unwrap().vectors("vector").unwrap().map(Result::unwrap).collect();
    assert_eq!(parts[0].vectors.value_length(), 3);
}
