//! ONNX models that other tools made, with the program as it is published.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::kitchen::{Kitchen, PLAIN, everywhere};

/// A file that `models/tests/fixtures/make.py` made, in the kitchen.
fn bring(kitchen: &Kitchen, fixture: &str, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    kitchen.write(name, fs::read(folder.join(fixture)).unwrap());
}

fn json(fixture: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    serde_json::from_slice(&fs::read(folder.join(fixture)).unwrap()).unwrap()
}

/// The largest difference between two nests of numbers.
fn difference(a: &Value, b: &Value) -> f64 {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).map(|(a, b)| difference(a, b)).fold(0.0, f64::max)
        }
        _ => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs(),
    }
}

#[test]
fn a_model_that_scikit_learn_exported_is_put_and_predicts_in_another_process() {
    everywhere(|kitchen| {
        bring(kitchen, "digits_mlp.onnx", "digits.onnx");
        let put = kitchen.plain(&["put", "digits", "digits.onnx"]);
        assert!(put.contains("put digits@1 (b3:") && put.contains(", onnx)"), "{put}");
        let (rows, expected) = (json("digits.json"), json("digits_mlp.json"));
        kitchen.write("row.json", rows[0].to_string());
        let told = kitchen.plain(&["predict", "digits", "--input", "row.json"]);
        let told: Value =
            serde_json::from_str(told.strip_prefix("exit 0\n--- stdout\n").unwrap()).unwrap();
        assert_eq!(told["label"], expected["outputs"]["label"][0]);
        assert!(
            difference(&told["probabilities"], &expected["outputs"]["probabilities"][0]) <= 1e-4
        );

        let lines: Vec<_> = rows.as_array().unwrap().iter().map(Value::to_string).collect();
        let command = kitchen.command(PLAIN, &["predict", "digits", "--lines"]);
        let told = kitchen.told(command, lines.join("\n").as_bytes());
        let told = told.strip_prefix("exit 0\n--- stdout\n").unwrap();
        assert_eq!(told.lines().count(), lines.len());
        for (at, line) in told.lines().enumerate() {
            let told: Value = serde_json::from_str(line).unwrap();
            assert_eq!(told["label"], expected["outputs"]["label"][at], "row {at}");
        }
        String::new()
    });
}

#[test]
fn show_prints_the_signature_of_the_model_itself() {
    let kitchen = Kitchen::new("fs:shelf");
    bring(&kitchen, "two_inputs.onnx", "both.onnx");
    kitchen.plain(&["put", "both", "both.onnx"]);
    let told = kitchen.plain(&["show", "both"]);
    let signature = told.split("signature:").nth(1).unwrap();
    assert_snapshot!(signature, @r#"

    input   {"type":"object","properties":{"a":{"type":"array","items":{"type":"number","format":"float32"},"maxItems":3,"minItems":3},"b":{"type":"array","items":{"type":"integer","format":"int64"},"maxItems":2,"minItems":2}},"additionalProperties":false,"required":["a","b"]}
    output  {"type":"object","properties":{"sum":{"type":"array","items":{"type":"number","format":"float32"},"maxItems":1,"minItems":1},"twice":{"type":"array","items":{"type":"integer","format":"int64"},"maxItems":2,"minItems":2}},"additionalProperties":false,"required":["sum","twice"]}
    "#);
}

#[test]
fn what_cannot_be_run_is_refused_when_it_is_put_and_makes_no_larder() {
    let told = everywhere(|kitchen| {
        bring(kitchen, "refused_operator.onnx", "strange.onnx");
        bring(kitchen, "refused_zipmap.onnx", "wine.onnx");
        bring(kitchen, "refused_external.onnx", "external.onnx");
        kitchen.plain(&["put", "strange", "strange.onnx"])
            + &kitchen.plain(&["put", "wine", "wine.onnx", "--as", "onnx"])
            + &kitchen.plain(&["put", "external", "external.onnx"])
            + &kitchen.plain(&["list"])
    });
    assert_snapshot!(told, @r#"
    exit 5
    --- stderr
    error: the ONNX file strange.onnx is refused: unsupported operator `Teleport`; export the model with standard ONNX operators
    hint: `--as file` keeps it as a plain file
    exit 5
    --- stderr
    error: the ONNX file wine.onnx is refused: unsupported operator `ZipMap`; export the model with skl2onnx's `options={"zipmap": False}`
    exit 5
    --- stderr
    error: the ONNX file external.onnx is refused: its tensor `w` is in another file; export the model as one file (`external_data=False`, or `onnx.save(model, path, save_as_external_data=False)`)
    hint: `--as file` keeps it as a plain file
    exit 3
    --- stderr
    error: there is no larder at [store]
    hint: apply something first, or name another larder with `--store URL`
    "#);
}

#[test]
fn a_file_is_kept_as_it_is_told_whatever_is_in_it() {
    let told = everywhere(|kitchen| {
        bring(kitchen, "digits_mlp.onnx", "digits.onnx");
        kitchen.write("cut.onnx", "not a model");
        kitchen.write("module.wasm", b"\0asm\x01\0\0\0");
        kitchen.plain(&["put", "digits", "digits.onnx", "--as", "file"])
            + &kitchen.plain(&["predict", "digits"])
            + &kitchen.plain(&["put", "cut", "cut.onnx"])
            + &kitchen.plain(&["put", "cut", "cut.onnx", "--as", "onnx"])
    });
    assert_snapshot!(told, @r#"
    exit 0
    --- stdout
    put digits@1 (b3:7184e72d32d6, 10.8 KiB)
    exit 1
    --- stderr
    error: digits@1 is a `larder/files`, which is not a model; implement `Predict` for its type and say `#[component(tag = "…", model)]`
    exit 0
    --- stdout
    put cut@1 (b3:77e30cce67e0, 362 B)
    --- stderr
    cut.onnx is kept as a plain file: its content is not what its name says; `--as onnx` tells why
    exit 5
    --- stderr
    error: the ONNX file cut.onnx is refused: not an ONNX file, or truncated: failed to decode Protobuf message: invalid wire type value: 6
    "#);
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_its_path() {
    let told = everywhere(|kitchen| {
        bring(kitchen, "two_inputs.onnx", "both.onnx");
        kitchen.plain(&["put", "both", "both.onnx"]);
        kitchen.write("bad.json", r#"{"a": [1, "x", 3], "b": [1, 2]}"#);
        kitchen.plain(&["predict", "both", "--input", "bad.json"])
    });
    assert_snapshot!(told, @r#"
    exit 1
    --- stderr
    error: the input does not fit the model's signature, at `a[1]`
      caused by: invalid type: string "x", expected a float32 at line 1 column 13
    hint: `show` prints what the model takes
    "#);
}
