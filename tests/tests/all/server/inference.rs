//! The Open Inference Protocol: as its clients speak it, names with `/` included.

use larder::Result;
use larder::prelude::*;
use larder_tests::{Doubler, http};
use serde_json::{Value, json};

use super::Serving;

/// Two inputs, two outputs.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/server/joiner", model)]
pub(super) struct Joiner;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Parts {
    name: String,
    sizes: [f32; 2],
}

#[derive(Serialize, JsonSchema)]
pub(super) struct Joined {
    label: String,
    sum: f32,
}

impl Predict for Joiner {
    type Input = Parts;
    type Output = Joined;

    fn predict(&self, parts: Parts) -> Result<Joined> {
        Ok(Joined { label: parts.name.to_uppercase(), sum: parts.sizes.iter().sum() })
    }
}

fn serving() -> Serving {
    let serving = Serving::start();
    serving.larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.apply("house/price", &Doubler { factor: 3.0 }).unwrap();
    serving.larder.tag("house/price@1", "prod").unwrap();
    serving.larder.apply("joiner", &Joiner).unwrap();
    serving
}

fn get(serving: &Serving, path: &str) -> Value {
    serving.get(path, Some(&serving.admin)).json()
}

#[test]
fn a_server_and_its_models_describe_themselves() {
    let serving = serving();
    assert_eq!(get(&serving, "/v2")["extensions"], json!(["binary_tensor_data"]));
    let model = get(&serving, "/v2/models/house/price");
    assert_eq!(model["name"], "house/price");
    assert_eq!(model["versions"], json!(["2"]));
    let port = json!([{ "name": "input", "datatype": "FP64", "shape": [-1] }]);
    assert_eq!(model["inputs"], port);
    let model = get(&serving, "/v2/models/joiner");
    let inputs = json!([
        { "name": "name", "datatype": "BYTES", "shape": [-1] },
        { "name": "sizes", "datatype": "FP32", "shape": [-1, 2] },
    ]);
    assert_eq!(model["inputs"], inputs);
    for path in
        ["house/price/ready", "house/price/versions/1/ready", "house/price/versions/prod/ready"]
    {
        assert_eq!(get(&serving, &format!("/v2/models/{path}"))["ready"], true, "{path}");
    }
    assert_eq!(serving.get("/v2/models/none/ready", Some(&serving.admin)).status, 404);
}

#[test]
fn rows_go_in_and_come_out_as_tensors() {
    let serving = serving();
    let body = json!({
        "id": "7",
        "inputs": [{ "name": "input", "datatype": "FP64", "shape": [3], "data": [1, 2, 3] }],
    });
    for (path, factor, version) in [
        ("house/price", 3.0, "2"),
        ("house/price/versions/1", 2.0, "1"),
        ("house/price/versions/prod", 2.0, "1"),
    ] {
        let answer = serving.ask(&format!("/v2/models/{path}/infer"), &body.to_string());
        let expected = json!({
            "id": "7",
            "model_name": "house/price",
            "model_version": version,
            "outputs": [{
                "name": "output", "datatype": "FP64", "shape": [3],
                "data": [factor, 2.0 * factor, 3.0 * factor],
            }],
        });
        assert_eq!(answer.json(), expected, "{path}");
    }
    // A tensor without rows is one input.
    let one = json!({ "inputs": [{ "name": "x", "datatype": "INT32", "shape": [], "data": [4] }] });
    let answer = serving.ask("/v2/models/house/price/infer", &one.to_string()).json();
    assert_eq!(
        (&answer["outputs"][0]["shape"], &answer["outputs"][0]["data"]),
        (&json!([]), &json!([12.0]))
    );
}

fn parts() -> Value {
    json!([
        { "name": "name", "datatype": "BYTES", "shape": [2], "data": ["a", "b"] },
        { "name": "sizes", "datatype": "FP32", "shape": [2, 2], "data": [[1, 2], [3, 4.5]] },
    ])
}

