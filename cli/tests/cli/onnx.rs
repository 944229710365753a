//! ONNX models that other tools made, with the program as it is published.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use crate::test_dir::{PLAIN, TestDir, everywhere};

/// A file that `models/tests/fixtures/make.py` made, in the dir.
fn bring(dir: &TestDir, fixture: &str, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/fixtures");
    dir.write(name, fs::read(folder.join(fixture)).unwrap());
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
    everywhere(|dir| {
        bring(dir, "digits_mlp.onnx", "digits.onnx");
        let put = dir.plain(&["put", "digits", "digits.onnx"]);
        assert!(put.contains("put digits@1 (b3:") && put.contains(", onnx)"), "{put}");
        let (rows, expected) = (json("digits.json"), json("digits_mlp.json"));
        dir.write("row.json", rows[0].to_string());
        let printed = dir.plain(&["predict", "digits", "--input", "row.json"]);
        let printed: Value =
            serde_json::from_str(printed.strip_prefix("exit 0\n--- stdout\n").unwrap()).unwrap();
        assert_eq!(printed["label"], expected["outputs"]["label"][0]);
        assert!(
            difference(&printed["probabilities"], &expected["outputs"]["probabilities"][0]) <= 1e-4
        );

        let lines: Vec<_> = rows.as_array().unwrap().iter().map(Value::to_string).collect();
        let command = dir.command(PLAIN, &["predict", "digits", "--lines"]);
        let printed = dir.run(command, lines.join("\n").as_bytes());
        let printed = printed.strip_prefix("exit 0\n--- stdout\n").unwrap();
        assert_eq!(printed.lines().count(), lines.len());
        for (at, line) in printed.lines().enumerate() {
            let printed: Value = serde_json::from_str(line).unwrap();
            assert_eq!(printed["label"], expected["outputs"]["label"][at], "row {at}");
        }
        String::new()
    });
}

