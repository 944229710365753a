//! MLflow's registry.

use larder::access::{LarderAccess, Outcome, Role};
use larder_tests::http::Answer;
use serde_json::{Value, json};

use super::super::{Serving, options};
use super::{FILES, REGISTRY, logged, send, serving};

/// Asks the registry as the administrator.
fn registry(serving: &Serving, method: &str, path: &str, body: &Value) -> Answer {
    let path = format!("{REGISTRY}/{path}");
    send(serving, method, &path, &serving.admin, body.to_string().as_bytes())
}

/// Method, path, status, code and body.
const CASES: &str = r#"
POST registered-models/create 400 INVALID_PARAMETER_VALUE { "name": "../etc" }
POST registered-models/create 400 INVALID_PARAMETER_VALUE { "name": "House" }
POST registered-models/create 400 INVALID_PARAMETER_VALUE { "name": 7 }
POST registered-models/create 400 INVALID_PARAMETER_VALUE []
POST registered-models/create 400 RESOURCE_ALREADY_EXISTS { "name": "house~price" }
GET registered-models/get 400 INVALID_PARAMETER_VALUE {}
GET registered-models/get?name=none 404 RESOURCE_DOES_NOT_EXIST {}
GET registered-models/search?max_results=0 400 INVALID_PARAMETER_VALUE {}
GET registered-models/search?filter=%27 400 INVALID_PARAMETER_VALUE {}
GET registered-models/search?page_token=.. 400 INVALID_PARAMETER_VALUE {}
GET registered-models/search?order_by=x 400 INVALID_PARAMETER_VALUE {}
GET model-versions/get?name=house~price&version=0 400 INVALID_PARAMETER_VALUE {}
GET model-versions/get?name=house~price&version=9 404 RESOURCE_DOES_NOT_EXIST {}
GET model-versions/get-download-uri?name=house~other&version=1 400 INVALID_PARAMETER_VALUE {}
GET model-versions/search?page_token=x 400 INVALID_PARAMETER_VALUE {}
POST registered-models/alias 400 INVALID_PARAMETER_VALUE { "name": "house~price", "alias": "latest", "version": "1" }
POST registered-models/alias 400 INVALID_PARAMETER_VALUE { "name": "house~price", "alias": "a/b", "version": "1" }
DELETE registered-models/alias 404 RESOURCE_DOES_NOT_EXIST { "name": "house~price", "alias": "none" }
POST model-versions/set-tag 400 INVALID_PARAMETER_VALUE { "name": "house~price", "version": "1", "key": "mlflow/run", "value": "x" }
POST registered-models/set-tag 400 INVALID_PARAMETER_VALUE { "name": "house~price", "key": "LONG", "value": "x" }
POST registered-models/set-tag 404 RESOURCE_DOES_NOT_EXIST { "name": "none", "key": "a", "value": "x" }
DELETE model-versions/delete 409 INVALID_STATE { "name": "house~price", "version": "1" }
POST runs/create 404 RESOURCE_DOES_NOT_EXIST { "experiment_id": "77" }
POST runs/log-metric 400 INVALID_PARAMETER_VALUE { "run_id": "00", "key": "a", "value": "NaN" }
POST runs/log-metric 400 INVALID_PARAMETER_VALUE { "run_id": "../x", "key": "a", "value": 1 }
POST runs/log-metric 404 RESOURCE_DOES_NOT_EXIST { "run_id": "00", "key": "a", "value": 1 }
GET logged-models/none 404 RESOURCE_DOES_NOT_EXIST {}
PATCH logged-models/none 400 INVALID_PARAMETER_VALUE { "status": "x" }
GET no-such-call 404 RESOURCE_DOES_NOT_EXIST {}
"#;

