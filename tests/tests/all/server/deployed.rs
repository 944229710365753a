//! Deployments over HTTP: followed tags, and readiness.

use std::time::{Duration, Instant};

use larder::serving::{DeployOptions, LarderDeployments};
use larder_tests::Doubler;
use serde_json::json;

use super::Serving;

/// Waits until `is_so`.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_deployment_follows_its_tag_without_a_failed_request() {
    let serving = Serving::start();
    let larder = &serving.larder;
    larder.apply("price", &Doubler { factor: 2.0 }).unwrap();
    larder.tag("price@1", "prod").unwrap();
    larder
        .deploy("price:prod", &DeployOptions::new().name("house/price".parse().unwrap()))
        .unwrap();
    let ask = || serving.ask("/predict/house/price", "{\"input\": 1}");
    until("it serves", || ask().status == 200);
    assert_eq!(ask().json(), json!({ "output": 2.0 }));
    assert_eq!(serving.get("/readyz", None).status, 200);

    larder.apply("price", &Doubler { factor: 3.0 }).unwrap();
    larder.tag("price@2", "prod").unwrap();
    until("it follows", || {
        let answer = ask();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json() == json!({ "output": 3.0 })
    });
    let status = serving.get("/deployments/house/price", Some(&serving.admin)).json();
    assert_eq!(status["serving"]["version"], "price@2", "{status}");
    let all = serving.get("/deployments", Some(&serving.admin)).json();
    assert_eq!(all["deployments"].as_array().map(Vec::len), Some(1));
    let nobody = serving.user("nobody", &[(larder::access::Role::User, "other/*")]);
    let none = serving.get("/deployments", Some(&nobody)).json();
    assert_eq!(none, json!({ "deployments": [] }));

    let metrics = serving.get("/metrics", Some(&serving.admin)).text();
    for name in [
        "http_server_request_duration_seconds_bucket",
        "larder_model_requests_total{model=\"price\",version=\"2\",code=\"succeeded\"}",
        "larder_model_request_duration_seconds_bucket",
        "larder_model_loaded_bytes",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
}
