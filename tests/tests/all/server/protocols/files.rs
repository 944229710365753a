//! Files by both protocols.

use std::io::{Read, Write};
use std::net::TcpStream;

use larder::files::Tree;
use larder::store::{Digest, StoreExt};
use serde_json::json;

use super::super::options;
use super::{FILES, logged, send, serving};

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
    let content: Vec<u8> = (0..2_000_000_u32).map(|n| ((n * 7) >> 3) as u8).collect();
    larder.apply("house/large", &Tree::file("weights.bin", content.clone()).unwrap()).unwrap();
    let blob = larder.store().read_blob(&Digest::of(&content)).unwrap().unwrap();
    let path = blob.path().unwrap().to_owned();
    let mut damaged = content.clone();
    damaged[1_000_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &damaged).unwrap();
    let server = larder::server::Server::start(larder, &options().authenticate(false)).unwrap();
    for range in ["bytes=0-", "bytes=0-10", "bytes=1999990-"] {
        let mut line = TcpStream::connect(server.address().unwrap()).unwrap();
        let head =
            "GET /house/large/resolve/main/weights.bin HTTP/1.1\r\nhost: x\r\nconnection: close";
        write!(line, "{head}\r\nrange: {range}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // The connection may be reset.
        let _ = line.read_to_end(&mut answer);
        if answer.is_empty() && range != "bytes=0-" {
            // The fault was found before the head was on its way.
            continue;
        }
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(text.starts_with("http/1.1 206"), "{range}: {text:.100}");
        let stated = text.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let body = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert!(answer.len() - body < stated.parse::<usize>().unwrap(), "{range}");
    }
}