#[test]
fn named_inputs_and_outputs() {
    let serving = serving();
    let body = json!({ "inputs": parts() }).to_string();
    let outputs = serving.ask("/v2/models/joiner/infer", &body).json()["outputs"].clone();
    let expected = json!([
        { "name": "label", "datatype": "BYTES", "shape": [2], "data": ["A", "B"] },
        { "name": "sum", "datatype": "FP32", "shape": [2], "data": [3.0, 7.5] },
    ]);
    assert_eq!(outputs, expected);
    let body = json!({ "inputs": parts(), "outputs": [{ "name": "sum" }] }).to_string();
    let outputs = serving.ask("/v2/models/joiner/infer", &body).json()["outputs"].clone();
    assert_eq!(outputs.as_array().map(Vec::len), Some(1));
    let body = json!({ "inputs": parts(), "outputs": [{ "name": "total" }] }).to_string();
    assert_eq!(serving.ask("/v2/models/joiner/infer", &body).status, 422);
}

#[test]
fn tensors_in_binary() {
    let serving = serving();
    let head = json!({
        "parameters": { "binary_data_output": true },
        "inputs": [
            { "name": "name", "datatype": "BYTES", "shape": [2], "parameters": { "binary_data_size": 10 } },
            { "name": "sizes", "datatype": "FP32", "shape": [2, 2], "parameters": { "binary_data_size": 16 } },
        ],
    })
    .to_string();
    let mut body = head.clone().into_bytes();
    body.extend(b"\x01\0\0\0a\x01\0\0\0b");
    for number in [1.0_f32, 2.0, 3.0, 4.5] {
        body.extend(number.to_le_bytes());
    }
    let length = head.len().to_string();
    let send = |length: &str, body: &[u8]| {
        let headers = [("inference-header-content-length", length)];
        let token = Some(serving.admin.as_str());
        http::send(serving.address(), "POST", "/v2/models/joiner/infer", token, &headers, body)
    };
    let answer = send(&length, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let length_of_json: usize =
        answer.header("inference-header-content-length").unwrap().parse().unwrap();
    let (json, binary) = answer.body.split_at(length_of_json);
    let json: Value = serde_json::from_slice(json).unwrap();
    assert_eq!(json["outputs"][1]["parameters"]["binary_data_size"], 8);
    let mut expected = b"\x01\0\0\0A\x01\0\0\0B".to_vec();
    expected.extend([3.0_f32, 7.5].iter().flat_map(|it| it.to_le_bytes()));
    assert_eq!(binary, expected);

    for (length, body) in [
        ("999999", &body[..]),
        ("-1", &body),
        (&length, &body[..body.len() - 1]),
        (&length, &[&body[..], b"x"].concat()),
    ] {
        assert!(matches!(send(length, body).status, 400 | 422), "{length}");
    }
}

#[test]
fn tensors_that_contradict_themselves_are_refused() {
    let serving = serving();
    let input = |it: Value| json!({ "inputs": [it] }).to_string();
    for body in [
        input(json!({ "name": "input", "datatype": "FP64", "shape": [3], "data": [1, 2] })),
        input(json!({ "name": "input", "datatype": "FP65", "shape": [1], "data": [1] })),
        input(json!({ "name": "input", "datatype": "FP64", "shape": [u64::MAX, 2], "data": [1] })),
        input(json!({ "name": "input", "datatype": "FP64", "shape": [1, 1], "data": [1] })),
        input(json!({ "name": "input", "datatype": "FP64", "shape": [1] })),
        input(json!({ "name": "input", "datatype": "BYTES", "shape": [1], "data": ["x"] })),
        input(json!({ "name": "input", "datatype": "FP64", "shape": [1], "data": [{}] })),
        json!({ "inputs": [] }).to_string(),
        json!({}).to_string(),
        "[]".into(),
    ] {
        let answer = serving.ask("/v2/models/house/price/infer", &body);
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.text());
    }
    assert_eq!(serving.get("/v2/models/house/price/infer", Some(&serving.admin)).status, 405);
    assert_eq!(serving.ask("/v2/models/house/price", "{}").status, 404);
}
