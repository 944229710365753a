//! Hugging Face Hub.

use larder::access::Role;
use serde_json::json;

use super::{REGISTRY, send, serving};

/// Method, path, status, code, header and body.
const CASES: &str = r#"
GET /api/models/house/none 404 not_found RepoNotFound
GET /api/models/house/other 404 not_found RepoNotFound
GET /api/models/House/Price 400 invalid_name -
GET /api/models/house/price/revision/none 404 revision_not_found RevisionNotFound
GET /api/models/house/price/revision/..%2f.. 404 revision_not_found RevisionNotFound
GET /api/models/house/price/tree/main/none 404 entry_not_found EntryNotFound
GET /house/price/resolve/main/none 404 entry_not_found EntryNotFound
GET /house/price/resolve/main/../MLmodel 404 entry_not_found EntryNotFound
GET /house/price/resolve/main/..%2f..%2fetc%2fpasswd 404 entry_not_found EntryNotFound
GET /api/models?limit=0 400 bad_request -
GET /api/models?sort=downloads 400 bad_request -
GET /api/models?cursor=.. 400 invalid_name -
POST /api/repos/create 400 bad_request - []
POST /api/repos/create 400 invalid_name - {"name": "../x"}
POST /api/repos/create 400 bad_request - {"name": "x", "type": "dataset"}
POST /api/models/house/price/paths-info/main 400 bad_request - {
POST /api/models/house/price/preupload/dev 400 bad_request - {}
POST /api/models/house/price/commit/dev 400 bad_request - {}
POST /api/models/house/price/commit/main?create_pr=1 400 bad_request - {}
POST /api/models/house/price/commit/main 400 bad_request - no JSON
POST /api/models/house/price/commit/main 400 invalid_name - {"key": "file", "value": { "path": "../x", "content": "" }}
POST /api/models/house/price/commit/main 400 invalid_name - {"key": "file", "value": { "path": "/x", "content": "" }}
POST /api/models/house/price/commit/main 400 invalid_name - {"key": "file", "value": { "path": "MLmodel/x", "content": "" }}
POST /api/models/house/price/commit/main 400 bad_request - {"key": "file", "value": { "path": "x", "content": "?" }}
POST /api/models/house/price/commit/main 400 bad_request - {"key": "file", "value": { "path": "x", "content": "", "encoding": "utf-8" }}
POST /api/models/house/price/commit/main 400 bad_request - {"key": "lfsFile", "value": {"path": "x"}}
POST /api/models/house/other/commit/main 409 refused - {"key": "file", "value": { "path": "x", "content": "" }}
POST /api/models/house/price/tag/main 400 invalid_name - {"tag": "latest"}
POST /api/models/house/price/tag/main 409 conflict - {"tag": "prod"}
DELETE /api/models/house/price/tag/none 404 revision_not_found RevisionNotFound
"#;

#[test]
fn bad_requests_get_the_errors_of_the_hub_with_a_code() {
    let serving = serving();
    for case in CASES.trim().lines() {
        let mut parts = case.splitn(6, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (method, path, status, code, header, body) =
            (part(), part(), part(), part(), part(), part());
        let answer = send(&serving, method, path, &serving.admin, body.as_bytes());
        let found = (answer.status.to_string(), answer.code());
        assert_eq!(found, (status.to_owned(), code.to_owned()), "{case}: {}", answer.text());
        assert!(answer.json()["error"].as_str().unwrap().starts_with("cannot "), "{case}");
        let named = answer.header("x-error-code").unwrap_or("-");
        assert_eq!(named, header.to_lowercase(), "{case}");
    }
    let content = "A".repeat(46 << 20);
    let line = json!({ "key": "file", "value": { "path": "x", "content": content } }).to_string();
    let path = "/api/models/house/price/commit/main";
    let answer = send(&serving, "POST", path, &serving.admin, line.as_bytes());
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
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
