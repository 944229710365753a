//! MLflow's registry and Hugging Face Hub: what bad requests get, and what nobody reaches through them.

use std::io::{Read, Write};
use std::net::TcpStream;

use larder::access::{LarderAccess, Outcome, Role};
use larder::files::Tree;
use larder::store::{Digest, StoreExt};
use larder_tests::Doubler;
use larder_tests::http::{self, Answer};
use serde_json::{Value, json};

use super::{Serving, options};

const REGISTRY: &str = "/api/2.0/mlflow";
const FILES: &str = "/api/2.0/mlflow-artifacts/artifacts";

/// A server with a folder of files under `house/price`, and a component that is none under `house/other`.
fn serving() -> Serving {
    let serving = Serving::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("MLmodel"), "flavors:\n  sklearn:\n    code: null\n")
        .unwrap();
    std::fs::write(folder.path().join("page.html"), "<script>alert(1)</script>").unwrap();
    serving.larder.apply("house/price", &Tree::read(folder.path()).unwrap()).unwrap();
    serving.larder.apply("house/other", &Doubler { factor: 2.0 }).unwrap();
    serving.larder.tag("house/price", "prod").unwrap();
    serving
}

fn send(serving: &Serving, method: &str, path: &str, token: &str, body: &[u8]) -> Answer {
    let json = [("content-type", "application/json")];
    http::send(serving.address(), method, path, Some(token), &json, body)
}

/// Asks the registry as the administrator.
fn registry(serving: &Serving, method: &str, path: &str, body: &Value) -> Answer {
    let path = format!("{REGISTRY}/{path}");
    send(serving, method, &path, &serving.admin, body.to_string().as_bytes())
}

