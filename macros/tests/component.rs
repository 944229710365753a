//! Tests of `#[derive(Component)]`.
#![allow(missing_docs, clippy::unwrap_used)]

use larder::store::ItemKind;
use larder::{Component, ComponentType, Registry};

#[test]
fn compile_errors() {
    let tests = trybuild::TestCases::new();
    tests.pass("tests/ui/pass/*.rs");
    tests.compile_fail("tests/ui/fail/*.rs");
}

/// A crate that re-exports `larder` under another name.
mod kitchen {
    pub(crate) mod pantry {
        pub(crate) use larder as food;
    }
}

mod deep {
    pub(crate) mod down {
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Serialize, Deserialize, PartialEq, larder::Component)]
        #[component(tag = "test/jam", crate = crate::kitchen::pantry::food)]
        pub(crate) struct Jam {
            pub(crate) fruit: String,
        }
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize, PartialEq, Component)]
#[component(tag = "test/doubler", model)]
struct Doubler {
    times: f64,
}

impl larder::Predict for Doubler {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> larder::Result<f64> {
        Ok(self.times * input)
    }
}

#[derive(Debug, serde::Serialize, serde::Deserialize, PartialEq, Component)]
#[component(tag = "test/lid")]
enum Lid {
    None,
    Screw { turns: u8 },
}

#[test]
fn round_trips_type_with_custom_crate_path() {
    let larder = larder::open("memory:").unwrap();
    let jam = deep::down::Jam { fruit: "quince".into() };
    larder.apply("jam", &jam).unwrap();
    assert_eq!(larder.load::<deep::down::Jam>("jam").unwrap(), jam);
}

#[test]
fn round_trips_enum() {
    let larder = larder::open("memory:").unwrap();
    for lid in [Lid::None, Lid::Screw { turns: 3 }] {
        larder.apply("lid", &lid).unwrap();
        assert_eq!(larder.load::<Lid>("lid").unwrap(), lid);
    }
    assert_eq!(larder.versions("lid").unwrap().len(), 2);
}

#[test]
fn tag_is_the_declared_one() {
    assert_eq!(deep::down::Jam::TAG, "test/jam");
    let component: &dyn Component = &Lid::None;
    assert_eq!(component.type_tag(), "test/lid");
}

#[test]
fn registry_lists_types_with_tag_and_origin() {
    let registry = Registry::linked().unwrap();
    let known: Vec<_> = registry
        .types()
        .filter(|(entry, _)| !entry.tag().starts_with("larder/")) // Larder's own
        .map(|(entry, origin)| (entry.tag(), entry.signature().is_some(), origin.to_owned()))
        .collect();
    let origin = format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    assert_eq!(
        known,
        [
            ("test/doubler", true, origin.clone()),
            ("test/jam", false, origin.clone()),
            ("test/lid", false, origin),
        ]
    );
}

#[test]
fn model_predicts_after_untyped_load() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("doubler", &Doubler { times: 2.0 }).unwrap();
    let model = larder.load_model("doubler").unwrap();
    assert_eq!(model.predict_json("21").unwrap(), "42.0");
}

#[test]
fn component_without_model_option_is_not_a_model() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("lid", &Lid::None).unwrap();
    let error = larder.load_model("lid").unwrap_err();
    assert!(matches!(error, larder::Error::NotAModel { .. }), "{error}");
}

#[test]
fn nested_component_keeps_its_tag() {
    let boxed: Box<dyn Component> = Box::new(Lid::Screw { turns: 2 });
    let json = serde_json::to_string(&boxed).unwrap();
    assert_eq!(json, r#"{"type":"test/lid","fields":{"Screw":{"turns":2}}}"#);
    let back: Box<dyn Component> = serde_json::from_str(&json).unwrap();
    assert_eq!(back.type_tag(), "test/lid");
}

#[test]
fn rejects_duplicate_tag() {
    let mut registry = Registry::linked().unwrap();
    let error = registry.register(larder::Item::component::<Lid>()).unwrap_err();
    let larder::Error::Duplicate { kind: ItemKind::Type, name, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(name, "test/lid");
}
