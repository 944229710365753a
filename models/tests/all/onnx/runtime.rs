//! ONNX Runtime. `scripts/test` installs it and names it by `LARDER_ONNXRUNTIME`: then it must work. Without the variable,
//! these tests run where it is installed.

use std::sync::Barrier;
use std::thread;

use larder_core::{Model as _, Registry};
use larder_models::OnnxModel;
use larder_models::onnx::{Engine, OnnxRuntime, OpenOptions};

use super::{assert_close, fixture, json, sample_path};

pub(super) fn found() -> bool {
    match OnnxRuntime::find() {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var_os("LARDER_ONNXRUNTIME").is_none(), "{error:?}");
            false
        }
    }
}

#[test]
fn both_engines_agree() {
    if !found() {
        return;
    }
    let options = OpenOptions::new().engine(Engine::OnnxRuntime);
    for name in
        ["digits_cnn", "digits_mlp", "wine_forest", "zipmap", "dtypes", "two_inputs", "sequence"]
    {
        let runtime = OnnxModel::open_with(fixture(&format!("{name}.onnx")), &options).unwrap();
        let tract = super::model(name);
        assert_eq!((runtime.engine(), tract.engine()), (Engine::OnnxRuntime, Engine::Tract));
        let input = match name {
            "digits_cnn" => json("digits_cnn.json")["rows"].to_string(),
            "digits_mlp" => json("digits.json").to_string(),
            "wine_forest" => json("wine_forest.json")["rows"].to_string(),
            "zipmap" => json("wine_linear.json")["rows"].to_string(),
            "two_inputs" => r#"{"a": [[1, 2, 3], [0, 0, 1]], "b": [[1, 2], [3, 4]]}"#.to_owned(),
            "sequence" => "[[1, 2], [3, 4]]".to_owned(),
            _ => r#"{"float": [1.5], "double": [-0.1], "float16": [0.25], "int8": [-128], "int16": [1],
                "int32": [1], "int64": [-1], "uint8": [255], "uint16": [1], "uint32": [1], "uint64": [1],
                "bool": [true], "string": ["text"]}"#
                .to_owned(),
        };
        let predict = |model: &OnnxModel| -> serde_json::Value {
            serde_json::from_str(&model.predict_json_erased(&input).unwrap()).unwrap()
        };
        let (found, expected) = (predict(&runtime), predict(&tract));
        match (&found, &expected) {
            (serde_json::Value::Object(_), _) | (serde_json::Value::Array(_), _)
                if name == "zipmap" =>
            {
                assert_eq!(found[0]["output_label"], expected[0]["output_label"]);
                assert_close(
                    &found[0]["output_probability"]["1"],
                    &expected[0]["output_probability"]["1"],
                    name,
                );
            }
            (serde_json::Value::Array(found), serde_json::Value::Array(expected)) => {
                for (found, expected) in found.iter().zip(expected) {
                    match found.as_object() {
                        Some(object) => object
                            .iter()
                            .for_each(|(key, value)| assert_close(value, &expected[key], key)),
                        None => assert_close(found, expected, name),
                    }
                }
            }
            _ => assert_eq!(found, expected, "{name}"),
        }
    }
}

#[test]
fn what_tract_refuses_runs_and_is_stored_with_its_engine() {
    if !found() {
        return;
    }
    let model = OnnxModel::open(sample_path("refused_open_gru.onnx")).unwrap();
    assert_eq!(model.engine(), Engine::OnnxRuntime);
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    larder.apply("gru", &model).unwrap();
    let fields = larder.show("gru").unwrap().manifest.fields().to_owned();
    assert!(fields.contains("\"engine\":\"onnxruntime\""), "{fields}");
    let input =
        r#"{"x": [[[1, 2]], [[3, 4]]], "w": [[[1, 1], [1, 1], [1, 1]]], "r": [[[1], [1], [1]]]}"#;
    let stored = larder.load_model("gru").unwrap();
    assert_eq!(stored.predict_json(input).unwrap(), model.predict_json_erased(input).unwrap());
}

/// Rows that influence each other are found with every engine.
#[test]
fn dependent_rows_are_one_call() {
    if !found() {
        return;
    }
    let options = OpenOptions::new().engine(Engine::OnnxRuntime);
    let model = OnnxModel::open_with(sample_path("centered.onnx"), &options).unwrap();
    assert_eq!(model.predict_json_erased("[[1, 2], [3, 6]]").unwrap(), "[[-1.0,-2.0],[1.0,2.0]]");
}

/// Sessions are opened while others answer; each call gets the answer to its own input.
#[test]
fn callers_beside_each_other_get_their_own_answers() {
    if !found() {
        return;
    }
    let options = OpenOptions::new().engine(Engine::OnnxRuntime);
    // `zipmap` is changed before each session is opened.
    for (name, rows) in
        [("digits_mlp", json("digits.json")), ("zipmap", json("wine_linear.json")["rows"].clone())]
    {
        let model = OnnxModel::open_with(fixture(&format!("{name}.onnx")), &options).unwrap();
        let rows: Vec<_> =
            rows.as_array().unwrap().iter().take(32).map(ToString::to_string).collect();
        let answers: Vec<_> =
            rows.iter().map(|row| model.predict_json_erased(row).unwrap()).collect();
        let start = Barrier::new(8);
        thread::scope(|scope| {
            for caller in 0..8 {
                let (model, rows, answers, start) = (&model, &rows, &answers, &start);
                scope.spawn(move || {
                    start.wait();
                    for at in (0..rows.len() * 20).map(|at| (at + caller * 5) % rows.len()) {
                        assert_eq!(model.predict_json_erased(&rows[at]).unwrap(), answers[at]);
                    }
                });
            }
        });
    }
}
