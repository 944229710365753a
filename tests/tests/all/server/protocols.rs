//! MLflow's registry and Hugging Face Hub: what bad requests get, and what nobody reaches through them.

mod files;
mod hub;
mod registry;

use larder::files::Tree;
use larder_tests::Doubler;
use larder_tests::http::{self, Answer};

use super::Serving;

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

/// A logged model of somebody.
fn logged(serving: &Serving, token: &str) -> String {
    let answer =
        send(serving, "POST", &format!("{REGISTRY}/logged-models"), token, b"{\"name\": \"m\"}");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["model"]["info"]["model_id"].as_str().unwrap().to_owned()
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
