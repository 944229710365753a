//! Operators that tract runs against the specification: replaced, or refused when the file is read.

use larder_core::{Error, Model as _};
use larder_models::OnnxModel;
use larder_models::onnx::{DType, Engine, OpenOptions, Value};
use serde_json::{Map, Value as Json};

use super::{sample, sample_path};

fn edge(part: &str) -> Map<String, Json> {
    let all: Json = serde_json::from_str(&sample("edge.json")).unwrap();
    all[part].as_object().unwrap().clone()
}

fn tract() -> OpenOptions {
    OpenOptions::new().engine(Engine::Tract)
}

fn open(name: &str) -> OnnxModel {
    OnnxModel::open_with(sample_path(&format!("{name}.onnx")), &tract())
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn tensor(given: &Json, dtype: DType) -> Value {
    let shape: Vec<usize> = serde_json::from_value(given["shape"].clone()).unwrap();
    let number =
        |value: &Json| value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap());
    let numbers: Vec<f64> = given["values"].as_array().unwrap().iter().map(number).collect();
    match dtype {
        DType::Float32 => {
            Value::new(&shape, &numbers.iter().map(|x| *x as f32).collect::<Vec<_>>())
        }
        DType::Int32 => Value::new(&shape, &numbers.iter().map(|x| *x as i32).collect::<Vec<_>>()),
        DType::Int64 => Value::new(&shape, &numbers.iter().map(|x| *x as i64).collect::<Vec<_>>()),
        other => panic!("{other}"),
    }
    .unwrap()
}

#[test]
fn whole_tensors_agree_with_onnxruntime() {
    for (name, cases) in edge("runs") {
        let model = open(&name);
        for case in cases.as_array().unwrap() {
            let inputs =
                model.inputs().iter().map(|port| tensor(&case["inputs"][&port.name], port.dtype));
            let outputs =
                model.predict(inputs).unwrap_or_else(|error| panic!("{name}: {error:?} at {case}"));
            for (port, output) in model.outputs().iter().zip(outputs) {
                let expected = tensor(&case["outputs"][&port.name], port.dtype);
                assert!(output.is_close(&expected, port), "{name}: {output:?}, not {expected:?}");
            }
        }
    }
}

#[test]
fn refusals_name_operator_node_and_opset() {
    for (name, part) in edge("refused") {
        let path = sample_path(&format!("refused_{name}.onnx"));
        let error = OnnxModel::open_with(&path, &tract()).map(|_| name.clone()).unwrap_err();
        let Error::Refused { reason, .. } = &error else { panic!("{name}: {error:?}") };
        assert!(reason.contains(part.as_str().unwrap()), "{name}: {reason}");
        assert!(!reason.contains('{') && !reason.contains("unwrap"), "{name}: {reason}");
    }
}

/// A row is the whole tensor where rows influence each other, also after the model was stored.
#[test]
fn dependent_rows_are_one_call() {
    let larder = larder_core::Registry::linked().unwrap().open("memory:").unwrap();
    for name in ["softmax_rows", "cumulative", "centered"] {
        let case = &edge("runs")[name][0];
        larder.apply(name, &open(name)).unwrap();
        let stored = larder.load_model(name).unwrap();
        let values = case["inputs"]["x"]["values"].as_array().unwrap();
        let width = case["inputs"]["x"]["shape"][1].as_u64().unwrap() as usize;
        let rows: Vec<Json> = values.chunks(width).map(|row| Json::from(row.to_vec())).collect();
        let output = stored.predict_json(&Json::from(rows).to_string()).unwrap();
        let output: Vec<Vec<f64>> = serde_json::from_str(&output).unwrap();
        let expected = case["outputs"]["y"]["values"].as_array().unwrap();
        for (found, expected) in output.iter().flatten().zip(expected) {
            assert!(
                (found - expected.as_f64().unwrap()).abs() < 1e-5,
                "{name}: {found}, not {expected}"
            );
        }
    }
    let fields = larder.show("softmax_rows").unwrap().manifest.fields().to_owned();
    assert!(fields.contains("\"dependent_rows\":true"), "{fields}");
}

/// A file whose rows are independent has the manifest that it had before the check.
#[test]
fn independent_rows_are_not_recorded() {
    let text = serde_json::to_string(&open("slice_512")).unwrap();
    assert!(!text.contains("dependent_rows"), "{text}");
}

#[test]
fn empty_array_keeps_fixed_sizes() {
    let output = open("boxes").predict_json_erased("[]").unwrap();
    assert_eq!(output, "[0.0,0.0,0.0,0.0]");
}

#[test]
fn shapes_of_slices_are_formulas() {
    let shape =
        open("slice_512").outputs()[0].shape.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(shape, ["N", "min(S,512)"]);
}
