//! Sequences, optional values, types that Rust lacks, and files of old and unusual forms: with ONNX Runtime, where it is
//! found.

use larder_core::{Error, Model as _, Registry};
use larder_models::OnnxModel;
use larder_models::onnx::{DType, Engine, OpenOptions, Value};
use serde_json::{Value as Json, json};

use super::sample_path;

/// Opens a model, if the runtime is found.
fn model(name: &str) -> Option<OnnxModel> {
    if !super::runtime::found() {
        return None;
    }
    let options = OpenOptions::new().engine(Engine::OnnxRuntime);
    Some(OnnxModel::open_with(sample_path(&format!("{name}.onnx")), &options).unwrap())
}

fn predict(model: &OnnxModel, input: Json) -> Json {
    let output = model.predict_json_erased(&input.to_string()).unwrap();
    serde_json::from_str(&output).unwrap()
}

/// The path and the words of an error.
fn refused(model: &OnnxModel, input: Json) -> (String, String) {
    match model.predict_json_erased(&input.to_string()) {
        Err(Error::Input { path, source }) => (path, source.to_string()),
        other => panic!("{input}: {other:?}"),
    }
}

#[test]
fn narrow_types_are_numbers() {
    let Some(model) = model("narrow") else { return };
    assert_eq!(model.inputs()[1].dtype, DType::Float8e4m3fn);
    let exact = json!({
        "bfloat16": [1.5, "Infinity"], "float8e4m3fn": [448.0, "NaN"], "float8e4m3fnuz": [-240.0, 0.5],
        "float8e5m2": ["-Infinity", 57344.0], "float8e5m2fnuz": [0.25, "NaN"],
        "int4": [-8, 7], "uint4": [0, 15],
    });
    let found = predict(&model, exact.clone());
    for (name, value) in exact.as_object().unwrap() {
        assert_eq!(found[format!("{name}_out")], *value, "{name}");
    }
    // Other numbers are rounded, as `float32` is.
    let mut rounded = exact.clone();
    rounded["bfloat16"] = json!([0.1, 257]);
    rounded["float8e5m2"] = json!([1.1, 1e-9]);
    let found = predict(&model, rounded);
    assert_eq!(found["bfloat16_out"], json!([0.100_097_656, 256.0]));
    assert_eq!(found["float8e5m2_out"], json!([1.0, 0.0]));
    for (name, value) in [
        ("int4", json!(8)),
        ("uint4", json!(-1)),
        ("float8e4m3fn", json!(500)),
        ("bfloat16", json!(3.4e38)),
    ] {
        let mut bad = exact.clone();
        bad[name][0] = value;
        let (path, reason) = refused(&model, bad);
        assert!(reason.contains("out of range") || path.contains(name), "{name}: {path}: {reason}");
    }
}

#[test]
fn narrow_tensors_are_wider_in_memory() {
    let Some(model) = model("narrow") else { return };
    let value = |dtype: DType| match dtype {
        DType::Int4 => Value::new(&[2], &[-8_i8, 7]).unwrap(),
        DType::Uint4 => Value::new(&[2], &[0_u8, 15]).unwrap(),
        _ => Value::new(&[2], &[1.0_f32, 0.3]).unwrap(),
    };
    let inputs: Vec<Value> = model.inputs().iter().map(|port| value(port.dtype)).collect();
    let outputs = model.predict(inputs.clone()).unwrap();
    assert_eq!(outputs[1].as_slice::<f32>().unwrap(), [1.0, 0.3125]);
    assert_eq!(outputs[5].as_slice::<i8>().unwrap(), [-8, 7]);
    let mut inputs = inputs;
    inputs[5] = Value::new(&[2], &[0_i8, 8]).unwrap();
    let error = model.predict(inputs).unwrap_err();
    assert!(matches!(&error, Error::Input { path, .. } if path == "int4"), "{error:?}");
}

#[test]
fn a_sequence_is_a_list_of_arrays_of_any_shape() {
    let Some(model) = model("list") else { return };
    assert!(model.inputs()[0].sequence);
    let found = predict(&model, json!({"x": [[1, 2], [[3], [4]], 5, []], "more": [6]}));
    assert_eq!(found["y"], json!([[1.0, 2.0], [[3.0], [4.0]], 5.0, [], [6.0]]));
    assert_eq!(found["len"], json!(5));
    let found = predict(&model, json!({"x": [], "more": [6]}));
    assert_eq!(found, json!({"y": [[6.0]], "len": 1}));
    for bad in
        [json!([[1, [2]]]), json!([[[1], 2]]), json!([[[1], [2, 3]]]), json!([["a"]]), json!(1)]
    {
        let (path, _) = refused(&model, json!({"x": bad, "more": []}));
        assert!(path.starts_with('x'), "{path}");
    }
    let (_, deep) = refused(
        &model,
        serde_json::from_str(&format!(
            r#"{{"more": [], "x": {}1{}}}"#,
            "[".repeat(60),
            "]".repeat(60)
        ))
        .unwrap(),
    );
    assert!(deep.contains("sequence"), "{deep}");
}

