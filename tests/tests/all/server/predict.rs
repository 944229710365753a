//! Larder's own way to predict: JSON and MessagePack, one input and many.

use std::io::Write;

use larder::Result;
use larder::access::Role;
use larder::prelude::*;
use larder_tests::{Doubler, http};
use serde_json::json;

use super::{Serving, options};

/// Fails as it is told.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/server/moody", model)]
struct Moody;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Mood {
    text: String,
    #[serde(default)]
    numbers: Vec<f64>,
}

impl Predict for Moody {
    type Input = Mood;
    type Output = Vec<f64>;

    fn predict(&self, mood: Mood) -> Result<Vec<f64>> {
        match mood.text.as_str() {
            "panic" => panic!("S3CRET of the model"),
            "fail" => Err(larder::Error::predict("S3CRET of the model")),
            "sleep" => {
                std::thread::sleep(std::time::Duration::from_millis(1_500));
                Ok(mood.numbers)
            }
            _ => Ok(mood.numbers),
        }
    }
}

fn serving() -> Serving {
    let serving = Serving::start();
    serving.larder.apply("house/price", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.apply("house/price", &Doubler { factor: 3.0 }).unwrap();
    serving.larder.tag("house/price@1", "prod").unwrap();
    serving.larder.apply("moody", &Moody).unwrap();
    serving
}

#[test]
fn one_input_and_many_by_any_reference() {
    let serving = serving();
    let digest = serving.larder.show("house/price@1").unwrap().version.digest.to_string();
    for (reference, factor, version) in [
        ("house/price", 3.0, 2),
        ("house/price:prod", 2.0, 1),
        ("house/price@2", 3.0, 2),
        ("house%2Fprice@1", 2.0, 1),
        (&format!("house/price@{}", &digest[..20]), 2.0, 1),
    ] {
        let one = serving.ask(&format!("/predict/{reference}"), "{\"input\": 4}");
        assert_eq!(one.json(), json!({ "output": 4.0 * factor }), "{reference}");
        let expected = format!("house/price@{version}");
        assert_eq!(one.header("larder-version"), Some(expected.as_str()));
        let many = serving.ask(&format!("/predict/{reference}"), "{\"inputs\": [1, 2, 3]}");
        assert_eq!(many.json(), json!({ "outputs": [factor, 2.0 * factor, 3.0 * factor] }));
    }
    let none = serving.ask("/predict/house/price", "{\"inputs\": []}");
    assert_eq!(none.json(), json!({ "outputs": [] }));
}

#[test]
fn message_pack_in_and_out() {
    let serving = serving();
    let ask = |body: &[u8]| {
        let headers = [("content-type", "application/msgpack")];
        let token = Some(serving.admin.as_str());
        http::send(serving.address(), "POST", "/predict/house/price@1", token, &headers, body)
    };
    let one = rmp_serde::to_vec_named(&json!({ "input": 1.5 })).unwrap();
    let answer = ask(&one);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let output: serde_json::Value = rmp_serde::from_slice(&answer.body).unwrap();
    assert_eq!(output, json!({ "output": 3.0 }));
    let many = rmp_serde::to_vec_named(&json!({ "inputs": [1.0, 2.0] })).unwrap();
    let output: serde_json::Value = rmp_serde::from_slice(&ask(&many).body).unwrap();
    assert_eq!(output, json!({ "outputs": [2.0, 4.0] }));
    for bad in [&b""[..], b"\x81", b"\x81\xa5input", b"\xff", &[one, vec![1]].concat()] {
        assert!(matches!(ask(bad).status, 400 | 422), "{bad:?}: {}", ask(bad).text());
    }
}

#[test]
fn words_stand_for_numbers_that_json_does_not_have() {
    let serving = serving();
    let answer = serving.ask("/predict/moody", r#"{"input": {"text": "", "numbers": ["NaN", 1]}}"#);
    assert_eq!(answer.text(), r#"{"output":["NaN",1.0]}"#);
}

#[test]
fn bad_requests_get_a_code_and_nothing_back() {
    let serving = serving();
    for (body, status, code) in [
        ("", 400, "bad_request"),
        ("{", 400, "bad_request"),
        ("[1]", 400, "bad_request"),
        ("{}", 400, "bad_request"),
        (r#"{"input": 1, "inputs": [1]}"#, 400, "bad_request"),
        (r#"{"input": 1, "S3CRET": 2}"#, 400, "bad_request"),
        (r#"{"input":1,"inputs":[1]}"#, 400, "bad_request"),
        (r#"{"input":1,"input":2}"#, 400, "bad_request"),
        (r#"{"input":1 2}"#, 400, "bad_request"),
        (r#"{"input":01}"#, 400, "bad_request"),
        (r#"{"input":[1,,2]}"#, 400, "bad_request"),
        (r#"{"input":[1}}"#, 400, "bad_request"),
        (r#"{"input":NaN}"#, 400, "bad_request"),
        ("{\"input\":\u{feff}1}", 400, "bad_request"),
        (r#"{"input":[1]}"#, 422, "invalid_input"),
        (r#"{"input": "S3CRET"}"#, 422, "invalid_input"),
        (r#"{"inputs": [1, "S3CRET"]}"#, 422, "invalid_input"),
        (r#"{"inputs": 1}"#, 422, "invalid_input"),
        (r#"{"input": null}"#, 422, "invalid_input"),
    ] {
        let answer = serving.ask("/predict/house/price", body);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
        assert!(!answer.text().contains("S3CRET"), "{}", answer.text());
    }
    let deep = format!("{{\"input\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(matches!(serving.ask("/predict/house/price", &deep).status, 400 | 422));
    let unknown = r#"{"input": {"text": "a", "S3CRET": 1}}"#;
    let answer = serving.ask("/predict/moody", unknown);
    assert_eq!(answer.status, 422);
    assert!(!answer.text().contains("S3CRET"), "{}", answer.text());
    // A failure of the model costs its own request, and its text stays in the log.
    for mood in ["panic", "fail"] {
        let answer =
            serving.ask("/predict/moody", &format!(r#"{{"input": {{"text": "{mood}"}}}}"#));
        assert_eq!((answer.status, answer.code().as_str()), (422, "model_failed"), "{mood}");
        assert!(!answer.text().contains("S3CRET"), "{}", answer.text());
    }
    assert_eq!(serving.ask("/predict/house/price", "{\"input\": 1}").status, 200);
}

#[test]
fn what_is_not_there_or_no_model_is_said() {
    let serving = serving();
    serving
        .larder
        .apply(
            "note",
            &larder_tests::Parcel { round: 1, content: larder::bytes::Bytes::new().into() },
        )
        .unwrap();
    for (path, status, code) in [
        ("/predict/house/prize", 404, "not_found"),
        ("/predict/house/price:test", 404, "not_found"),
        ("/predict/house/price@9", 404, "not_found"),
        ("/predict/House", 400, "invalid_name"),
        ("/predict/..%2f..%2fetc", 400, "invalid_name"),
        ("/predict/note", 422, "not_a_model"),
    ] {
        let answer = serving.ask(path, "{\"input\": 1}");
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
    }
}

#[test]
fn types_and_sizes_of_bodies_are_checked() {
    let serving = Serving::with(&options().max_body(1_000));
    serving.larder.apply("double", &Doubler { factor: 2.0 }).unwrap();
    let token = Some(serving.admin.as_str());
    let send = |kind: &str, body: &[u8]| {
        let headers = [("content-type", kind)];
        http::send(serving.address(), "POST", "/predict/double", token, &headers, body)
    };
    assert_eq!(send("text/xml", b"{\"input\": 1}").status, 415);
    assert_eq!(send("application/json; charset=utf-8", b"{\"input\": 1}").status, 200);
    let large = format!("{{\"input\": {}1}}", " ".repeat(2_000));
    let answer = send("application/json", large.as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert_eq!(send("application/json", b"\xff\xfe").status, 400);
}

#[test]
fn compressed_bodies_are_read_up_to_the_limit() {
    let serving = Serving::with(&options().max_body(100_000));
    serving.larder.apply("double", &Doubler { factor: 2.0 }).unwrap();
    let send = |encoding: &str, body: &[u8]| {
        let headers = [("content-type", "application/json"), ("content-encoding", encoding)];
        let token = Some(serving.admin.as_str());
        let answer =
            http::send(serving.address(), "POST", "/predict/double", token, &headers, body);
        (answer.status, answer.text())
    };
    let gzip = |spaces: usize| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        let body = format!("{{\"input\": {}1}}", " ".repeat(spaces));
        encoder.write_all(body.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(send("gzip", &gzip(90_000)), (200, "{\"output\":2.0}".into()));
    let bomb = gzip(64 << 20);
    assert!(bomb.len() < 100_000, "it passes the limit of what is sent");
    let (status, text) = send("gzip", &bomb);
    assert!(status == 413 && text.contains("too_large"), "{status}: {text}");
    for damaged in [&bomb[..20], &bomb[2..], b"{\"input\":1}", b""] {
        assert_eq!(send("gzip", damaged).0, 400, "{damaged:?}");
    }
    assert_eq!(send("br", b"x").0, 415);
}

#[test]
fn a_late_answer_is_given_up() {
    let options = options().deadline(std::time::Duration::from_millis(300));
    let serving = Serving::with(&options);
    serving.larder.apply("moody", &Moody).unwrap();
    let late = serving.ask("/predict/moody", r#"{"input": {"text": "sleep"}}"#);
    assert_eq!((late.status, late.code().as_str()), (504, "late"));
    let next = serving.ask("/predict/moody", r#"{"input": {"text": "", "numbers": [1]}}"#);
    assert_eq!(next.json(), json!({ "output": [1.0] }));
}

#[test]
fn who_may_predict_may_do_nothing_else() {
    let serving = serving();
    let ann = serving.user("ann", &[(Role::User, "house/*")]);
    let body = "{\"input\": 1}";
    assert_eq!(serving.post("/predict/house/price:prod", Some(&ann), body).status, 200);
    assert_eq!(serving.post("/predict/moody", Some(&ann), body).status, 403);
    // The answer does not reveal that the name exists.
    assert_eq!(serving.post("/predict/none", Some(&ann), body).status, 403);
    let viewer = serving.user("ben", &[(Role::Viewer, "*")]);
    assert_eq!(serving.post("/predict/house/price", Some(&viewer), body).status, 403);
    assert_eq!(serving.post("/predict/house/price", None, body).status, 401);
}

#[test]
fn a_model_has_a_document_for_clients() {
    let serving = serving();
    let model = serving.get("/models/house/price:prod", Some(&serving.admin)).json();
    assert_eq!((model["name"].as_str(), model["version"].as_u64()), (Some("house/price"), Some(1)));
    assert_eq!(model["signature"]["input"]["type"], "number");
    let openapi = serving.get("/models/house/price:prod/openapi.json", Some(&serving.admin)).json();
    assert!(openapi["paths"]["/predict/house/price:prod"]["post"].is_object(), "{openapi}");
}
