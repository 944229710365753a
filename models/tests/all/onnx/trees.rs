//! Tree ensembles answer as onnxruntime does, which the script compared with the estimators' own answers.

use larder_core::Model as _;
use larder_models::OnnxModel;
use serde_json::{Map, Value as Json};

use super::{assert_close, sample};

/// Predicts each row alone and all rows as a batch.
fn agree(kind: &str) {
    let all: Map<String, Json> = serde_json::from_str(&sample("trees.json")).unwrap();
    let mut tried = 0;
    for (name, case) in all.iter().filter(|(name, _)| name.ends_with(kind)) {
        let model = OnnxModel::open(super::sample_path(&format!("{name}.onnx"))).unwrap();
        let rows = case["rows"].as_array().unwrap();
        assert!(rows.len() > 10, "{name}");
        let batch = model.predict_batch_json_erased(&case["rows"].to_string()).unwrap();
        let batch: Vec<Json> = serde_json::from_str(&batch).unwrap();
        assert_eq!(batch.len(), rows.len());
        for (at, row) in rows.iter().enumerate() {
            let one = model.predict_json_erased(&row.to_string()).unwrap();
            let one: Json = serde_json::from_str(&one).unwrap();
            for output in model.outputs() {
                let several = model.outputs().len() > 1;
                let of = |whole: &Json| {
                    if several { whole[&output.name].clone() } else { whole.clone() }
                };
                let expected = &case["outputs"][&output.name][at];
                let place = format!("{name}, row {at}, {}", output.name);
                assert_close(&of(&one), expected, &place);
                assert_close(&of(&batch[at]), expected, &place);
            }
        }
        tried += 1;
    }
    assert!(tried >= 4, "{tried} models");
}

#[test]
fn two_classes_agree_with_onnxruntime() {
    agree("_two");
}

#[test]
fn two_classes_with_text_labels_agree_with_onnxruntime() {
    agree("_text");
}

#[test]
fn three_classes_agree_with_onnxruntime() {
    agree("_three");
}

#[test]
fn regressors_agree_with_onnxruntime() {
    agree("_number");
}