#[test]
fn the_only_sequence_needs_no_object() {
    let Some(model) = model("list_text") else { return };
    assert_eq!(predict(&model, json!([["a", "b"], "c"])), json!([["a", "b"], "c"]));
    assert_eq!(predict(&model, json!([])), json!([]));
    let texts = Value::new(&[2], &["a".to_owned(), "b".to_owned()]).unwrap();
    let outputs = model.predict([Value::sequence([texts]).unwrap()]).unwrap();
    let items = outputs[0].items().unwrap();
    assert_eq!(items[0].as_slice::<String>().unwrap(), ["a", "b"]);
}

#[test]
fn a_missing_value_is_null_or_left_out() {
    let Some(model) = model("optional") else { return };
    assert!(model.inputs()[0].optional && model.outputs()[1].optional);
    let given = json!({"given": true, "y": [1.0, 2.0]});
    let missing = json!({"given": false, "y": null});
    assert_eq!(predict(&model, json!([1, 2])), given);
    assert_eq!(predict(&model, json!({"x": [1, 2]})), given);
    for input in [json!(null), json!({"x": null}), json!({})] {
        assert_eq!(predict(&model, input), missing);
    }
    let (_, reason) = refused(&model, json!([1, 2, 3]));
    assert!(reason.contains("shape [2]"), "{reason}");
    let outputs = model.predict([Value::missing()]).unwrap();
    assert!(outputs[1].is_missing());
}

#[test]
fn optional_sequences_are_stored_and_described() {
    let Some(model) = model("optional_list") else { return };
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    larder.apply("lists", &model).unwrap();
    let stored: OnnxModel = larder.load("lists").unwrap();
    let found = predict(&stored, json!({"x": [[1], [2, 3]], "z": [1, 2]}));
    assert_eq!(found, json!({"y": [[1], [2, 3]], "w": [-1.0, -2.0]}));
    let found = predict(&stored, json!({"z": [1, 2]}));
    assert_eq!(found["y"], json!(null));
    let schema = serde_json::to_value(stored.signature().input).unwrap();
    assert_eq!(schema["required"], json!(["z"]));
    assert_eq!(schema["properties"]["x"]["anyOf"][1], json!({"type": "null"}));
}

#[test]
fn models_of_opset_6_run_with_both_engines() {
    let input =
        json!({"x": [[[1, -2], [3, -4], [0, 0]], [[-9, 9], [-9, 9], [-9, 9]]], "s": [0.5, 1, 2]});
    let expected = json!([
        [[1.5, -0.75], [4.0, -3.0], [2.0, 2.0]],
        [[-4.25, 9.5], [-8.0, 10.0], [-14.0, 11.0]]
    ]);
    let options = OpenOptions::new().engine(Engine::Tract);
    let tract = OnnxModel::open_with(sample_path("opset_6.onnx"), &options).unwrap();
    assert_eq!(predict(&tract, input.clone()), expected);
    if let Some(runtime) = model("opset_6") {
        assert_eq!(predict(&runtime, input), expected);
    }
    let error =
        OnnxModel::open_with(sample_path("refused_opset_6.onnx"), &options).map(drop).unwrap_err();
    let Error::Refused { reason, .. } = &error else { panic!("{error:?}") };
    assert!(reason.contains("unknown shape"), "{reason}");
}

#[test]
fn what_the_runtime_refuses_is_put_another_way() {
    let Some(range) = model("range_of_vectors") else { return };
    assert_eq!(predict(&range, json!([3])), json!([0, 1, 2]));
    let batch_first = model("batch_first").unwrap();
    let found = predict(&batch_first, json!([[[1], [2]], [[4], [8]]]));
    assert_eq!(found[0]["y"], json!([[[1.0]], [[2.5]]]));
    assert_eq!(found[1]["last"], json!([[10.0]]));
    let locale = model("locale").unwrap();
    assert_eq!(predict(&locale, json!(["é", "b"])), json!(["É", "B"]));
}