#[test]
fn bad_requests_get_the_errors_of_mlflow_with_a_code() {
    let serving = serving();
    for case in CASES.trim().lines() {
        let [method, path, status, code, body] = *case.splitn(5, ' ').collect::<Vec<_>>() else {
            panic!("{case}");
        };
        let body = body.replace("LONG", &"k".repeat(300));
        let path = format!("{REGISTRY}/{path}");
        let answer = send(&serving, method, &path, &serving.admin, body.as_bytes());
        let found = answer.json()["error_code"].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            (answer.status.to_string().as_str(), &*found),
            (status, code),
            "{case}: {}",
            answer.text()
        );
        assert!(answer.json()["message"].as_str().unwrap().starts_with("cannot "), "{case}");
    }
    for body in [&b"{"[..], b"", b"\xff", b"[\"house\"]", b"{\"name\": \"a\", \"name\": \"b\"} x"] {
        let path = format!("{REGISTRY}/registered-models/create");
        let answer = send(&serving, "POST", &path, &serving.admin, body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
    }
    let deep = format!("{{\"name\": \"a\", \"tags\": {}", "[".repeat(100_000));
    let path = format!("{REGISTRY}/registered-models/create");
    assert_eq!(send(&serving, "POST", &path, &serving.admin, deep.as_bytes()).status, 400);
    let small = Serving::with(&options().max_body(1_000));
    let body = format!("{{\"name\": \"{}\"}}", "a".repeat(2_000));
    let answer = send(&small, "POST", &path, &small.admin, body.as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
}

#[test]
fn a_source_is_looked_up_in_this_larder_and_nowhere_else() {
    let serving = serving();
    let create = |source: &str| {
        let body = json!({ "name": "house~new", "source": source });
        registry(&serving, "POST", "model-versions/create", &body)
    };
    for outside in [
        "file:///etc/passwd",
        "/etc/passwd",
        "s3://bucket/model",
        "http://127.0.0.1/x",
        "",
        "models:/",
        "runs:/",
        "mlflow-artifacts:/",
        "mlflow-artifacts://other/0/models/m/artifacts",
        "models:/house~price",
        "dbfs:/x",
    ] {
        let answer = create(outside);
        assert_eq!(answer.status, 400, "{outside}: {}", answer.text());
    }
    assert!(serving.larder.versions("house/new").is_err());
    let answer = create("models:/house~price@prod");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let same = |name: &str| serving.larder.show(name).unwrap().version.digest;
    assert_eq!(same("house/new"), same("house/price"));
    assert_eq!(
        serving.larder.annotations("house/new").unwrap().labels["mlflow/flavors"],
        "sklearn"
    );
}

#[test]
fn drafts_belong_to_who_wrote_them() {
    let serving = serving();
    let ann = serving.user("ann", &[(Role::Writer, "ann/*")]);
    let ben = serving.user("ben", &[(Role::Writer, "ben/*"), (Role::Viewer, "*")]);
    let model = logged(&serving, &ann);
    let file = format!("{FILES}/0/models/{model}/artifacts/MLmodel");
    assert_eq!(send(&serving, "PUT", &file, &ann, b"flavors:\n").status, 200);
    let of = format!("{REGISTRY}/logged-models/{model}");
    let register = json!({ "name": "ben~stolen", "model_id": model, "source": "x" }).to_string();
    let list = format!("{FILES}?path=0/models/{model}/artifacts");
    for (method, path, body) in [
        ("GET", &of, &b""[..]),
        ("PATCH", &of, b"{\"status\": \"LOGGED_MODEL_READY\"}"),
        ("GET", &file, b""),
        ("GET", &list, b""),
        ("PUT", &file, b"other"),
        ("POST", &format!("{REGISTRY}/model-versions/create"), register.as_bytes()),
        ("DELETE", &of, b""),
    ] {
        let answer = send(&serving, method, path, &ben, body);
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["error_code"], "PERMISSION_DENIED");
        assert_ne!(
            send(&serving, method, path, &serving.admin, b"{}").status,
            403,
            "an administrator may"
        );
    }
    let found = send(&serving, "POST", &format!("{REGISTRY}/logged-models/search"), &ben, b"{}");
    assert_eq!(found.json()["models"], json!([]));
    // Names are guarded as everywhere: ann may write her own only.
    let mine = logged(&serving, &ann);
    let file = format!("{FILES}/0/models/{mine}/artifacts/MLmodel");
    assert_eq!(send(&serving, "PUT", &file, &ann, b"flavors:\n").status, 200);
    for (name, status) in [("ben~theirs", 403), ("ann~own", 200)] {
        let body = json!({ "name": name, "model_id": mine, "source": "" }).to_string();
        let path = format!("{REGISTRY}/model-versions/create");
        let answer = send(&serving, "POST", &path, &ann, body.as_bytes());
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
    }
    let audit: Vec<_> = serving.larder.access().audit(None).collect::<larder::Result<_>>().unwrap();
    let has = |name: &str, outcome: Outcome| {
        audit.iter().any(|it| it.resource == format!("`{name}`") && it.outcome == outcome)
    };
    assert!(has("ann/own", Outcome::Allowed) && has("ben/theirs", Outcome::Denied), "{audit:?}");
}
