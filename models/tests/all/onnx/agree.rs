//! Agreement with onnxruntime on every held-out row.

use larder_core::Model;
use larder_models::OnnxModel;
use larder_models::onnx::{Value, ndarray::Array2};
use serde_json::{Value as Json, json};

use super::{assert_close, fixture, json, model};

struct Fixture {
    model: OnnxModel,
    rows: Vec<Json>,
    /// By output, then by row.
    expected: Json,
}

fn load(name: &str) -> Fixture {
    let file = json(&format!("{name}.json"));
    let rows = match &file["rows"] {
        Json::String(other) => json(other),
        rows => rows.clone(),
    };
    let rows = rows.as_array().unwrap().clone();
    assert!(rows.len() >= 45, "{name} has {} rows", rows.len());
    Fixture { model: model(name), rows, expected: file["outputs"].clone() }
}

/// Compares a prediction with that of onnxruntime.
fn assert_agrees(fixture: &Fixture, row: usize, predicted: &Json) {
    let outputs = fixture.model.outputs();
    for output in outputs {
        let predicted = if outputs.len() == 1 { predicted } else { &predicted[&output.name] };
        let expected = &fixture.expected[&output.name][row];
        assert_close(predicted, expected, &format!("row {row}, {}", output.name));
    }
}

/// Predicts single rows as arrays and objects, a batch, and an ndarray array.
fn agrees(name: &str) {
    let fixture = load(name);
    let Fixture { model, rows, .. } = &fixture;
    let input = &model.inputs()[0].name;
    let face: &dyn Model = model;
    for (at, row) in rows.iter().enumerate() {
        let predicted = face.predict_json(&row.to_string()).unwrap();
        assert_agrees(&fixture, at, &serde_json::from_str(&predicted).unwrap());
        let named = face.predict_json(&json!({ input: row }).to_string()).unwrap();
        assert_eq!(named, predicted);
    }
    let all = face.predict_batch_json(&Json::from(rows.clone()).to_string()).unwrap();
    let all: Vec<Json> = serde_json::from_str(&all).unwrap();
    assert_eq!(all.len(), rows.len());
    for (at, predicted) in all.iter().enumerate() {
        assert_agrees(&fixture, at, predicted);
    }

    let width = rows[0].as_array().unwrap().len();
    let flat = rows.iter().flat_map(|row| row.as_array().unwrap());
    let flat: Vec<f32> = flat.map(|x| x.as_f64().unwrap() as f32).collect();
    let array = Array2::from_shape_vec((rows.len(), width), flat).unwrap();
    let outputs = model.predict([Value::from(array.view())]).unwrap();
    let at = model.outputs().iter().position(|output| output.name == "probabilities").unwrap();
    let probabilities = outputs[at].view::<f32>().unwrap();
    for (row, expected) in fixture.expected["probabilities"].as_array().unwrap().iter().enumerate()
    {
        let predicted: Vec<f32> = probabilities
            .index_axis(larder_models::onnx::ndarray::Axis(0), row)
            .iter()
            .copied()
            .collect();
        assert_close(&json!(predicted), expected, &format!("row {row} of the array"));
    }
}

#[test]
fn scikit_learn_linear_agrees_with_onnxruntime() {
    agrees("wine_linear");
}

#[test]
fn scikit_learn_forest_agrees_with_onnxruntime() {
    agrees("wine_forest");
}

#[test]
fn scikit_learn_mlp_agrees_with_onnxruntime() {
    agrees("digits_mlp");
}

#[test]
fn pytorch_cnn_agrees_with_onnxruntime() {
    agrees("digits_cnn");
}

#[test]
fn threads_share_a_lazily_built_model() {
    let larder = larder_core::Registry::linked().unwrap().open("memory:").unwrap();
    larder.apply("digits", &model("digits_cnn")).unwrap();
    let model = larder.load_model("digits").unwrap();
    let fixture = load("digits_cnn");
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (model, fixture) = (&model, &fixture);
            scope.spawn(move || {
                for at in (thread..fixture.rows.len()).step_by(4) {
                    let predicted = model.predict_json(&fixture.rows[at].to_string()).unwrap();
                    assert_agrees(fixture, at, &serde_json::from_str(&predicted).unwrap());
                }
            });
        }
    });
}

#[test]
fn large_batch_is_ordered() {
    let fixture = load("digits_mlp");
    let many: Vec<_> = fixture.rows.iter().cycle().take(600).cloned().collect();
    let all = fixture.model.predict_batch_json_erased(&Json::from(many).to_string()).unwrap();
    let all: Vec<Json> = serde_json::from_str(&all).unwrap();
    assert_eq!(all.len(), 600);
    for (at, predicted) in all.iter().enumerate() {
        assert_agrees(&fixture, at % fixture.rows.len(), predicted);
    }
}

#[test]
fn fixtures_are_small() {
    let folder = fixture("");
    let sizes =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    assert!(sizes.sum::<u64>() < 600 * 1024);
}
