//! MLflow's scoring server: the four forms of a table, and CSV.

use std::time::{Duration, Instant};

use larder::Result;
use larder::prelude::*;
use larder::serving::{DeployOptions, LarderDeployments};
use larder_tests::{Doubler, http};
use serde_json::json;

use super::Serving;

/// A model of named columns.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/server/named", model)]
pub(super) struct Named;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Row {
    rooms: u32,
    area: f64,
}

impl Predict for Named {
    type Input = Row;
    type Output = f64;

    fn predict(&self, row: Row) -> Result<f64> {
        Ok(f64::from(row.rooms) * row.area)
    }
}

/// A model of rows without names.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/server/sum", model)]
struct Sum;

impl Predict for Sum {
    type Input = Vec<f64>;
    type Output = f64;

    fn predict(&self, row: Vec<f64>) -> Result<f64> {
        Ok(row.iter().sum())
    }
}

fn serving() -> Serving {
    let serving = Serving::start();
    serving.larder.apply("house/named", &Named).unwrap();
    serving.larder.apply("sum", &Sum).unwrap();
    serving.larder.apply("double", &Doubler { factor: 2.0 }).unwrap();
    serving
}

#[test]
fn each_form_of_a_table_gives_its_predictions() {
    let serving = serving();
    let ask = |name: &str, body: serde_json::Value| {
        let answer = serving.ask(&format!("/mlflow/{name}/invocations"), &body.to_string());
        assert_eq!(answer.status, 200, "{name} {body}: {}", answer.text());
        answer.json()["predictions"].clone()
    };
    let named = "house~named";
    let split =
        json!({ "columns": ["area", "rooms"], "data": [[2.5, 2], [1.0, 3]], "index": [0, 1] });
    assert_eq!(ask(named, json!({ "dataframe_split": split })), json!([5.0, 3.0]));
    let records = json!([{ "rooms": 2, "area": 2.5 }, { "area": 1, "rooms": 3 }]);
    assert_eq!(ask("house/named", json!({ "dataframe_records": records })), json!([5.0, 3.0]));
    let columns = json!({ "rooms": [2, 3], "area": [2.5, 1] });
    assert_eq!(ask(named, json!({ "inputs": columns })), json!([5.0, 3.0]));
    assert_eq!(ask(named, json!({ "instances": records })), json!([5.0, 3.0]));

    let split = json!({ "columns": [0, 1], "data": [[1, 2], [3, 4]] });
    assert_eq!(ask("sum", json!({ "dataframe_split": split })), json!([3.0, 7.0]));
    assert_eq!(ask("sum", json!({ "inputs": [[1, 2], [3, 4]], "params": {} })), json!([3.0, 7.0]));
    assert_eq!(ask("double", json!({ "instances": [1, 2] })), json!([2.0, 4.0]));
    let split = json!({ "columns": ["x"], "data": [[1], [2]] });
    assert_eq!(ask("double", json!({ "dataframe_split": split })), json!([2.0, 4.0]));
}

#[test]
fn a_table_in_csv() {
    let serving = serving();
    let send = |kind: &str, body: &str| {
        let (headers, token) = ([("content-type", kind)], Some(serving.admin.as_str()));
        let path = "/mlflow/house~named/invocations";
        http::send(serving.address(), "POST", path, token, &headers, body.as_bytes())
    };
    let answer = send("text/csv; charset=utf-8", "area,rooms\n2.5,2\n1,3\n");
    assert_eq!(answer.json(), json!({ "predictions": [5.0, 3.0] }));
    assert_eq!(send("text/csv", "area,rooms\n1\n").status, 400);
    assert_eq!(send("text/csv; charset=latin-1", "area,rooms\n1,2\n").status, 415);
    assert_eq!(send("application/vnd.apache.parquet", "PAR1").status, 415);
    assert_eq!(send("", "{}").status, 415);
}

#[test]
fn a_body_has_exactly_one_form() {
    let serving = serving();
    for body in [
        json!({}),
        json!({ "inputs": [[1]], "instances": [[1]] }),
        json!({ "dataframe_split": { "columns": ["a"], "data": [[1, 2]] } }),
        json!({ "dataframe_split": [1] }),
        json!([[1]]),
        json!({ "instances": [["S3CRET"]] }),
    ] {
        let answer = serving.ask("/mlflow/sum/invocations", &body.to_string());
        assert!(matches!(answer.status, 400 | 422), "{body}: {}", answer.text());
        assert!(!answer.text().contains("S3CRET"), "{}", answer.text());
    }
}

#[test]
fn the_only_deployment_answers_at_the_top() {
    let serving = serving();
    let body = json!({ "inputs": [[1, 2]] }).to_string();
    assert_eq!(serving.ask("/invocations", &body).status, 404);
    serving.larder.deploy("sum", &DeployOptions::new()).unwrap();
    let started = Instant::now();
    while serving.ask("/invocations", &body).status != 200 {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(serving.ask("/invocations", &body).json(), json!({ "predictions": [3.0] }));
    assert_eq!(serving.get("/mlflow/sum/ping", Some(&serving.admin)).status, 200);
    assert_eq!(serving.get("/ping", None).text(), "\n");
}
