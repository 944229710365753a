//! Servers that lie, and servers that are none: the client says so, ends, and sends the token to nobody else.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use larder::store::{Capabilities, Corruption, Digest, HttpStore, Store, StoreExt};
use larder::{Error, Result};
use larder_store_http::protocol::{
    BlobSizes, FoundBlob, FoundBlobs, GotRecords, ListedBlobs, ListedRecords, WireDigest, WireKey,
    WireRecord, encode,
};
use larder_tests::errors::message;

use super::fake::{Asked, Fake, say};
use super::noise;
use super::served::{larder_of, open};

const INFO: &[u8] =
    br#"{"larder_store":1,"atomic_commit":true,"isolated_commit":true,"inline_blob":65536,"new":1}"#;

/// Starts a server that is one as far as opening goes.
fn lying(
    answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static,
) -> (Fake, Arc<dyn Store>) {
    let fake = Fake::start(move |asked, _, line| match asked.line.starts_with("GET /store/v1 ") {
        true => say(line, "200 OK", "", INFO),
        false => answer(asked, line),
    });
    let store = open(&format!("{}?retries=2&timeout=1s", fake.url()), "larder_QZ0");
    (fake, store)
}

#[track_caller]
fn failed<T: std::fmt::Debug>(result: Result<T>) -> Error {
    let error = result.unwrap_err();
    let said = message(&error);
    assert!(!said.contains("QZ0"), "the token is in {said}");
    error
}

/// Asserts that an answer was not understood, or did not come, and that the reason names `fact`.
#[track_caller]
fn failed_with<T: std::fmt::Debug>(result: Result<T>, fact: &str) {
    let error = failed(result);
    let said = message(&error);
    assert!(matches!(error, Error::Store { .. }) && said.contains(fact), "{said}");
}

#[test]
fn what_the_server_says_about_itself_is_used() {
    let (_fake, store) = lying(|_, line| say(line, "404 Not Found", "", b""));
    let can = Capabilities {
        atomic_commit: true,
        isolated_commit: true,
        inline_blob: 65536,
        is_remote: true,
    };
    assert_eq!(store.capabilities(), can);
}

#[test]
fn a_server_of_something_else_is_no_larder() {
    for (status, body, why) in [
        ("200 OK", &b"<html>welcome</html>"[..], "server of Larder"),
        ("404 Not Found", b"no such page", "server of Larder"),
        ("200 OK", b"", "server of Larder"),
        ("500 Internal Server Error", b"oops", "500"),
        ("418 I'm a teapot", b"", "418"),
        ("200 OK", &[b' '; 100_000], "65536 bytes"),
    ] {
        let fake = Fake::start(move |_, _, line| say(line, status, "", body));
        let error = failed(HttpStore::with_token(&fake.url().parse().unwrap(), "larder_QZ0"));
        let is_refused = matches!(error, Error::Refused { .. });
        assert!(is_refused || matches!(error, Error::Store { .. }), "{error:?}");
        assert_eq!(is_refused, status.starts_with("418"), "{error:?}");
        assert!(message(&error).contains(why), "{error:?}");
        assert_eq!(fake.count(), 1, "a definite answer is not asked for again");
    }
    let newer =
        br#"{"larder_store":2,"atomic_commit":true,"isolated_commit":true,"inline_blob":1}"#;
    let fake = Fake::start(|_, _, line| say(line, "200 OK", "", newer));
    let error = HttpStore::with_token(&fake.url().parse().unwrap(), "larder_QZ0").unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_redirect_is_refused_and_the_token_goes_nowhere() {
    let other = Fake::start(|_, _, line| say(line, "200 OK", "", INFO));
    let location = format!("location: {}/store/v1?token=QZ0\r\n", other.url());
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let location = location.clone();
        let fake = Fake::start(move |_, _, line| say(line, status, &location, b""));
        let error = failed(HttpStore::with_token(&fake.url().parse().unwrap(), "larder_QZ0"));
        let to = other.url();
        assert!(
            matches!(&error, Error::Refused { reason, .. } if reason.contains(&to)),
            "{error:?}"
        );
    }
    assert_eq!(other.count(), 0);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    for status in ["429 Too Many Requests", "502 Bad Gateway", "503 Service Unavailable"] {
        let fake = Fake::start(move |_, count, line| match count {
            1 => say(line, status, "retry-after: 1\r\n", b""),
            _ => say(line, "200 OK", "", INFO),
        });
        let begun = Instant::now();
        HttpStore::with_token(&fake.url().parse().unwrap(), "larder_QZ0").unwrap();
        assert!(begun.elapsed() >= Duration::from_secs(1), "{status}");
        assert_eq!(fake.count(), 2);
    }
    let fake = Fake::start(|_, _, line| {
        let body = br#"{"error":{"code":"unavailable","message":"cannot reach the store"}}"#;
        say(line, "503 Service Unavailable", "", body);
    });
    let url = format!("{}?retries=2", fake.url()).parse().unwrap();
    failed_with(HttpStore::with_token(&url, "larder_QZ0"), "cannot reach the store");
    assert_eq!(fake.count(), 3, "the number of retries is bounded");
}

