//! ONNX models that other tools made, with the program as it is published.

#[cfg(feature = "onnxruntime")]
mod embedding;
mod inputs;

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
        bring(dir, "refused_opset.onnx", "wine.onnx");
        bring(dir, "refused_external.onnx", "external.onnx");
        dir.plain(&["put", "strange", "strange.onnx"])
            + &dir.plain(&["put", "wine", "wine.onnx", "--as", "onnx"])
            + &dir.plain(&["put", "external", "external.onnx"])
            + &dir.plain(&["list"])
    });
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot read the ONNX file strange.onnx: unsupported operator `Teleport`; export the model with standard ONNX operators; another engine may run it, but LARDER_ONNXRUNTIME forbids ONNX Runtime
    hint: use `--as file` to store it as a plain file
    exit 5
    --- stderr
    error: cannot read the ONNX file wine.onnx: unsupported opset 99; export the model with opset 7 to 23; another engine may run it, but LARDER_ONNXRUNTIME forbids ONNX Runtime
    exit 5
    --- stderr
    error: cannot read the ONNX file external.onnx: its tensor `w` is in another file; export the model as one file (`external_data=False`, or `onnx.save(model, path, save_as_external_data=False)`)
    hint: use `--as file` to store it as a plain file
    exit 3
    --- stderr
    error: cannot open [store]: there is no larder
    hint: create one with `larder put NAME FILE`, or name another one with `--store URL`
    ");
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
fn examples_are_checked_when_a_model_is_put_and_when_it_is_verified() {
    let dir = TestDir::new("fs:data_dir");
    bring(&dir, "fixed.onnx", "fixed.onnx");
    dir.write("in.json", "[[1, 2], [3, 4]]");
    dir.write("out.json", "[[-1, -2], [-3, -4]]");
    dir.write("other.json", "[[-1, -2], [-3, 4]]");
    let put = |example: &str| dir.plain(&["put", "fixed", "fixed.onnx", "--example", example]);
    let put_plain = dir.plain(&["put", "plain", "fixed.onnx"]);
    assert!(put_plain.starts_with("exit 0"), "{put_plain}");
    let good = put("in.json=out.json");
    assert!(good.starts_with("exit 0\n--- stdout\nput fixed@1"), "{good}");
    let printed = put("in.json=other.json")
        + &put("in.json")
        + &dir.plain(&["put", "text", "in.json", "--example", "in.json=out.json"])
        + &dir.plain(&["verify", "--predict", "fixed"])
        + &dir.plain(&["predict", "fixed", "--input", "in.json"]);
    assert_snapshot!(printed, @"
    exit 5
    --- stderr
    error: cannot read the ONNX file fixed.onnx: cannot predict: the model failed: the answer differs from the example: -4.0 at `[1][1]`, not 4
    hint: use `--as file` to store it as a plain file
    exit 2
    --- stderr
    error: cannot use the example `in.json`: it must be INPUT=OUTPUT, two JSON files
    exit 2
    --- stderr
    error: cannot put in.json: `--engine` and `--example` are for ONNX models
    exit 0
    --- stderr
    verified 1 version, 3 blobs, 749 B: no damage
    predicted for 1 example of 1 ONNX model
    exit 0
    --- stdout
    [[-1.0,-2.0],[-3.0,-4.0]]
    ");
}

#[test]
fn test_data_beside_a_model_is_an_example() {
    let dir = TestDir::new("fs:data_dir");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/onnx");
    dir.write("negated.onnx", fs::read(folder.join("negated/model.onnx")).unwrap());
    let data = "test_data_set_0";
    fs::create_dir(dir.path(data)).unwrap();
    for name in ["input_0.pb", "output_0.pb"] {
        let bytes = fs::read(folder.join("negated/test_data_set_0").join(name)).unwrap();
        dir.write(&format!("{data}/{name}"), bytes);
    }
    assert!(dir.plain(&["put", "negated", "negated.onnx"]).starts_with("exit 0"));
    let verified = dir.plain(&["verify", "--predict"]);
    assert!(verified.contains("predicted for 1 example of 1 ONNX model"), "{verified}");
    // The input in place of the output.
    fs::copy(dir.path(&format!("{data}/input_0.pb")), dir.path(&format!("{data}/output_0.pb")))
        .unwrap();
    let refused = dir.plain(&["put", "negated", "negated.onnx", "--engine", "tract"]);
    assert!(refused.starts_with("exit 5"), "{refused}");
    assert!(refused.contains("the answer differs from ./test_data_set_0: 1 and -1"), "{refused}");
}

#[cfg(feature = "onnxruntime")]
#[test]
fn an_engine_that_is_not_found_says_how_to_get_it() {
    let dir = TestDir::new("fs:data_dir");
    bring(&dir, "fixed.onnx", "fixed.onnx");
    let missing = |value: &str| {
        let mut command =
            dir.command(PLAIN, &["put", "fixed", "fixed.onnx", "--engine", "onnxruntime"]);
        command.env("LARDER_ONNXRUNTIME", value);
        dir.run(command, b"")
    };
    assert_snapshot!(missing("nowhere.so") + &missing("none"), @"
    exit 5
    --- stderr
    error: cannot read the ONNX file fixed.onnx: cannot find ONNX Runtime: LARDER_ONNXRUNTIME names nowhere.so, which is no file
    hint: use `--as file` to store it as a plain file
    exit 5
    --- stderr
    error: cannot read the ONNX file fixed.onnx: LARDER_ONNXRUNTIME forbids ONNX Runtime
    hint: use `--as file` to store it as a plain file
    ");
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
