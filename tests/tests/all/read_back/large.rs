//! Artifacts of more than a megabyte are read back once for each type, and on request.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::Postcard;
use larder::{ApplyOptions, BoxError, Error, Serializer};

use super::fate;

/// Counts what it decodes.
struct Counting;

static DECODED: AtomicUsize = AtomicUsize::new(0);

impl Serializer<Vec<u8>> for Counting {
    const NAME: &'static str = "test-counting";
    fn encode(value: &Vec<u8>, out: &mut dyn Write) -> Result<(), BoxError> {
        Ok(out.write_all(value)?)
    }
    fn decode(bytes: &Bytes) -> Result<Vec<u8>, BoxError> {
        DECODED.fetch_add(1, Ordering::SeqCst);
        Ok(bytes.to_vec())
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-large")]
struct Large {
    bytes: Artifact<Vec<u8>, Counting>,
}

#[test]
fn a_large_artifact_is_read_back_once_for_its_type_and_on_request() {
    let larder = larder::open("memory:").unwrap();
    let apply = |first: u8, len: usize, options: &ApplyOptions| {
        let before = DECODED.load(Ordering::SeqCst);
        let mut bytes = vec![0; len];
        bytes[0] = first;
        larder.apply_with("large", &Large { bytes: bytes.into() }, options).unwrap();
        DECODED.load(Ordering::SeqCst) - before
    };
    let (default, off) = (ApplyOptions::new(), ApplyOptions::new().read_back(false));
    let all = ApplyOptions::new().read_back_all();
    assert_eq!(apply(1, 1 << 20, &off), 0);
    assert_eq!(apply(2, 1 << 20, &default), 1, "up to 1 MiB it is small");
    assert_eq!(apply(3, 1 << 20, &default), 1, "and read back each time");
    assert_eq!(apply(4, 3 << 20, &default), 1, "the first large one");
    assert_eq!(apply(5, 3 << 20, &default), 0);
    assert_eq!(apply(6, 3 << 20, &all), 1);
    assert_eq!(apply(7, 1000, &default), 1);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Text(String),
    Bytes(Vec<u32>),
}

#[test]
fn a_large_value_that_cannot_be_read_back_is_refused_each_time() {
    for _ in 0..2 {
        let large = vec![Either::Text("x".repeat(1000)); 3000];
        fate::<Postcard, _>(&large).names(&["`postcard1`", "`[0]`"]);
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Layer {
    name: String,
    weights: Artifact2,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Artifact2(Artifact<Vec<f32>>);

impl PartialEq for Artifact2 {
    fn eq(&self, other: &Self) -> bool {
        self.0.get().unwrap() == other.0.get().unwrap()
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/read-back-nested")]
struct Nested {
    layers: Artifact<Vec<Layer>>,
    again: Vec<Artifact<Vec<Layer>, Postcard>>,
}

#[test]
fn artifacts_in_artifacts_are_compared_by_their_links() {
    let layer = |number: u8| Layer {
        name: format!("layer {number}"),
        weights: Artifact2(Artifact::new(vec![number.into(); 1000])),
    };
    let layers: Vec<_> = (0..5).map(layer).collect();
    let nested = Nested {
        layers: layers.clone().into(),
        again: vec![layers.clone().into(), layers[1..].to_vec().into()],
    };
    let larder = larder::open("memory:").unwrap();
    larder.plan("nested", &nested).unwrap();
    larder.apply("nested", &nested).unwrap();
    let loaded: Nested = larder.load("nested").unwrap();
    assert_eq!(loaded.layers.get().unwrap(), &layers);
    assert_eq!(loaded.again[1].get().unwrap(), &layers[1..]);
    let shown = larder.show("nested").unwrap();
    assert_eq!(
        shown.manifest.artifacts().len(),
        5 + 3,
        "nothing is listed that only the check wrote"
    );
    let error = larder.load::<Nested>("missing").err().unwrap();
    assert!(matches!(&error, Error::NotFound { reference, .. } if reference == "missing"));
}
