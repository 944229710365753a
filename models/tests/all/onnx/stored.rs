//! Stored ONNX models.

use std::fs;

use larder_core::{Component as _, Error, Larder, Registry};
use larder_models::onnx::Value;
use larder_models::{ModelKind, OnnxModel};

use super::{fixture, model};

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

#[test]
fn round_trips_file() {
    let larder = larder();
    let applied = larder.apply("digits", &model("digits_mlp")).unwrap();
    assert!(applied.is_created());
    assert!(!larder.apply("digits", &model("digits_mlp")).unwrap().is_created());
    let back: OnnxModel = larder.load("digits").unwrap();
    assert_eq!(back.file().unwrap(), fs::read(fixture("digits_mlp.onnx")).unwrap());
    assert!(!larder.apply("digits", &back).unwrap().is_created());
}

#[test]
fn manifest_has_inputs_and_outputs() {
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
fn untyped_model_predicts_with_arrays() {
    let larder = larder();
    larder.apply("fixed", &model("fixed")).unwrap();
    let loaded = larder.load_model("fixed").unwrap();
    let input = vec![Value::new(&[2, 2], &[1.0_f32, 2.0, 3.0, 4.0]).unwrap()];
    let output: Vec<Value> = loaded.predict_typed(input).unwrap();
    assert_eq!(output[0].as_slice::<f32>().unwrap(), [-1.0, -2.0, -3.0, -4.0]);
    assert!(matches!(loaded.predict_typed::<f64, f64>(1.0), Err(Error::Input { .. })));
}

#[test]
fn signature_needs_no_build() {
    let larder = larder();
    larder.apply("digits", &model("digits_cnn")).unwrap();
    let component = larder.load_component("digits").unwrap();
    let signature = component.as_model().unwrap().signature();
    assert_eq!(signature, model("digits_cnn").as_model().unwrap().signature());
}

#[test]
fn rejects_file_that_differs_from_manifest() {
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
fn rejects_too_many_dimensions() {
    let text = serde_json::to_string(&model("fixed")).unwrap();
    let dims = vec!["1"; 1000].join(",");
    let forged = text.replace("\"shape\":[2,2]", &format!("\"shape\":[{dims}]"));
    assert!(serde_json::from_str::<OnnxModel>(&forged).is_err());
}

#[test]
fn detects_every_fixture() {
    for file in fs::read_dir(fixture("")).unwrap() {
        let path = file.unwrap().path();
        let onnx = path.extension().is_some_and(|extension| extension == "onnx");
        let kind = ModelKind::of_file(&path).unwrap();
        assert_eq!(kind == ModelKind::Onnx, onnx, "{}", path.display());
    }
}