#[test]
fn a_refusal_says_what_to_do_and_is_not_tried_again() {
    for (status, said, why) in [
        ("401 Unauthorized", "cannot sign in: the token has expired", "`LARDER_TOKEN`"),
        (
            "403 Forbidden",
            "cannot write `wine`: no grant lets ann write `wine`",
            "no grant lets ann write `wine`",
        ),
        ("409 Conflict", "cannot change wine: it is locked", "it is locked"),
        (
            "413 Payload Too Large",
            "cannot read the request: its body is over 9 bytes",
            "its body is over 9 bytes",
        ),
    ] {
        let is_denied = ["401 Unauthorized", "403 Forbidden"].contains(&status);
        let body = format!("{{\"error\":{{\"code\":\"x\",\"message\":\"{said}\"}}}}");
        let (fake, store) = lying(move |_, line| say(line, status, "", body.as_bytes()));
        let error = failed(store.stat_blobs(&[Digest::of(b"x")]));
        let (Error::Denied { action, reason } | Error::Refused { action, reason }) = &error else {
            panic!("{error:?}")
        };
        assert_eq!(matches!(error, Error::Denied { .. }), is_denied, "{error:?}");
        assert!(reason.contains(why) && action.contains(&fake.url()), "{error:?}");
        assert_eq!(fake.count(), 2, "once to open it and once to ask");
    }
    let (_, store) = lying(|_, line| {
        let body = br#"{"error":{"code":"x","message":"cannot write `wine`: no grant lets ann"}}"#;
        say(line, "403 Forbidden", "", body);
    });
    let error = failed(store.stat_blobs(&[Digest::of(b"x")]));
    let Error::Denied { action, .. } = &error else { panic!("{error:?}") };
    assert!(action.starts_with("write `wine` at http://127.0.0.1"), "{action}");
}

#[test]
fn garbage_is_not_understood() {
    let digest = Digest::of(b"x");
    for body in [&b""[..], b"\xc1", b"{}", b"\x80", b"<html>"] {
        let (_fake, store) = lying(move |_, line| say(line, "200 OK", "", body));
        failed_with(store.stat_blobs(&[digest]), "not understood");
        failed_with(store.read_blobs(&[digest]).map(drop), "not understood");
        failed_with(store.list_records("", None, 5), "not understood");
    }
}

/// Answers to other questions than the ones that were asked.
#[test]
fn an_answer_must_fit_its_question() {
    let [one, two] = [&b"1"[..], b"2"].map(|it| WireDigest(Digest::of(it)));
    let (small, large) = if one.0 < two.0 { (one, two) } else { (two, one) };
    let key = |text: &str| WireKey(larder::store::RecordKey::new(text).unwrap());
    let record = || WireRecord { revision: "1".into(), value: "{}".into() };
    let records = |keys: &[&str]| {
        let records = keys.iter().map(|text| (key(text), record())).collect();
        encode(&ListedRecords { records, after: None }).unwrap()
    };
    let keys = [key("a/b").0];
    type Ask = Box<dyn Fn(&dyn Store) -> Result<()>>;
    let stat: fn(&dyn Store) -> Result<()> =
        |store| store.stat_blobs(&[Digest::of(b"1")]).map(drop);
    let list: fn(&dyn Store) -> Result<()> = |store| store.list_records("a/", None, 2).map(drop);
    let blobs: fn(&dyn Store) -> Result<()> = |store| store.list_blobs(None, 5).map(drop);
    let read: fn(&dyn Store) -> Result<()> =
        |store| store.read_blobs(&[Digest::of(b"1")]).map(drop);
    let cases: Vec<(larder::bytes::Bytes, Ask)> = vec![
        (encode(&BlobSizes { sizes: vec![] }).unwrap(), Box::new(stat)),
        (encode(&BlobSizes { sizes: vec![None; 2] }).unwrap(), Box::new(stat)),
        (
            encode(&GotRecords { records: vec![] }).unwrap(),
            Box::new(move |store| store.get_records(&keys).map(drop)),
        ),
        (encode(&FoundBlobs { blobs: vec![] }).unwrap(), Box::new(read)),
        (encode(&FoundBlobs { blobs: vec![None; 9] }).unwrap(), Box::new(read)),
        (
            encode(&FoundBlobs { blobs: vec![Some(FoundBlob::Bytes(vec![1; 2 << 20].into()))] })
                .unwrap(),
            Box::new(read),
        ),
        (records(&["b/c"]), Box::new(list)),
        (records(&["a/2", "a/1"]), Box::new(list)),
        (records(&["a/1", "a/1"]), Box::new(list)),
        (records(&["a/1", "a/2", "a/3"]), Box::new(list)),
        (encode(&ListedBlobs { blobs: vec![(large, 1), (small, 1)] }).unwrap(), Box::new(blobs)),
    ];
    for (body, ask) in cases {
        let (_fake, store) = lying(move |_, line| say(line, "200 OK", "", &body));
        failed_with(ask(&*store), "not understood");
    }
}

