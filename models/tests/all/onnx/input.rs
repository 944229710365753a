//! Inputs that do not fit.

use larder_core::{Error, Model};
use larder_models::onnx::Value;

use super::model;

/// The path and the reason of the refusal.
fn refused(name: &str, input: &str) -> (String, String) {
    match model(name).predict_json_erased(input) {
        Err(Error::Input { path, source }) => (path, source.to_string()),
        other => panic!("{input} gives {other:?}"),
    }
}

#[test]
fn a_wrong_name_is_refused_with_the_right_ones() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2, 3], "c": [1, 2]}"#);
    assert!(reason.contains("there is no input `c`, only `a`, `b`"), "{path}: {reason}");
}

#[test]
fn a_missing_input_is_refused() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2, 3]}"#);
    assert_eq!(path, "");
    assert!(reason.contains("`b` is missing"), "{reason}");
}

#[test]
fn an_input_that_is_there_twice_is_refused() {
    let (_, reason) = refused("two_inputs", r#"{"a": [1, 2, 3], "a": [1, 2, 3], "b": [1, 2]}"#);
    assert!(reason.contains("`a` is there twice"), "{reason}");
}

#[test]
fn an_array_for_several_inputs_is_refused() {
    let (_, reason) = refused("two_inputs", "[1, 2, 3]");
    assert!(reason.contains("an object of `a`: float32 (3), `b`: int64 (2)"), "{reason}");
}

#[test]
fn rows_that_are_too_short_or_too_long_are_refused() {
    let (path, reason) = refused("two_inputs", r#"{"a": [1, 2], "b": [1, 2]}"#);
    assert_eq!(path, "a");
    assert!(reason.contains("an array of 3 is expected, and there are fewer"), "{reason}");
    let (_, reason) = refused("two_inputs", r#"{"a": [1, 2, 3, 4], "b": [1, 2]}"#);
    assert!(reason.contains("and there are more"), "{reason}");
}

#[test]
fn nesting_that_is_not_that_of_the_shape_is_refused() {
    let (path, _) = refused("two_inputs", r#"{"a": [[1], 2, 3], "b": [1, 2]}"#);
    assert_eq!(path, "a[0]");
    let (path, _) = refused("fixed", "[[1, 2], 3]");
    assert_eq!(path, "[1]");
    let (path, _) = refused("fixed", "7");
    assert_eq!(path, "");
}

#[test]
fn text_after_the_input_is_refused() {
    let (_, reason) = refused("fixed", "[[1, 2], [3, 4]] 5");
    assert!(reason.contains("trailing characters"), "{reason}");
}

#[test]
fn a_bad_row_of_a_batch_is_named_by_its_index() {
    let error =
        model("fixed").predict_batch_json_erased("[[[1, 2], [3, 4]], [[1, 2], [3, \"x\"]]]");
    let Err(Error::Input { path, .. }) = error else { panic!("{error:?}") };
    assert_eq!(path, "[1][1][1]");
}

#[test]
fn nan_is_refused_from_a_format_that_has_it() {
    let input = rmp_serde::to_vec(&[[1.0_f32, f32::NAN], [0.0, 0.0]]).unwrap();
    let mut output = Vec::new();
    let model = model("fixed");
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&input);
    let error = model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output));
    let Err(Error::Input { path, source }) = error else { panic!("{error:?}") };
    assert_eq!(path, "[0][1]");
    assert!(source.to_string().contains("a float32"), "{source}");
}

#[test]
fn messagepack_goes_in_and_comes_out() {
    let input = rmp_serde::to_vec(&[[1.0_f32, 2.0], [0.0, 0.5]]).unwrap();
    let mut output = Vec::new();
    let model = model("fixed");
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&input);
    model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output)).unwrap();
    let output: [[f32; 2]; 2] = rmp_serde::from_slice(&output).unwrap();
    assert_eq!(output, [[-1.0, -2.0], [0.0, -0.5]]);
}

#[test]
fn a_forged_length_costs_nothing() {
    // An array of 2³² − 1 elements, of which two are there.
    let forged = [0xdd, 0xff, 0xff, 0xff, 0xff, 0x01, 0x02];
    let mut output = Vec::new();
    let model = model("sequence");
    let model: &dyn Model = &model;
    let mut source = rmp_serde::Deserializer::from_read_ref(&forged);
    let error = model.predict_with(&mut source, &mut rmp_serde::Serializer::new(&mut output));
    assert!(matches!(error, Err(Error::Input { .. })), "{error:?}");
}

#[test]
fn arrays_of_another_shape_number_or_type_are_refused() {
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
fn no_rows_give_no_rows() {
    assert_eq!(model("digits_mlp").predict_batch_json_erased("[]").unwrap(), "[]");
}
