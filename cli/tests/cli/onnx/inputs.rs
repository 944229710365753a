//! Inputs of ONNX models: NumPy files, tables, and numbers that are not finite.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use serde_json::Value;

use super::{bring, json};
use crate::test_dir::{PLAIN, TestDir, everywhere};

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
