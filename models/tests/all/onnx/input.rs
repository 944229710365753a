//! Invalid inputs.

use larder_core::{Error, Model};
use larder_models::onnx::Value;

use super::model;

/// The path and message of the error.
fn refused(name: &str, input: &str) -> (String, String) {
    match model(name).predict_json_erased(input) {
        Err(Error::Input { path, source }) => (path, source.to_string()),
        other => panic!("{input} returns {other:?}"),
    }
}

#[test]
fn rejects_unknown_input_with_known_ones() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2, 3], "c": [1, 2]}"#);
    assert!(reason.contains("`c`, expected `a`, `b`"), "{path}: {reason}");
}

#[test]
fn rejects_missing_input() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2, 3]}"#);
    assert_eq!(path, "");
    assert!(reason.contains("missing input `b`"), "{reason}");
}

#[test]
fn rejects_duplicate_input() {
    let (_, reason) = refused("two_inputs", r#"{"a": [1, 2, 3], "a": [1, 2, 3], "b": [1, 2]}"#);
    assert!(reason.contains("duplicate input `a`"), "{reason}");
}

#[test]
fn rejects_array_for_several_inputs() {
    let (_, reason) = refused("two_inputs", "[1, 2, 3]");
    assert!(reason.contains("`a`: float32 (3), `b`: int64 (2)"), "{reason}");
}

#[test]
fn rejects_rows_of_wrong_length() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2], "b": [1, 2]}"#);
    assert_eq!(path, "a");
    assert!(reason.contains("fewer"), "{reason}");
    let (_, reason) = refused("two_inputs", r#"{"a": [1, 2, 3, 4], "b": [1, 2]}"#);
    assert!(reason.contains("more"), "{reason}");
}

#[test]
fn rejects_wrong_nesting() {
    let (path, _) = refused("two_inputs", r#"{"a": [[1], 2, 3], "b": [1, 2]}"#);
    assert_eq!(path, "a[0]");
    let (path, _) = refused("fixed", "[[1, 2], 3]");
    assert_eq!(path, "[1]");
    let (path, _) = refused("fixed", "7");
    assert_eq!(path, "");
}

#[test]
fn rejects_trailing_text() {
    let (_, reason) = refused("fixed", "[[1, 2], [3, 4]] 5");
    assert!(reason.contains("trailing"), "{reason}");
}

#[test]
fn batch_error_has_the_row() {
    let error =
        model("fixed").predict_batch_json_erased("[[[1, 2], [3, 4]], [[1, 2], [3, \"x\"]]]");
    let Err(Error::Input { path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(path, "[1][1][1]");
}

#[test]
fn takes_nan_and_infinities_from_formats_that_have_them() {
    let input = rmp_serde::to_vec(&[[1.0_f32, f32::NAN], [f32::INFINITY, 0.0]]).unwrap();
    let mut output = Vec::new();
    let model = model("fixed");
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&input);
    model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output)).unwrap();
    let output: [[f32; 2]; 2] = rmp_serde::from_slice(&output).unwrap();
    assert!(output[0][1].is_nan());
    assert_eq!(output[1][0], f32::NEG_INFINITY);
}

/// Negates two rows by way of MessagePack.
fn negate_messagepack(name: &str) {
    let input = rmp_serde::to_vec(&[[1.0_f32, 2.0], [0.0, 0.5]]).unwrap();
    let mut output = Vec::new();
    let model = model(name);
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&input);
    model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output)).unwrap();
    let output: [[f32; 2]; 2] = rmp_serde::from_slice(&output).unwrap();
    assert_eq!(output, [[-1.0, -2.0], [0.0, -0.5]]);
}

#[test]
fn round_trips_messagepack() {
    negate_messagepack("fixed");
}

#[test]
fn forged_length_allocates_nothing() {
    // An array with a stated length of 2³² − 1 and two elements.
    let forged = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02];
    let mut output = Vec::new();
    let model = model("sequence");
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&forged);
    let error = model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output));
    assert!(matches!(error, Err(Error::Input { .. })), "{error:?}");
}

