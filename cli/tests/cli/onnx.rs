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

/// A 2 × 2 array as NumPy saves it, of 32-bit floats.
fn npy(values: [f32; 4]) -> Vec<u8> {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

#[test]
fn numpy_files_and_tables_are_inputs() {
    let dir = TestDir::new("fs:data_dir");
    bring(&dir, "sequence.onnx", "sequence.onnx");
    bring(&dir, "two_inputs.onnx", "both.onnx");
    bring(&dir, "zipmap.onnx", "wine.onnx");
    for (name, file) in
        [("sequence", "sequence.onnx"), ("both", "both.onnx"), ("wine", "wine.onnx")]
    {
        dir.plain(&["put", name, file]);
    }
    let plain = npy([0.0, 0.5, 1.0, 2.0]);
    dir.write("x.npy", &plain);
    dir.write("words.npy", npy([f32::NAN, f32::INFINITY, 1.0, 2.0]));
    let mut cut = plain.clone();
    cut.pop();
    dir.write("cut.npy", cut);
    let mut objects = plain;
    objects[10 + 11..10 + 14].copy_from_slice(b"|O8");
    dir.write("objects.npy", objects);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    for name in ["both.npz", "packed.npz", "fortran.npy", "text.npy"] {
        dir.write(name, fs::read(fixtures.join(name)).unwrap());
    }
    dir.write("x.csv", "first,second\n1,2\n3.5,-4\n");
    dir.write("ragged.csv", "first,second\n1\n");
    let rows = json("wine_linear.json")["rows"].as_array().unwrap()[..2].to_vec();
    let table: Vec<String> =
        rows.iter().map(|row| row.to_string().replace(['[', ']'], "")).collect();
    let header: Vec<String> = (0..13).map(|column| format!("c{column}")).collect();
    dir.write("wine.csv", format!("{}\n{}\n", header.join(","), table.join("\n")));
    let predict = |name: &str, input: &str| dir.plain(&["predict", name, "--input", input]);
    let printed = predict("sequence", "x.npy")
        + &predict("sequence", "words.npy")
        + &predict("sequence", "x.csv")
        + &predict("both", "both.npz")
        + &predict("both", "packed.npz")
        + &predict("sequence", "fortran.npy")
        + &predict("sequence", "text.npy")
        + &predict("sequence", "cut.npy")
        + &predict("sequence", "objects.npy")
        + &predict("sequence", "ragged.csv")
        + &dir.plain(&["predict", "sequence", "--lines", "--input", "x.csv"]);
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    [[-0.0,-0.5],[-1.0,-2.0]]
    exit 0
    --- stdout
    [["NaN","-Infinity"],[-1.0,-2.0]]
    exit 0
    --- stdout
    [[-1.0,-2.0],[-3.5,4.0]]
    exit 0
    --- stdout
    [{"sum":[6.0],"twice":[2,4]},{"sum":[1.5],"twice":[-6,8]}]
    exit 0
    --- stdout
    [{"sum":[6.0],"twice":[2,4]},{"sum":[1.5],"twice":[-6,8]}]
    exit 0
    --- stdout
    [[-1.0,-2.0,-3.0],[-4.0,-5.0,-6.0]]
    exit 1
    --- stderr
    error: cannot use the input at `[0][0]`: it does not fit the model's signature
      caused by: invalid type: string "a", expected a float32 at line 1 column 5
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stderr
    error: cannot read cut.npy
      caused by: it has 15 bytes of data, which do not fit its shape [2, 2]
    exit 1
    --- stderr
    error: cannot read objects.npy
      caused by: its elements of the type `|O8` cannot be read; convert it with `astype` to numbers, booleans or text
    exit 1
    --- stderr
    error: cannot read ragged.csv
      caused by: CSV error: record 1 (line: 2, byte: 13): found record with 1 fields, but the previous record has 2 fields
    exit 2
    --- stderr
    error: cannot read x.csv line by line: it is not JSON Lines
    hint: leave out `--lines`
    "#);
    let wine = predict("wine", "wine.csv");
    let wine: Value =
        serde_json::from_str(wine.strip_prefix("exit 0\n--- stdout\n").unwrap()).unwrap();
    let expected = json("wine_linear.json");
    for row in 0..2 {
        assert_eq!(wine[row]["output_label"], expected["outputs"]["label"][row]);
    }
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
    error: cannot read the ONNX file fixed.onnx: cannot predict: the model failed: the model does not answer its example: -4.0 at `[1][1]`, not 4
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
    assert!(refused.contains("it does not answer ./test_data_set_0: 1 and -1"), "{refused}");
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