/// A listing that always says that there is more would never end.
#[test]
fn a_listing_that_does_not_go_forward_ends() {
    let (fake, store) = lying(|_, line| {
        let after = WireKey(larder::store::RecordKey::new("a/b").unwrap());
        let body = encode(&ListedRecords { records: vec![], after: Some(after) }).unwrap();
        say(line, "200 OK", "", &body);
    });
    assert_eq!(store.list_records("a/", None, 5).unwrap(), []);
    assert!(fake.count() <= 3, "{} requests", fake.count());
}

#[test]
fn an_answer_without_an_end_is_cut() {
    let endless = |_: &Asked, line: &mut TcpStream| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = line.write_all(head.as_bytes());
        let chunk = [b"100000\r\n".to_vec(), vec![0x90; 1 << 20], b"\r\n".to_vec()].concat();
        for _ in 0..10_000 {
            if line.write_all(&chunk).is_err() {
                return;
            }
        }
    };
    let (_fake, store) = lying(endless);
    failed_with(store.stat_blobs(&[Digest::of(b"x")]), "more than");
    // One that states its length is not read at all.
    let (_fake, store) = lying(|_, line| {
        let _ = line.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n");
    });
    failed_with(store.stat_blobs(&[Digest::of(b"x")]), "more than");
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let (fake, store) = lying(|_, line| {
        let _ = line.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
        thread::sleep(Duration::from_secs(20));
    });
    let begun = Instant::now();
    failed_with(store.stat_blobs(&[Digest::of(b"x")]), " 1s");
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(fake.count(), 4);
}

/// A large blob whose bytes are others, too many, too few, or those of another.
#[test]
fn a_blob_that_is_another_is_not_taken_for_it() {
    let content = noise(3 << 20);
    let digest = Digest::of(&content);
    let size = content.len();
    let mut wrong = content.clone();
    wrong[2 << 20] ^= 1;
    let longer = [&content[..], b"more"].concat();
    let other = format!("etag: \"{}\"\r\n", Digest::of(b"other").to_hex());
    let found = Digest::of(&wrong);
    let sized = |found| Some(Corruption::Size { expected: size as u64, found });
    for (body, headers, expected) in [
        (wrong, "", Some(Corruption::Digest { expected: digest, found })),
        (longer, "", sized(size as u64 + 4)),
        (content[..size - 5].to_vec(), "", sized(size as u64 - 5)),
        (content.clone(), &other, None),
    ] {
        let headers = headers.to_owned();
        let (_fake, store) = lying(move |asked, line| match asked.line.starts_with("POST") {
            true => {
                let blobs = vec![Some(FoundBlob::Size(size as u64))];
                say(line, "200 OK", "", &encode(&FoundBlobs { blobs }).unwrap());
            }
            false => say(line, "200 OK", &headers, &body),
        });
        let error = failed(store.get_checked(&digest, None, || "the blob".into()));
        match (&error, expected) {
            (Error::Corrupt { fault, .. }, Some(expected)) => assert_eq!(fault, &expected),
            (Error::Store { .. }, None) => assert!(message(&error).contains("another blob")),
            _ => panic!("{error:?}"),
        }
        let larder = larder_of(store);
        let take = |_: &[u8]| Ok(());
        let what = || "the blob".to_owned();
        failed(larder.store().copy_checked(&digest, size as u64, what, take));
    }
}

/// Where a connection is cut, the rest is asked for; a server that sends the whole again, or another part, is understood or
/// refused.
#[test]
fn the_rest_of_a_blob_is_the_rest() {
    let content = Arc::new(noise(3 << 20));
    let digest = Digest::of(&content);
    let size = content.len();
    for (how, is_right) in [("rest", true), ("whole", true), ("earlier", true), ("later", false)] {
        let body = content.clone();
        let (fake, store) = lying(move |asked, line| {
            if asked.line.starts_with("POST") {
                let blobs = vec![Some(FoundBlob::Size(size as u64))];
                return say(line, "200 OK", "", &encode(&FoundBlobs { blobs }).unwrap());
            }
            let range = asked.headers.iter().find_map(|text| text.strip_prefix("range: bytes="));
            let Some(range) = range else {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n");
                let _ = line.write_all(head.as_bytes());
                let _ = line.write_all(&body[..1 << 20]);
                return;
            };
            let from: usize = range.trim_end_matches('-').parse().unwrap();
            let from = match how {
                "whole" => return say(line, "200 OK", "", &body),
                "earlier" => from - 5,
                "later" => from + 5,
                _ => from,
            };
            let range = format!("content-range: bytes {from}-{}/{size}\r\n", size - 1);
            say(line, "206 Partial Content", &range, &body[from..]);
        });
        let read = store.get_blob(&digest);
        match is_right {
            true => assert!(read.unwrap().unwrap() == **content, "{how}"),
            false => failed_with(read, "range"),
        }
        let asked = fake.asked.lock().unwrap().clone();
        assert!(
            asked.iter().all(|it| it.headers.contains(&"authorization: bearer larder_qz0".into()))
        );
    }
}