#[test]
fn show_prints_the_signature_of_the_model_itself() {
    let dir = TestDir::new("fs:data_dir");
    bring(&dir, "two_inputs.onnx", "both.onnx");
    dir.plain(&["put", "both", "both.onnx"]);
    let printed = dir.plain(&["show", "both"]);
    let signature = printed.split("signature:").nth(1).unwrap();
    assert_snapshot!(signature, @"

    a: float32[N, 3], b: int64[N, 2] → sum: float32[N, 1], twice: int64[N, 2]
    ");
}

#[test]
fn what_cannot_be_run_is_refused_when_it_is_put_and_makes_no_larder() {
    let printed = everywhere(|dir| {
        bring(dir, "refused_operator.onnx", "strange.onnx");
        bring(dir, "refused_zipmap.onnx", "wine.onnx");
        bring(dir, "refused_external.onnx", "external.onnx");
        dir.plain(&["put", "strange", "strange.onnx"])
            + &dir.plain(&["put", "wine", "wine.onnx", "--as", "onnx"])
            + &dir.plain(&["put", "external", "external.onnx"])
            + &dir.plain(&["list"])
    });
    assert_snapshot!(printed, @r#"
    exit 5
    --- stderr
    error: cannot read the ONNX file strange.onnx: unsupported operator `Teleport`; export the model with standard ONNX operators
    hint: use `--as file` to store it as a plain file
    exit 5
    --- stderr
    error: cannot read the ONNX file wine.onnx: unsupported operator `ZipMap`; export the model with skl2onnx's `options={"zipmap": False}`
    exit 5
    --- stderr
    error: cannot read the ONNX file external.onnx: its tensor `w` is in another file; export the model as one file (`external_data=False`, or `onnx.save(model, path, save_as_external_data=False)`)
    hint: use `--as file` to store it as a plain file
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    "#);
}

#[test]
fn a_file_is_kept_as_it_is_told_whatever_is_in_it() {
    let printed = everywhere(|dir| {
        bring(dir, "digits_mlp.onnx", "digits.onnx");
        dir.write("cut.onnx", "not a model");
        dir.plain(&["put", "digits", "digits.onnx", "--as", "file"])
            + &dir.plain(&["predict", "digits"])
            + &dir.plain(&["put", "cut", "cut.onnx"])
            + &dir.plain(&["put", "cut", "cut.onnx", "--as", "onnx"])
    });
    assert_snapshot!(printed, @"
    exit 0
    --- stdout
    put digits@1 (b3:7184e72d32d6, 10.8 KiB)
    exit 1
    --- stderr
    error: cannot predict with digits@1: its type `larder/files` is not a model
    hint: `larder put` stores ONNX files, WebAssembly modules and scripts as models
    exit 5
    --- stderr
    error: cannot read the ONNX file cut.onnx: not an ONNX file: it is text, such as the message of a server; get the file itself
    hint: use `--as file` to store it as a plain file
    exit 5
    --- stderr
    error: cannot read the ONNX file cut.onnx: not an ONNX file: it is text, such as the message of a server; get the file itself
    ");
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_its_path() {
    let printed = everywhere(|dir| {
        bring(dir, "two_inputs.onnx", "both.onnx");
        dir.plain(&["put", "both", "both.onnx"]);
        dir.write("bad.json", r#"{"a": [1, "x", 3], "b": [1, 2]}"#);
        dir.plain(&["predict", "both", "--input", "bad.json"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stderr
    error: cannot use the input at `a[1]`: it does not fit the model's signature
      caused by: invalid type: string "x", expected a float32 at line 1 column 13
    hint: `larder show REF` prints the signature of the model
    "#);
}

#[test]
fn nan_and_infinities_go_in_and_come_out_as_texts() {
    let printed = everywhere(|dir| {
        bring(dir, "log.onnx", "log.onnx");
        dir.plain(&["put", "log", "log.onnx"]);
        let inputs = [
            r#"["NaN", 1]"#,
            "[0, 1]",
            r#"["Infinity", "-Infinity"]"#,
            "[NaN, Infinity]",
            "\u{feff}[1, 1]",
            r#"["nan", 1]"#,
            "[1e39, 1]",
        ];
        let mut printed = String::new();
        for input in inputs {
            printed += &dir.run(dir.command(PLAIN, &["predict", "log"]), input.as_bytes());
        }
        let lines = dir.command(PLAIN, &["predict", "log", "--lines", "--strict"]);
        printed + &dir.run(lines, b"[1,1]\n[0,1]\n[\"NaN\",1]\n[1,1]\n")
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    ["NaN",0.0]
    exit 0
    --- stdout
    ["-Infinity",0.0]
    exit 0
    --- stdout
    ["Infinity","NaN"]
    exit 0
    --- stdout
    ["NaN","Infinity"]
    exit 0
    --- stdout
    [0.0,0.0]
    exit 1
    --- stderr
    error: cannot use the input at `[0]`: it does not fit the model's signature
      caused by: invalid type: string "nan", expected a float32 at line 1 column 6
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stderr
    error: cannot use the input at `[0]`: it does not fit the model's signature
      caused by: invalid value: floating point `1e+39`, expected a float32 at line 1 column 5
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stdout
    [0.0,0.0]
    {"error":{"line":2,"message":"cannot encode the model's output","causes":["serializer error at `[0]`","JSON cannot represent NaN or an infinity exactly"],"hint":null,"exit":1}}
    {"error":{"line":3,"message":"cannot encode the model's output","causes":["serializer error at `[0]`","JSON cannot represent NaN or an infinity exactly"],"hint":null,"exit":1}}
    [0.0,0.0]
    --- stderr
    error: cannot predict 2 of 4 lines of stdin; the first is line 2
      caused by: cannot encode the model's output
      caused by: serializer error at `[0]`
      caused by: JSON cannot represent NaN or an infinity exactly
    "#);
}

#[test]
fn a_panic_that_was_caught_prints_nothing_of_its_own() {
    everywhere(|dir| {
        // tract panics on a recurrent network with an open batch.
        bring(dir, "gru_open_batch.onnx", "gru.onnx");
        let mut command = dir.command(PLAIN, &["put", "gru", "gru.onnx"]);
        command.env_remove("RUST_BACKTRACE");
        let printed = dir.run(command, b"");
        for text in ["panicked at", "RUST_BACKTRACE", ".cargo", ".rs:", "unwrap()"] {
            assert!(!printed.contains(text), "{text}: {printed}");
        }
        String::new()
    });
}
