//! Values that the manifest cannot hold exactly.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use larder::Error;
use larder::prelude::*;
use larder_tests::errors::message;

use super::{assert_empty, larder};

#[derive(Debug, Default, Serialize, Deserialize, Component)]
#[component(tag = "test/fields")]
struct Fields {
    artifact: Artifact<String>,
    layers: Vec<Layer>,
    large: Option<u128>,
    signed: Option<i128>,
    keys: BTreeMap<String, BTreeMap<u32, bool>>,
    pairs: BTreeMap<(u8, u8), u8>,
    nested: Option<Option<u8>>,
    unit: Option<()>,
    choice: Option<Choice>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Layer {
    weight: f32,
    bias: (u8, f64),
}

#[derive(Debug, Serialize, Deserialize)]
enum Choice {
    Rate(f64),
    Rates { all: Vec<f64> },
}

/// Fields that are refused after an artifact was encoded.
#[track_caller]
fn refused(fields: Fields, path: &str, reason: &str) {
    let (larder, _) = larder();
    let fields = Fields { artifact: Artifact::new("encoded before it".into()), ..fields };
    let error = larder.apply("wine/fields", &fields).unwrap_err();
    let Error::Lossy { what, path: found, reason: said, advice } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(what, "wine/fields (a `test/fields`)");
    assert_eq!(found, path);
    assert!(said.contains(reason), "{said}");
    assert!(advice.contains("`Artifact`"), "{advice}");
    assert!(message(&error).contains(advice), "{error}");
    assert_empty(&larder);
}

fn layers(last: Layer) -> Vec<Layer> {
    vec![Layer::default(), Layer::default(), Layer::default(), last]
}

#[test]
fn nan_is_refused_with_its_path() {
    let last = Layer { weight: f32::NAN, ..Layer::default() };
    let fields = Fields { layers: layers(last), ..Fields::default() };
    refused(fields, "layers[3].weight", "NaN");
}

#[test]
fn infinity_is_refused_with_its_path() {
    let last = Layer { bias: (1, f64::NEG_INFINITY), ..Layer::default() };
    let fields = Fields { layers: layers(last), ..Fields::default() };
    refused(fields, "layers[3].bias[1]", "infinity");
}

#[test]
fn nan_in_an_enum_is_refused_with_its_path() {
    let reason = "NaN";
    let choice = Some(Choice::Rate(f64::NAN));
    refused(Fields { choice, ..Fields::default() }, "choice.Rate", reason);
    let choice = Some(Choice::Rates { all: vec![0.0, f64::NAN] });
    refused(Fields { choice, ..Fields::default() }, "choice.all[1]", reason);
}

#[test]
fn integers_of_128_bits_are_refused_however_small() {
    let reason = "128-bit";
    refused(Fields { large: Some(1), ..Fields::default() }, "large", reason);
    refused(Fields { signed: Some(i128::MIN), ..Fields::default() }, "signed", reason);
}

#[test]
fn rejects_map_keys_that_are_not_text() {
    let reason = "map key";
    let pairs = [((1, 2), 3)].into();
    refused(Fields { pairs, ..Fields::default() }, "pairs", reason);
}

#[test]
fn some_none_is_refused() {
    let reason = "`Some(None)`";
    refused(Fields { nested: Some(None), ..Fields::default() }, "nested", reason);
    refused(Fields { unit: Some(()), ..Fields::default() }, "unit", reason);
}

#[test]
fn what_json_holds_exactly_is_not_refused() {
    let (larder, _) = larder();
    let layer = Layer { weight: f32::MAX, bias: (255, 5e-324) };
    let keys = [("ü \" \n".into(), BTreeMap::new())].into();
    let nested = Some(Some(0));
    let fields = Fields { layers: layers(layer), keys, nested, ..Fields::default() };
    larder.apply("wine/fields", &fields).unwrap();
    let loaded: Fields = larder.load("wine/fields").unwrap();
    assert_eq!(loaded.layers[3].bias, (255, 5e-324));
    assert_eq!(loaded.nested, Some(Some(0)));
    assert!(loaded.keys.contains_key("ü \" \n"));
}

/// A component that may hold itself.
#[derive(Clone, Default, Component)]
#[component(tag = "test/cyclic")]
struct Cyclic(Arc<Mutex<Option<Cyclic>>>);

impl Serialize for Cyclic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let next = self.0.try_lock().map(|next| next.clone()).expect("one thread, one lock");
        serializer.serialize_newtype_struct("Cyclic", &next)
    }
}

impl<'de> Deserialize<'de> for Cyclic {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::new(Mutex::new(Option::deserialize(deserializer)?))))
    }
}

/// A component whose artifact may hold that artifact again.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/cyclic-artifact")]
struct CyclicArtifact {
    inner: Artifact<Cyclic>,
}

#[test]
fn a_cycle_is_refused_in_a_field_and_in_an_artifact() {
    let (larder, _) = larder();
    let cycle = Cyclic::default();
    *cycle.0.lock().unwrap() = Some(cycle.clone());
    let error = larder.apply("cycle", &cycle).unwrap_err();
    let Error::Lossy { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("120 levels") && reason.contains("cycle"), "{reason}");
    let outer = CyclicArtifact { inner: Artifact::new(cycle.clone()) };
    let error = larder.apply("cycle", &outer).unwrap_err();
    let Error::Encode { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("`inner`"), "{what}");
    assert!(message(&error).contains("cycle"), "{error:?}");
    assert_empty(&larder);
    *cycle.0.lock().unwrap() = None;
    assert!(larder.apply("cycle", &outer).unwrap().is_created(), "without the cycle it is kept");
}
