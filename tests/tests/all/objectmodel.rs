//! Functions, and methods of types with state, as models.

mod code;
mod input;
mod state;
mod workers;

use larder::prelude::*;
use larder::{ComponentType, Error, objectmodel};
use larder_tests::errors::message;

/// Adds two numbers.
#[objectmodel]
fn my_model(x: f64, y: f64) -> f64 {
    x + y
}

#[objectmodel(tag = "test/root")]
fn root(x: f64) -> Result<f64, String> {
    if x < 0.0 { Err(format!("{x} has no root")) } else { Ok(x.sqrt()) }
}

fn larder() -> Larder {
    larder::open("memory:").unwrap()
}

#[test]
fn the_function_is_called_as_before_and_its_model_predicts_after_it_was_loaded_by_name() {
    assert_eq!(my_model(1.0, 2.0), 3.0);
    let larder = larder();
    assert!(larder.apply("sum", &my_model::model()).unwrap().is_created());
    assert!(!larder.apply("sum", &my_model::model()).unwrap().is_created());

    let model = larder.load_model("sum").unwrap();
    assert_eq!(model.predict_json(r#"{"x": 1.0, "y": 2.0}"#).unwrap(), "3.0");
    assert_eq!(model.predict_json(r#"{"y": 2, "x": 1}"#).unwrap(), "3.0");
    let loaded: my_model = larder.load("sum").unwrap();
    assert_eq!(loaded, my_model::model());
    assert_eq!(loaded.predict((1.0, 2.0).into()).unwrap(), 3.0);
}

#[test]
fn without_a_tag_a_function_has_the_packages_name_and_its_own() {
    assert_eq!(my_model::TAG, "larder-tests/my_model");
    assert_eq!(root::TAG, "test/root");
}

#[test]
fn the_signature_names_and_types_the_arguments() {
    let signature = larder_of(&my_model::model()).load_model("it").unwrap().signature();
    let input = signature.input.as_object().unwrap();
    assert_eq!(input["title"], "my_model");
    assert_eq!(input["description"], "Adds two numbers.");
    assert_eq!(input["type"], "object");
    assert_eq!(input["required"], serde_json::json!(["x", "y"]));
    assert_eq!(input["additionalProperties"], false);
    assert_eq!(input["properties"]["x"]["type"], "number");
    assert_eq!(signature.output.as_object().unwrap()["type"], "number");
}

fn larder_of(component: &dyn Component) -> Larder {
    let larder = larder();
    larder.apply("it", component).unwrap();
    larder
}

#[test]
fn a_function_that_returns_a_result_gives_its_value_or_fails_with_its_error() {
    let model = larder_of(&root::model()).load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"x": 4}"#).unwrap(), "2.0");
    let error = model.predict_json(r#"{"x": -4}"#).unwrap_err();
    assert!(matches!(error, Error::Predict { row: None, .. }), "{error:?}");
    assert!(message(&error).ends_with(": -4 has no root"), "{error:?}");
}

#[objectmodel(tag = "test/relay")]
fn relay(kind: String) -> larder::Result<()> {
    match kind.as_str() {
        "refused" => Err(Error::Refused { action: "it".into(), reason: "no".into() }),
        "io" => Err(Error::predict(std::io::Error::other("the disk is gone"))),
        _ => Ok(()),
    }
}

#[test]
fn an_error_of_larders_own_stays_what_it_is() {
    let refused = relay::model().predict(("refused".to_owned(),).into()).unwrap_err();
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
    let failed = relay::model().predict(("io".to_owned(),).into()).unwrap_err();
    assert!(matches!(failed, Error::Predict { row: None, .. }), "{failed:?}");
    assert!(message(&failed).ends_with(": the disk is gone"), "{failed:?}");
    assert_eq!((&relay::model() as &dyn Model).predict_json(r#"{"kind":""}"#).unwrap(), "null");
}

#[objectmodel(tag = "test/no-arguments")]
fn answer() -> u8 {
    42
}

#[test]
fn a_function_without_arguments_takes_an_empty_object() {
    let model = larder_of(&answer::model()).load_model("it").unwrap();
    assert_eq!(model.predict_json("{}").unwrap(), "42");
    let error = model.predict_json(r#"{"x": 1}"#).unwrap_err();
    assert!(matches!(error, Error::Input { .. }) && message(&error).contains("`x`"), "{error:?}");
}

#[objectmodel(tag = "test/told")]
fn told(
    /// How often.
    #[serde(default = "twice")]
    times: usize,
    #[serde(rename = "word")] mut r#type: String,
    spare: Option<u8>,
) -> String {
    r#type.push_str(&"!".repeat(usize::from(spare.unwrap_or_default())));
    r#type.repeat(times)
}

fn twice() -> usize {
    2
}

#[test]
fn arguments_take_docs_and_serde_attributes_and_may_be_left_out_if_optional() {
    let model = larder_of(&told::model()).load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"word": "ab"}"#).unwrap(), r#""abab""#);
    let all = r#"{"word": "ab", "times": 1, "spare": 2}"#;
    assert_eq!(model.predict_json(all).unwrap(), r#""ab!!""#);
    let input = model.signature().input;
    let properties = &input.as_object().unwrap()["properties"];
    assert_eq!(properties["times"]["description"], "How often.");
    assert_eq!(input.as_object().unwrap()["required"], serde_json::json!(["word"]));
}

#[test]
fn a_model_may_be_made_of_a_function_inside_a_function() {
    #[derive(Deserialize, JsonSchema)]
    struct Bottle {
        age: u32,
    }

    #[objectmodel(tag = "test/inner")]
    fn inner(bottle: Bottle, input: f64) -> f64 {
        f64::from(bottle.age) * input
    }

    let model = larder_of(&inner::model()).load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"bottle": {"age": 3}, "input": 2}"#).unwrap(), "6.0");
}

mod kitchen {
    pub(crate) mod pantry {
        pub(crate) use larder as shelf;
    }
}

mod deep {
    #[larder::objectmodel(tag = "test/elsewhere", crate = crate::objectmodel::kitchen::pantry::shelf)]
    pub(crate) fn elsewhere(n: u8) -> Vec<u8> {
        vec![n; 2]
    }
}

#[test]
fn a_model_reaches_larder_by_a_path_of_its_own() {
    let model = larder_of(&deep::elsewhere::model()).load_model("it").unwrap();
    assert_eq!(model.predict_json(r#"{"n": 7}"#).unwrap(), "[7,7]");
}

#[test]
fn messagepack_goes_in_and_out_by_names_and_by_places() {
    let model = larder_of(&my_model::model()).load_model("it").unwrap();
    let named = rmp_serde::to_vec(&serde_json::json!({"x": 1.5, "y": 2})).unwrap();
    let placed = rmp_serde::to_vec(&(1.5, 2.0)).unwrap();
    for bytes in [named, placed] {
        let mut out = Vec::new();
        model
            .predict_with(
                &mut rmp_serde::Deserializer::new(&bytes[..]),
                &mut rmp_serde::Serializer::new(&mut out),
            )
            .unwrap();
        assert_eq!(rmp_serde::from_slice::<f64>(&out).unwrap(), 3.5);
    }
}

#[test]
fn typed_values_go_through_a_model_of_unknown_type_without_being_encoded() {
    let model = larder_of(&root::model()).load_model("it").unwrap();
    type Input = <root as Predict>::Input;
    assert_eq!(model.predict_typed::<Input, f64>((9.0,).into()).unwrap(), 3.0);
    let failed = model.predict_typed::<Input, f64>((-9.0,).into()).unwrap_err();
    assert!(matches!(failed, Error::Predict { .. }), "{failed:?}");
    let input = model.predict_typed::<f64, f64>(9.0).unwrap_err();
    assert!(matches!(input, Error::Input { .. }), "{input:?}");
    assert!(message(&input).contains("root_input"), "{input:?}");
    let output = model.predict_typed::<Input, f32>((9.0,).into()).unwrap_err();
    assert!(message(&output).contains("`f64`"), "{output:?}");
}
