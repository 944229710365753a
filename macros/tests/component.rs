//! `#[derive(Component)]` as its users see it.
#![allow(missing_docs, clippy::unwrap_used)]

use larder::{Component, ComponentType, ItemKind, Registry};

#[test]
fn what_compiles_and_what_each_misuse_says() {
    let tests = trybuild::TestCases::new();
    tests.pass("tests/ui/pass/*.rs");
    tests.compile_fail("tests/ui/fail/*.rs");
}

/// Where another crate re-exports `larder` under a name of its own.
mod kitchen {
    pub(crate) mod pantry {
        pub(crate) use larder as shelf;
    }
}

mod deep {
    pub(crate) mod down {
        use serde::{Deserialize, Serialize};

        #[derive(Debug, Serialize, Deserialize, PartialEq, larder::Component)]
        #[component(tag = "test/jam", crate = crate::kitchen::pantry::shelf)]
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
fn a_type_in_a_nested_module_with_a_path_of_its_own_to_larder_comes_back() {
    let larder = larder::open("memory:").unwrap();
    let jam = deep::down::Jam { fruit: "quince".into() };
    larder.apply("jam", &jam).unwrap();
    assert_eq!(larder.load::<deep::down::Jam>("jam").unwrap(), jam);
}

#[test]
fn an_enum_comes_back_variant_by_variant() {
    let larder = larder::open("memory:").unwrap();
    for lid in [Lid::None, Lid::Screw { turns: 3 }] {
        larder.apply("lid", &lid).unwrap();
        assert_eq!(larder.load::<Lid>("lid").unwrap(), lid);
    }
    assert_eq!(larder.versions("lid").unwrap().len(), 2);
}

#[test]
fn the_tag_is_the_one_written_by_hand() {
    assert_eq!(deep::down::Jam::TAG, "test/jam");
    let component: &dyn Component = &Lid::None;
    assert_eq!(component.type_tag(), "test/lid");
}

#[test]
fn the_registry_knows_each_type_by_its_tag_and_where_it_comes_from() {
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
fn a_model_predicts_after_it_was_loaded_by_name_alone() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("doubler", &Doubler { times: 2.0 }).unwrap();
    let model = larder.load_model("doubler").unwrap();
    assert_eq!(model.predict_json("21").unwrap(), "42.0");
}

#[test]
fn what_is_not_called_a_model_is_none() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("lid", &Lid::None).unwrap();
    let error = larder.load_model("lid").unwrap_err();
    assert!(matches!(error, larder::Error::NotAModel { .. }), "{error}");
}

#[test]
fn a_component_inside_another_value_keeps_its_tag() {
    let boxed: Box<dyn Component> = Box::new(Lid::Screw { turns: 2 });
    let json = serde_json::to_string(&boxed).unwrap();
    assert_eq!(json, r#"{"type":"test/lid","fields":{"Screw":{"turns":2}}}"#);
    let back: Box<dyn Component> = serde_json::from_str(&json).unwrap();
    assert_eq!(back.type_tag(), "test/lid");
}

#[test]
fn a_second_type_with_the_same_tag_is_refused_with_both_names() {
    let mut registry = Registry::linked().unwrap();
    let error = registry.register(larder::Item::component::<Lid>()).unwrap_err();
    assert!(matches!(error, larder::Error::Duplicate { kind: ItemKind::Type, .. }), "{error}");
    assert!(error.to_string().contains("test/lid"), "{error}");
}
