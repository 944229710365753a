//! Errors say where in the value they arose.

use std::collections::BTreeMap;

use larder::serializers::{Bincode, Json, MsgPack, Postcard};
use larder_testkit::Codec;
use serde::{Deserialize, Serialize, Serializer};

use super::{Attacked, refused};

#[derive(Debug, Serialize, Deserialize)]
struct New {
    layers: Vec<NewLayer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NewLayer {
    weight: f32,
    momentum: Option<f32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Old {
    layers: Vec<OldLayer>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldLayer {
    weight: f32,
}

#[test]
fn a_stored_field_that_the_type_does_not_know_is_refused_with_its_path() {
    let layer = || NewLayer { weight: 1.0, momentum: None };
    let new = New { layers: vec![layer(), layer()] };
    let bytes = Codec::of::<MsgPack>().encode(&new).unwrap();
    let said = refused::<Old>(MsgPack, bytes);
    assert!(said.contains("`layers[0].momentum`"), "{said}");
    let bytes = Codec::of::<Json>().encode(&new).unwrap();
    let said = refused::<Old>(Json, bytes);
    assert!(said.contains("`layers[0].momentum`"), "{said}");
    // These do not name their fields; the second layer begins where the first has not ended.
    let bytes = Codec::of::<Bincode>().encode(&new).unwrap();
    refused::<Old>(Bincode, bytes);
    let bytes = Codec::of::<Postcard>().encode(&new).unwrap();
    refused::<Old>(Postcard, bytes);
}

#[derive(Debug, Serialize, Deserialize)]
struct Network<B> {
    layers: Vec<Layer<B>>,
    names: BTreeMap<String, ItemKind<B>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Layer<B> {
    bias: B,
}

#[derive(Debug, Serialize, Deserialize)]
enum ItemKind<B> {
    Dense { units: (u8, B) },
}

/// A number where a truth value is to be.
#[derive(Debug, Clone, Copy)]
enum Bias {
    Fits,
    Unfit,
}

impl Serialize for Bias {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fits => serializer.serialize_bool(true),
            Self::Unfit => serializer.serialize_u8(77),
        }
    }
}

impl<'de> Deserialize<'de> for Bias {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        bool::deserialize(deserializer).map(|_| Self::Fits)
    }
}

#[test]
fn the_error_names_the_path_of_what_does_not_fit() {
    fn said<T: Attacked>(format: T, network: &Network<Bias>) -> String {
        let bytes = format.typed().encode(network).unwrap();
        refused::<Network<bool>>(format, bytes)
    }
    let layers =
        |last| [Bias::Fits, Bias::Fits, Bias::Fits, last].map(|bias| Layer { bias }).into();
    let in_layers = Network { layers: layers(Bias::Unfit), names: BTreeMap::new() };
    let names = [("first".into(), ItemKind::Dense { units: (1, Bias::Unfit) })].into();
    let in_names = Network { layers: layers(Bias::Fits), names };
    let everywhere = |network| {
        [
            said(MsgPack, network),
            said(Json, network),
            said(Bincode, network),
            said(Postcard, network),
        ]
    };
    for said in everywhere(&in_layers) {
        assert!(said.contains("`layers[3].bias`"), "{said}");
    }
    for said in everywhere(&in_names) {
        assert!(said.contains("`names.first.units[1]`"), "{said}");
    }
}
