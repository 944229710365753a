//! Dtypes, several inputs, and models without a row dimension.

use larder_core::{Error, Model};
use larder_models::onnx::{DType, Dim, Value};
use serde_json::{Value as Json, json};

use super::model;

#[test]
fn round_trips_every_dtype() {
    let model = model("dtypes");
    let input = json!({
        "float": [1.5], "double": [-0.1], "float16": [0.25],
        "int8": [-128], "int16": [-32768], "int32": [-2147483648], "int64": [i64::MIN],
        "uint8": [255], "uint16": [65535], "uint32": [4294967295_u32], "uint64": [u64::MAX],
        "bool": [true], "string": ["text"],
    });
    let output = model.predict_json_erased(&input.to_string()).unwrap();
    let output: Json = serde_json::from_str(&output).unwrap();
    for (name, value) in input.as_object().unwrap() {
        assert_eq!(output[format!("{name}_out")], *value, "{name}");
    }
}

#[test]
fn rejects_out_of_range_values_with_path() {
    let model = model("dtypes");
    let good = json!({
        "float": [1], "double": [1], "float16": [1], "int8": [1], "int16": [1], "int32": [1], "int64": [1],
        "uint8": [1], "uint16": [1], "uint32": [1], "uint64": [1], "bool": [true], "string": [""],
    });
    assert!(model.predict_json_erased(&good.to_string()).is_ok());
    for (name, bad) in [
        ("float", json!(1e39)),
        ("float16", json!(70000)),
        ("int8", json!(128)),
        ("int8", json!(1.0)),
        ("uint8", json!(-1)),
        ("int64", json!(u64::MAX)),
        ("uint64", json!(-1)),
        ("bool", json!(1)),
        ("string", json!(1)),
        ("double", json!("1")),
        ("double", json!(null)),
        ("int32", json!([1])),
    ] {
        let mut input = good.clone();
        input[name][0] = bad.clone();
        let error = model.predict_json_erased(&input.to_string()).unwrap_err();
        let Error::Input { path, .. } = &error else { panic!("{name} = {bad}: {error}") };
        assert_eq!(*path, format!("{name}[0]"), "{bad}");
    }
}

#[test]
fn several_inputs_and_outputs_are_objects() {
    let model = model("two_inputs");
    assert_eq!(
        model.predict_json_erased(r#"{"b": [1, 2], "a": [1, 2, 3.5]}"#).unwrap(),
        r#"{"sum":[6.5],"twice":[2,4]}"#
    );
    assert_eq!(
        model
            .predict_batch_json_erased(r#"[{"a":[1,2,3],"b":[1,2]},{"a":[0,0,0],"b":[3,4]}]"#)
            .unwrap(),
        r#"[{"sum":[6.0],"twice":[2,4]},{"sum":[0.0],"twice":[6,8]}]"#
    );
    let sums = model
        .predict([
            Value::new(&[1, 3], &[1.0_f32, 2.0, 3.0]).unwrap(),
            Value::new(&[1, 2], &[1_i64, 2]).unwrap(),
        ])
        .unwrap();
    assert_eq!(sums[1].as_slice::<i64>().unwrap(), [2, 4]);
}

#[test]
fn row_is_the_whole_tensor_without_row_dimension() {
    let model = model("fixed");
    assert_eq!(model.inputs()[0].shape, [Dim::Fixed(2), Dim::Fixed(2)]);
    assert_eq!(model.predict_json_erased("[[1, 2], [3, 4]]").unwrap(), "[[-1.0,-2.0],[-3.0,-4.0]]");
    assert_eq!(
        model.predict_batch_json_erased("[[[1, 2], [3, 4]], [[0, 0], [0, 1]]]").unwrap(),
        "[[[-1.0,-2.0],[-3.0,-4.0]],[[-0.0,-0.0],[-0.0,-1.0]]]"
    );
}

#[test]
fn open_dimensions_may_differ_between_rows() {
    let model = model("sequence");
    assert_eq!(
        model.predict_batch_json_erased("[[1, 2, 3], [4], []]").unwrap(),
        "[[-1.0,-2.0,-3.0],[-4.0],[]]"
    );
}

#[test]
fn interface_has_names_dtypes_and_dimensions() {
    let model = model("digits_cnn");
    let [input] = model.inputs() else { panic!("it has one input") };
    assert_eq!((input.name.as_str(), input.dtype), ("image", DType::Float32));
    assert_eq!(input.shape, [Dim::Symbol("batch".into()), Dim::Fixed(64)]);
    let [output] = model.outputs() else { panic!("it has one output") };
    assert_eq!(output.name, "probabilities");
    assert_eq!(output.shape, [Dim::Symbol("batch".into()), Dim::Fixed(10)]);
    let signature = serde_json::to_value(model.signature()).unwrap();
    assert_eq!(signature["output"]["minItems"], 10);
    assert_eq!(signature["input"]["anyOf"][1]["required"], json!(["image"]));
}