/// A logged model of somebody.
fn logged(serving: &Serving, token: &str) -> String {
    let answer =
        send(serving, "POST", &format!("{REGISTRY}/logged-models"), token, b"{\"name\": \"m\"}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["model"]["info"]["model_id"].as_str().unwrap().to_owned()
}

#[test]
fn bad_requests_get_the_errors_of_mlflow_with_a_code() {
    let serving = serving();
    let long = "k".repeat(300);
    let cases = [
        (
            "POST",
            "registered-models/create",
            json!({ "name": "../etc" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "registered-models/create",
            json!({ "name": "House" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("POST", "registered-models/create", json!({ "name": 7 }), 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "registered-models/create", json!([]), 400, "INVALID_PARAMETER_VALUE"),
        (
            "POST",
            "registered-models/create",
            json!({ "name": "house~price" }),
            400,
            "RESOURCE_ALREADY_EXISTS",
        ),
        ("GET", "registered-models/get", json!({}), 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "registered-models/get?name=none", json!({}), 404, "RESOURCE_DOES_NOT_EXIST"),
        (
            "GET",
            "registered-models/search?max_results=0",
            json!({}),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("GET", "registered-models/search?filter=%27", json!({}), 400, "INVALID_PARAMETER_VALUE"),
        (
            "GET",
            "registered-models/search?page_token=..",
            json!({}),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("GET", "registered-models/search?order_by=x", json!({}), 400, "INVALID_PARAMETER_VALUE"),
        (
            "GET",
            "model-versions/get?name=house~price&version=0",
            json!({}),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "GET",
            "model-versions/get?name=house~price&version=9",
            json!({}),
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
        (
            "GET",
            "model-versions/get-download-uri?name=house~other&version=1",
            json!({}),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        ("GET", "model-versions/search?page_token=x", json!({}), 400, "INVALID_PARAMETER_VALUE"),
        (
            "POST",
            "registered-models/alias",
            json!({ "name": "house~price", "alias": "latest", "version": "1" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "registered-models/alias",
            json!({ "name": "house~price", "alias": "a/b", "version": "1" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "DELETE",
            "registered-models/alias",
            json!({ "name": "house~price", "alias": "none" }),
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
        (
            "POST",
            "model-versions/set-tag",
            json!({ "name": "house~price", "version": "1", "key": "mlflow/run", "value": "x" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "registered-models/set-tag",
            json!({ "name": "house~price", "key": long, "value": "x" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "registered-models/set-tag",
            json!({ "name": "none", "key": "a", "value": "x" }),
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
        (
            "DELETE",
            "model-versions/delete",
            json!({ "name": "house~price", "version": "1" }),
            409,
            "INVALID_STATE",
        ),
        ("POST", "runs/create", json!({ "experiment_id": "77" }), 404, "RESOURCE_DOES_NOT_EXIST"),
        (
            "POST",
            "runs/log-metric",
            json!({ "run_id": "00", "key": "a", "value": "NaN" }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "runs/log-metric",
            json!({ "run_id": "../x", "key": "a", "value": 1 }),
            400,
            "INVALID_PARAMETER_VALUE",
        ),
        (
            "POST",
            "runs/log-metric",
            json!({ "run_id": "00", "key": "a", "value": 1 }),
            404,
            "RESOURCE_DOES_NOT_EXIST",
        ),
        ("GET", "logged-models/none", json!({}), 404, "RESOURCE_DOES_NOT_EXIST"),
        ("PATCH", "logged-models/none", json!({ "status": "x" }), 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "no-such-call", json!({}), 404, "RESOURCE_DOES_NOT_EXIST"),
    ];
    for (method, path, body, status, code) in cases {
        let answer = registry(&serving, method, path, &body);
        let found =
            (answer.status, answer.json()["error_code"].as_str().unwrap_or_default().to_owned());
        assert_eq!(found, (status, code.to_owned()), "{method} {path} {body}: {}", answer.text());
        assert!(
            answer.json()["message"].as_str().unwrap().starts_with("cannot "),
            "{}",
            answer.text()
        );
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
fn paths_of_files_lead_nowhere_else() {
    let serving = serving();
    let model = logged(&serving, &serving.admin);
    let folder = format!("{FILES}/0/models/{model}/artifacts");
    let put = |path: &str| send(&serving, "PUT", path, &serving.admin, b"content");
    assert_eq!(put(&format!("{folder}/a/b.txt")).status, 200);
    for bad in [
        "..",
        "../x",
        "a/../../x",
        "%2e%2e/x",
        "a//b",
        "/etc/passwd",
        "a%00b",
        "a%5cb",
        "a/b.txt/c",
        "",
    ] {
        let answer = put(&format!("{folder}/{bad}"));
        assert!(
            [400, 404, 405].contains(&answer.status),
            "{bad}: {} {}",
            answer.status,
            answer.text()
        );
    }
    for bad in
        ["0/models/none/artifacts/a", "0/models/../artifacts/a", "x", "versions/house~price/1/new"]
    {
        let answer = put(&format!("{FILES}/{bad}"));
        assert!([400, 404].contains(&answer.status), "{bad}: {}", answer.text());
    }
    let answer =
        serving.get(&format!("{FILES}/0/models/{model}/artifacts/a/b.txt"), Some(&serving.admin));
    assert_eq!((answer.status, answer.text()), (200, "content".to_owned()));
    for bad in ["a", "a/none", "..%2f..%2fMLmodel"] {
        let answer = serving.get(&format!("{folder}/{bad}"), Some(&serving.admin));
        assert!([400, 404].contains(&answer.status), "{bad}: {}", answer.text());
    }
    let list = |path: &str| serving.get(&format!("{FILES}?path={path}"), Some(&serving.admin));
    assert_eq!(
        list(&format!("0/models/{model}/artifacts")).json()["files"],
        json!([{ "path": "a", "is_dir": true }])
    );
    for bad in ["", "..", "/", "versions/house~price/1/..", "versions/house~other/1"] {
        assert!([400, 404].contains(&list(bad).status), "{bad}: {}", list(bad).text());
    }
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

#[test]
fn bad_requests_get_the_errors_of_the_hub_with_a_code() {
    let serving = serving();
    let ask = |method: &str, path: &str, body: &str| {
        send(&serving, method, path, &serving.admin, body.as_bytes())
    };
    let line = |value: Value| format!("{}\n", json!({ "key": "file", "value": value }));
    let large = line(json!({ "path": "x", "content": "A".repeat(46 << 20), "encoding": "base64" }));
    let cases = [
        ("GET", "/api/models/house/none", String::new(), 404, "not_found", Some("RepoNotFound")),
        ("GET", "/api/models/house/other", String::new(), 404, "not_found", Some("RepoNotFound")),
        ("GET", "/api/models/House/Price", String::new(), 400, "invalid_name", None),
        (
            "GET",
            "/api/models/house/price/revision/none",
            String::new(),
            404,
            "revision_not_found",
            Some("RevisionNotFound"),
        ),
        (
            "GET",
            "/api/models/house/price/revision/..%2f..",
            String::new(),
            404,
            "revision_not_found",
            Some("RevisionNotFound"),
        ),
        (
            "GET",
            "/api/models/house/price/tree/main/none",
            String::new(),
            404,
            "entry_not_found",
            Some("EntryNotFound"),
        ),
        (
            "GET",
            "/house/price/resolve/main/none",
            String::new(),
            404,
            "entry_not_found",
            Some("EntryNotFound"),
        ),
        (
            "GET",
            "/house/price/resolve/main/../MLmodel",
            String::new(),
            404,
            "entry_not_found",
            Some("EntryNotFound"),
        ),
        (
            "GET",
            "/house/price/resolve/main/..%2f..%2fetc%2fpasswd",
            String::new(),
            404,
            "entry_not_found",
            Some("EntryNotFound"),
        ),
        ("GET", "/api/models?limit=0", String::new(), 400, "bad_request", None),
        ("GET", "/api/models?sort=downloads", String::new(), 400, "bad_request", None),
        ("GET", "/api/models?cursor=..", String::new(), 400, "invalid_name", None),
        ("POST", "/api/repos/create", "[]".into(), 400, "bad_request", None),
        ("POST", "/api/repos/create", "{\"name\": \"../x\"}".into(), 400, "invalid_name", None),
        (
            "POST",
            "/api/repos/create",
            "{\"name\": \"x\", \"type\": \"dataset\"}".into(),
            400,
            "bad_request",
            None,
        ),
        ("POST", "/api/models/house/price/paths-info/main", "{".into(), 400, "bad_request", None),
        ("POST", "/api/models/house/price/preupload/dev", "{}".into(), 400, "bad_request", None),
        ("POST", "/api/models/house/price/commit/dev", "{}".into(), 400, "bad_request", None),
        (
            "POST",
            "/api/models/house/price/commit/main?create_pr=1",
            "{}".into(),
            400,
            "bad_request",
            None,
        ),
        ("POST", "/api/models/house/price/commit/main", "no JSON".into(), 400, "bad_request", None),
        (
            "POST",
            "/api/models/house/price/commit/main",
            line(json!({ "path": "../x", "content": "" })),
            400,
            "invalid_name",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/commit/main",
            line(json!({ "path": "/x", "content": "" })),
            400,
            "invalid_name",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/commit/main",
            line(json!({ "path": "MLmodel/x", "content": "" })),
            400,
            "invalid_name",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/commit/main",
            line(json!({ "path": "x", "content": "?" })),
            400,
            "bad_request",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/commit/main",
            line(json!({ "path": "x", "content": "", "encoding": "utf-8" })),
            400,
            "bad_request",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/commit/main",
            "{\"key\": \"lfsFile\", \"value\": {\"path\": \"x\"}}".into(),
            400,
            "bad_request",
            None,
        ),
        ("POST", "/api/models/house/price/commit/main", large, 413, "too_large", None),
        (
            "POST",
            "/api/models/house/other/commit/main",
            line(json!({ "path": "x", "content": "" })),
            409,
            "refused",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/tag/main",
            "{\"tag\": \"latest\"}".into(),
            400,
            "invalid_name",
            None,
        ),
        (
            "POST",
            "/api/models/house/price/tag/main",
            "{\"tag\": \"prod\"}".into(),
            409,
            "conflict",
            None,
        ),
        (
            "DELETE",
            "/api/models/house/price/tag/none",
            String::new(),
            404,
            "not_found",
            Some("RepoNotFound"),
        ),
    ];
    for (method, path, body, status, code, header) in cases {
        let answer = ask(method, path, &body);
        let shown = answer.text();
        let found = (answer.status, answer.code());
        assert_eq!(found, (status, code.to_owned()), "{method} {path}: {shown}");
        assert!(answer.json()["error"].as_str().unwrap().starts_with("cannot "), "{shown}");
        assert_eq!(
            answer.header("x-error-code").map(str::to_lowercase),
            header.map(str::to_lowercase),
            "{path}"
        );
    }
    assert_eq!(serving.larder.versions("house/price").unwrap().len(), 1, "nothing was written");
}

#[test]
fn the_hub_shows_nobody_what_is_not_granted() {
    let serving = serving();
    let ann = serving.user("ann", &[(Role::Viewer, "ann/*")]);
    for path in [
        "/api/models/house/price",
        "/api/models/house/price/revision/main",
        "/api/models/house/none",
        "/api/models/house/price/tree/main",
        "/api/models/house/price/refs",
        "/house/price/resolve/main/MLmodel",
    ] {
        let answer = serving.get(path, Some(&ann));
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"), "{path}");
    }
    assert_eq!(serving.get("/api/models", Some(&ann)).json(), json!([]));
    let answer = serving.get(&format!("{REGISTRY}/registered-models/search"), Some(&ann));
    assert_eq!(answer.json()["registered_models"], json!([]));
    let all = serving.get("/api/models", Some(&serving.admin)).json();
    assert_eq!(all.as_array().unwrap().len(), 1, "only folders of files are repositories");
}

#[test]
fn basic_authentication_takes_the_token_as_the_password() {
    let serving = serving();
    let ask = |value: &str| {
        let headers = [("authorization", value)];
        http::send(serving.address(), "GET", "/whoami", None, &headers, b"").status
    };
    let basic = |text: &str| format!("Basic {}", base64(text.as_bytes()));
    assert_eq!(ask(&basic(&format!("anybody:{}", serving.admin))), 200);
    assert_eq!(ask(&basic(&format!(":hf_{}", serving.admin))), 200);
    assert_eq!(ask(&format!("Bearer hf_{}", serving.admin)), 200);
    for bad in ["anybody:wrong", "anybody:", "anybody", "", &format!("{}:x", serving.admin)] {
        assert_eq!(ask(&basic(bad)), 401, "{bad}");
    }
    assert_eq!(ask("Basic ???"), 401);
    assert_eq!(ask("Bearer hf_wrong"), 401);
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - three.len()));
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { digit as char } else { '=' });
        }
    }
    text
}

#[test]
fn uploaded_pages_are_sent_as_plain_bytes() {
    let serving = serving();
    let version = format!("{FILES}/versions/house~price/1/page.html");
    for path in ["/house/price/resolve/main/page.html", &version] {
        let answer = serving.get(path, Some(&serving.admin));
        assert_eq!((answer.status, answer.text()), (200, "<script>alert(1)</script>".to_owned()));
        assert_eq!(answer.header("content-type"), Some("application/octet-stream"));
        assert_eq!(answer.header("content-disposition"), Some("attachment"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
}

#[test]
fn a_damaged_file_is_never_sent_whole() {
    let place = tempfile::tempdir().unwrap();
    let url = format!("fs:{}", place.path().join("larder").display());
    let larder = larder::open(&*url).unwrap();
    let content: Vec<u8> = (0..2_000_000_u32).map(|n| (n * 7 >> 3) as u8).collect();
    larder.apply("house/large", &Tree::file("weights.bin", content.clone()).unwrap()).unwrap();
    let blob = larder.store().read_blob(&Digest::of(&content)).unwrap().unwrap();
    let path = blob.path().unwrap().to_owned();
    let mut damaged = content.clone();
    damaged[1_000_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &damaged).unwrap();
    let server = larder::server::Server::start(larder, &options().authenticate(false)).unwrap();
    for range in ["bytes=0-", "bytes=0-10", "bytes=1999990-"] {
        let mut line = TcpStream::connect(server.address()).unwrap();
        let head =
            "GET /house/large/resolve/main/weights.bin HTTP/1.1\r\nhost: x\r\nconnection: close";
        write!(line, "{head}\r\nrange: {range}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // The connection may be reset.
        let _ = line.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(text.starts_with("http/1.1 206"), "{range}: {text:.100}");
        let stated = text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert!(answer.len() - body < stated.parse::<usize>().unwrap(), "{range}");
    }
}
