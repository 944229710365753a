//! ONNX models in a larder.

use std::fs;

use larder_core::{Component as _, Error, Larder, Registry};
use larder_models::onnx::Value;
use larder_models::{ModelKind, OnnxModel};

use super::{fixture, model};

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

#[test]
fn the_file_is_kept_as_it_is_and_comes_back_so() {
    let larder = larder();
    let applied = larder.apply("digits", &model("digits_mlp")).unwrap();
    assert!(applied.is_created());
    assert!(!larder.apply("digits", &model("digits_mlp")).unwrap().is_created());
    let back: OnnxModel = larder.load("digits").unwrap();
    assert_eq!(back.file().unwrap(), fs::read(fixture("digits_mlp.onnx")).unwrap());
    assert!(!larder.apply("digits", &back).unwrap().is_created());
}

#[test]
fn the_manifest_says_what_it_takes_and_gives() {
    let larder = larder();
    larder.apply("both", &model("two_inputs")).unwrap();
    let shown = larder.show("both").unwrap();
    let fields: serde_json::Value = serde_json::from_str(shown.manifest.fields()).unwrap();
    let keys: Vec<_> = fields.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["file", "inputs", "outputs"]);
    assert_eq!(fields["file"]["serializer"], "file");
    assert_eq!(
        fields["inputs"],
        serde_json::json!([
            {"name": "a", "dtype": "float32", "shape": ["N", 3]},
            {"name": "b", "dtype": "int64", "shape": ["N", 2]},
        ])
    );
}

#[test]
fn a_loaded_model_predicts_with_arrays_through_its_erased_face_too() {
    let larder = larder();
    larder.apply("fixed", &model("fixed")).unwrap();
    let loaded = larder.load_model("fixed").unwrap();
    let input = vec![Value::new(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap()];
    let output: Vec<Value> = loaded.predict_typed(input).unwrap();
    assert_eq!(output[0].as_slice::<f32>().unwrap(), [-1.0, -2.0, -3.0, -4.0]);
    assert!(matches!(loaded.predict_typed::<f64, f64>(1.0), Err(Error::Input { .. })));
}

#[test]
fn the_signature_is_known_without_building_the_model() {
    let larder = larder();
    larder.apply("digits", &model("digits_cnn")).unwrap();
    let component = larder.load_component("digits").unwrap();
    let signature = component.as_model().unwrap().signature();
    assert_eq!(signature, model("digits_cnn").as_model().unwrap().signature());
}

#[test]
fn a_manifest_that_says_something_else_than_the_file_is_refused_on_the_first_prediction() {
    let text = serde_json::to_string(&model("fixed")).unwrap();
    assert!(
        serde_json::from_str::<OnnxModel>(&text)
            .unwrap()
            .predict([Value::new(&[2, 2], &[0.0_f32; 4]).unwrap()])
            .is_ok()
    );
    let forged = text.replace("\"shape\":[2,2]", "\"shape\":[1099511627776,2]");
    let forged: OnnxModel = serde_json::from_str(&forged).unwrap();
    let error = forged.predict([Value::new(&[2, 2], &[0.0_f32; 4]).unwrap()]);
    assert!(matches!(error, Err(Error::Input { .. })), "{error:?}");
    let forged = text.replace("\"name\":\"y\"", "\"name\":\"z\"");
    let forged: OnnxModel = serde_json::from_str(&forged).unwrap();
    let error = forged.predict([Value::new(&[2, 2], &[0.0_f32; 4]).unwrap()]);
    assert!(matches!(error, Err(Error::Predict { .. })), "{error:?}");
}

#[test]
fn a_manifest_of_a_thousand_dimensions_is_refused() {
    let text = serde_json::to_string(&model("fixed")).unwrap();
    let dims = vec!["1"; 1000].join(",");
    let forged = text.replace("\"shape\":[2,2]", &format!("\"shape\":[{dims}]"));
    assert!(serde_json::from_str::<OnnxModel>(&forged).is_err());
}

#[test]
fn every_fixture_is_recognised_as_onnx() {
    for file in fs::read_dir(fixture("")).unwrap() {
        let path = file.unwrap().path();
        let onnx = path.extension().is_some_and(|extension| extension == "onnx");
        let kind = ModelKind::of_file(&path).unwrap();
        assert_eq!(kind == ModelKind::Onnx, onnx, "{}", path.display());
    }
}