#[test]
fn rejects_arrays_of_wrong_shape_number_or_type() {
    let model = model("two_inputs");
    let a = |shape: &[usize]| Value::new(shape, &vec![0.0_f32; shape.iter().product()]).unwrap();
    let b = |shape: &[usize]| Value::new(shape, &vec![0_i64; shape.iter().product()]).unwrap();
    let path = |inputs: Vec<Value>| match model.predict(inputs) {
        Err(Error::Input { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    assert!(model.predict([a(&[2, 3]), b(&[2, 2])]).is_ok());
    assert_eq!(path(vec![a(&[2, 3])]), "");
    assert_eq!(path(vec![a(&[2, 4]), b(&[2, 2])]), "a");
    assert_eq!(path(vec![a(&[3]), b(&[2, 2])]), "a");
    assert_eq!(path(vec![a(&[2, 3]), b(&[3, 2])]), "b");
    assert_eq!(path(vec![a(&[2, 3]), a(&[2, 2])]), "b");
    assert!(Value::new(&[2, 2], &[1.0_f32]).is_err());
}

#[test]
fn empty_batch_returns_no_rows() {
    assert_eq!(model("digits_mlp").predict_batch_json_erased("[]").unwrap(), "[]");
}

#[test]
fn tensor_is_a_batch() {
    let model = model("two_inputs");
    let both = r#"{"a": [[1, 2, 3], [0, 0, 1]], "b": [[1, 2], [3, 4]]}"#;
    assert_eq!(
        model.predict_json_erased(both).unwrap(),
        r#"[{"sum":[6.0],"twice":[2,4]},{"sum":[1.0],"twice":[6,8]}]"#
    );
    let sequence = super::model("sequence");
    assert_eq!(sequence.predict_json_erased("[1, 2]").unwrap(), "[-1.0,-2.0]");
    assert_eq!(sequence.predict_json_erased("[[1, 2]]").unwrap(), "[[-1.0,-2.0]]");
    assert_eq!(
        sequence.predict_json_erased("[[1, 2], [3, 4]]").unwrap(),
        "[[-1.0,-2.0],[-3.0,-4.0]]"
    );
    assert_eq!(sequence.predict_json_erased("[[], []]").unwrap(), "[[],[]]");
    assert_eq!(sequence.predict_json_erased("[]").unwrap(), "[]");
    let many: Vec<_> = (0..300).map(|row| vec![row; 64]).collect();
    let output =
        super::model("digits_mlp").predict_json_erased(&serde_json::json!(many).to_string());
    let output: Vec<serde_json::Value> = serde_json::from_str(&output.unwrap()).unwrap();
    assert_eq!(output.len(), 300);
    assert_eq!(output[299]["probabilities"].as_array().unwrap().len(), 10);
}

#[test]
fn empty_tensor_is_an_empty_batch() {
    assert_eq!(model("digits_cnn").predict_json_erased("[]").unwrap(), "[]");
}

#[test]
fn rejects_inputs_with_different_numbers_of_rows() {
    let (_, reason) = refused("two_inputs", r#"{"a": [[1, 2, 3], [1, 2, 3]], "b": [[1, 2]]}"#);
    assert!(reason.contains("`a` and `b`"), "{reason}");
    let (path, _) = refused("two_inputs", r#"{"a": [[1, 2, 3]], "b": [1, 2]}"#);
    assert_eq!(path, "b[0]");
    let (path, _) = refused("two_inputs", r#"{"a": [1, 2, 3], "b": [[1, 2]]}"#);
    assert_eq!(path, "b[0]");
}

#[test]
fn rejects_ragged_tensors() {
    for (name, input, at) in [
        ("sequence", "[[1, 2], [3]]", "[1]"),
        ("sequence", "[[1, 2], 3]", "[1]"),
        ("sequence", "[1, [2]]", "[1]"),
        ("sequence", "[[[1]]]", "[0][0]"),
        ("fixed", "[[[1, 2], [3, 4]]]", "[0][0]"),
        ("digits_cnn", "[[1, 2]]", "[0]"),
    ] {
        let (path, reason) = refused(name, input);
        assert_eq!(path, at, "{name} {input}: {reason}");
    }
}

#[test]
fn tensor_in_messagepack_is_a_batch() {
    negate_messagepack("sequence");
}

/// scikit-learn's default export names the scores.
#[test]
fn zip_map_is_an_object() {
    let zipped = model("zipmap");
    let plain = model("wine_linear");
    let rows = &super::json("wine_linear.json")["rows"];
    let outputs = zipped.predict_json_erased(&rows.to_string()).unwrap();
    let outputs: Vec<serde_json::Value> = serde_json::from_str(&outputs).unwrap();
    let expected = plain.predict_batch_json_erased(&rows.to_string()).unwrap();
    let expected: Vec<serde_json::Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(outputs.len(), expected.len());
    for (found, expected) in outputs.iter().zip(&expected) {
        assert_eq!(found["output_label"], expected["label"]);
        for class in 0..3 {
            let found = &found["output_probability"][class.to_string()];
            super::assert_close(found, &expected["probabilities"][class], "a probability");
        }
    }
    let schema = serde_json::to_value(zipped.signature().output).unwrap();
    let scores = &schema["properties"]["output_probability"];
    assert_eq!(scores["required"], serde_json::json!(["0", "1", "2"]), "{schema}");

    let larder = larder_core::Registry::linked().unwrap().open("memory:").unwrap();
    larder.apply("zipped", &zipped).unwrap();
    let row = rows[0].to_string();
    let stored = larder.load_model("zipped").unwrap().predict_json(&row).unwrap();
    assert_eq!(stored, zipped.predict_json_erased(&row).unwrap());
}
