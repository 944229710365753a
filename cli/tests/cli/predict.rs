//! `predict`.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use insta::assert_snapshot;
use larder::store::StoreExt;

use crate::test_dir::{TestDir, everywhere, linked};

const BOTTLE: &str = r#"{"age": 4, "points": 90}"#;

#[test]
fn predict_reads_a_file_and_prints_what_the_model_gives() {
    let printed = everywhere(|dir| {
        dir.write("bottle.json", BOTTLE);
        dir.filled().linked(&["predict", "wine/price", "--input", "bottle.json"])
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {"currency":"EUR","price":35.5}
    "#);
}

#[test]
fn predict_reads_stdin() {
    let printed = everywhere(|dir| {
        dir.filled().fed(&["predict", "wine/price:prod", "--input", "-"], BOTTLE)
            + &dir.fed(&["predict", "wine/price", "--format", "json"], BOTTLE)
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {"currency":"EUR","price":33.5}
    exit 0
    --- stdout
    {"currency":"EUR","price":35.5}
    "#);
}

#[test]
fn lines_are_predicted_one_by_one_and_empty_ones_skipped() {
    let printed = everywhere(|dir| {
        let lines = format!("{BOTTLE}\r\n\n  \t\n{{\"age\":0,\"points\":0}}\n{BOTTLE}");
        dir.filled().fed(&["predict", "wine/price", "--lines"], lines)
    });
    assert_snapshot!(printed, @r#"
    exit 0
    --- stdout
    {"currency":"EUR","price":35.5}
    {"currency":"EUR","price":5.0}
    {"currency":"EUR","price":35.5}
    "#);
}

#[test]
fn a_bad_line_is_answered_by_its_error_and_the_others_are_answered() {
    let printed = everywhere(|dir| {
        dir.write("bottles.jsonl", format!("{BOTTLE}\n\n{{\"age\": \"old\"}}\n{BOTTLE}\n"));
        dir.filled().linked(&["predict", "wine/price", "--lines", "-i", "bottles.jsonl"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stdout
    {"currency":"EUR","price":35.5}
    {"error":{"line":3,"message":"cannot use the input at `age`: it does not fit the model's signature","causes":["invalid type: string \"old\", expected u32 at line 1 column 13"],"hint":"`larder show REF` prints the signature of the model","exit":1}}
    {"currency":"EUR","price":35.5}
    --- stderr
    error: cannot predict line 3 of bottles.jsonl
      caused by: cannot use the input at `age`: it does not fit the model's signature
      caused by: invalid type: string "old", expected u32 at line 1 column 13
    hint: `larder show REF` prints the signature of the model
    "#);
}

#[test]
fn every_bad_line_is_in_its_place_and_counted() {
    let printed = everywhere(|dir| {
        let lines = format!("\u{feff}{BOTTLE}\n{{\n\n\u{feff}{BOTTLE}\n[]\n{BOTTLE}\n");
        dir.filled().fed(&["predict", "wine/price", "--lines"], lines)
            + &dir.fed(&["predict", "wine/price", "--lines", "--format", "json"], "[]\n")
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stdout
    {"currency":"EUR","price":35.5}
    {"error":{"line":2,"message":"cannot use the input: it is not valid JSON","causes":["EOF while parsing an object at line 1 column 1"],"hint":null,"exit":1}}
    {"currency":"EUR","price":35.5}
    {"error":{"line":5,"message":"cannot use the input: it does not fit the model's signature","causes":["invalid type: an array, expected struct Bottle at line 1 column 2"],"hint":"`larder show REF` prints the signature of the model","exit":1}}
    {"currency":"EUR","price":35.5}
    --- stderr
    error: cannot predict 2 of 5 lines of stdin; the first is line 2
      caused by: cannot use the input: it is not valid JSON
      caused by: EOF while parsing an object at line 1 column 1
    exit 1
    --- stdout
    {"error":{"line":1,"message":"cannot use the input: it does not fit the model's signature","causes":["invalid type: an array, expected struct Bottle at line 1 column 2"],"hint":"`larder show REF` prints the signature of the model","exit":1}}
    --- stderr
    {
      "schema": 1,
      "error": {
        "message": "cannot predict line 1 of stdin",
        "causes": [
          "cannot use the input: it does not fit the model's signature",
          "invalid type: an array, expected struct Bottle at line 1 column 2"
        ],
        "hint": "`larder show REF` prints the signature of the model",
        "exit": 1
      }
    }
    "#);
}

#[test]
fn damage_ends_the_lines_because_it_is_no_fault_of_theirs() {
    let printed = everywhere(|dir| {
        let larder = dir.filled().larder();
        let shown = larder.show("wine/price").unwrap();
        let digest = shown.manifest.artifacts()[0].digest;
        larder.store().remove_blobs(&[digest]).unwrap();
        dir.fed(&["predict", "wine/price", "--lines"], format!("{BOTTLE}\n{BOTTLE}\n"))
    });
    assert!(printed.starts_with("exit 4\n--- stderr\nerror: cannot predict line 1"), "{printed}");
}

#[test]
fn a_byte_order_mark_is_skipped() {
    everywhere(|dir| {
        let marked = format!("\u{feff}{BOTTLE}");
        let printed = dir.filled().fed(&["predict", "wine/price"], &marked);
        assert!(printed.starts_with("exit 0\n"), "{printed}");
        dir.write("price.rhai", "\u{feff}fn predict(x) { x + 1 }");
        let printed = dir.plain(&["put", "plus", "price.rhai"]);
        assert!(printed.contains(", script)"), "{printed}");
        let printed = dir.fed(&["predict", "plus"], "\u{feff}1");
        assert_eq!(printed, "exit 0\n--- stdout\n2\n");
        let utf16: Vec<u8> = "\u{feff}1".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let printed = dir.fed(&["predict", "plus"], utf16);
        assert!(printed.contains("the input is UTF-16"), "{printed}");
        String::new()
    });
}

#[test]
fn a_line_is_answered_before_the_next_one_is_asked() {
    let dir = TestDir::new("sqlite:larder.db");
    let mut command =
        dir.filled().command(linked(), &["predict", "wine/price", "--lines", "--input=-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut questions = child.stdin.take().unwrap();
    let (tell, answers) = mpsc::channel();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    thread::spawn(move || stdout.lines().try_for_each(|line| tell.send(line.unwrap())));
    for age in 0..3 {
        writeln!(questions, "{{\"age\": {age}, \"points\": 0}}").unwrap();
        let answer = answers.recv_timeout(Duration::from_secs(60)).expect("an answer in time");
        assert_eq!(answer, format!("{{\"currency\":\"EUR\",\"price\":{}.0}}", 5 + 2 * age));
    }
    drop(questions);
    assert_eq!(answers.recv(), Err(mpsc::RecvError));
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_input_that_does_not_fit_is_refused_with_its_path() {
    let printed = everywhere(|dir| {
        let inputs = [
            r#"{"age": -1, "points": 9}"#,
            "{\"age\": 1}",
            "",
            "[]",
            "{\"age\":1,\"points\":9} {}",
            "\u{1b}",
        ];
        dir.filled();
        inputs.map(|input| dir.fed(&["predict", "wine/price"], input)).concat()
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot use the input at `age`: it does not fit the model's signature
      caused by: invalid value: integer `-1`, expected u32 at line 1 column 10
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stderr
    error: cannot use the input: it does not fit the model's signature
      caused by: missing field `points` at line 1 column 10
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stderr
    error: cannot use the input: it is not valid JSON
      caused by: EOF while parsing a value at line 1 column 0
    exit 1
    --- stderr
    error: cannot use the input: it does not fit the model's signature
      caused by: invalid type: an array, expected struct Bottle at line 1 column 2
    hint: `larder show REF` prints the signature of the model
    exit 1
    --- stderr
    error: cannot use the input: it is not valid JSON
      caused by: trailing characters at line 1 column 22
    exit 1
    --- stderr
    error: cannot use the input: it is not valid JSON
      caused by: expected value at line 1 column 1
    ");
}

#[test]
fn an_input_that_is_not_text_is_refused() {
    let printed = everywhere(|dir| {
        dir.filled().fed(&["predict", "wine/price"], b"\"\xff\"")
            + &dir.fed(&["predict", "wine/price", "--lines"], b"\n\xff\n")
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stderr
    error: cannot read the input as UTF-8
      caused by: invalid utf-8 sequence of 1 bytes from index 1
    exit 1
    --- stdout
    {"error":{"line":2,"message":"cannot read the input as UTF-8","causes":["invalid utf-8 sequence of 1 bytes from index 0"],"hint":null,"exit":1}}
    --- stderr
    error: cannot predict line 2 of stdin
      caused by: cannot read the input as UTF-8
      caused by: invalid utf-8 sequence of 1 bytes from index 0
    "#);
}

#[test]
fn a_failure_of_the_model_is_told() {
    let printed = everywhere(|dir| {
        dir.filled().fed(&["predict", "wine/price"], r#"{"age": 1, "points": 101}"#)
    });
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot predict: the model failed
      caused by: 101 points are not 0 to 100
    ");
}

#[test]
fn an_input_file_that_is_not_there_is_told() {
    let printed = everywhere(|dir| {
        dir.filled().linked(&["predict", "wine/price", "--input", "no\u{1b}.json"])
    });
    assert_snapshot!(printed, @r#"
    exit 1
    --- stderr
    error: cannot read no\u{1b}.json
      caused by: No such file or directory (os error 2)
    "#);
}

#[test]
fn what_is_no_model_does_not_predict() {
    let printed = everywhere(|dir| dir.filled().fed(&["predict", "label"], BOTTLE));
    assert_snapshot!(printed, @"
    exit 1
    --- stderr
    error: cannot predict with label@1: its type `example/label` is not a model
    ");
}

#[test]
#[cfg_attr(not(feature = "full"), ignore = "needs the feature `full`")]
fn a_model_that_is_not_linked_in_does_not_predict() {
    let printed = everywhere(|dir| dir.filled().plain(&["predict", "wine/price"]));
    assert_snapshot!(printed, @"
    exit 6
    --- stderr
    error: cannot use wine/price@2: the component type `example/price` is not linked in (linked in: larder/checkpoint, larder/collection, larder/files, larder/imputer, larder/listener, larder/neighbours, larder/onnx, larder/outputs, larder/projection, larder/script, larder/serializer, larder/wasm, larder/wasm-serializer, larder/watch); it was applied from the crate larder-cli [version]; link that crate in (`use … as _;`)
    hint: to use it, link it into your own command line: https://docs.rs/larder-cli
    ");
}

#[test]
fn a_model_whose_artifact_is_gone_is_corrupt() {
    let printed = everywhere(|dir| {
        let larder = dir.filled().larder();
        let shown = larder.show("wine/price").unwrap();
        let digest = shown.manifest.artifacts()[0].digest;
        larder.store().remove_blobs(&[digest]).unwrap();
        assert!(!larder.store().has_blob(&digest).unwrap());
        dir.fed(&["predict", "wine/price"], BOTTLE)
    });
    assert_snapshot!(printed, @"
    exit 4
    --- stderr
    error: cannot read the artifact b3:50dd04420efa of wine/price@2: it is corrupt (its bytes are missing); restore it from a copy
    ");
}
