//! Errors of opening a bucket; secrets are never shown.

use std::sync::Arc;

use larder::store::BucketStore;
use larder::{Error, Registry};
use larder_store_object::object_store::{ObjectStoreExt, memory::InMemory, path::Path};
use larder_tests::Doubler;
use larder_tests::errors::{invalid, message, refused};
use larder_tests::s3::SECRET;

use super::{server, server_with};

fn refusal(url: &str) -> Error {
    BucketStore::open(&url.parse().unwrap()).expect_err("it is refused")
}

#[test]
fn a_service_that_ignores_conditions_is_refused_with_the_reason() {
    let server = server_with(&["--unconditional"]);
    let error = refusal(&server.url("team"));
    let (action, reason) = refused(&error);
    assert!(action.contains("s3://larder/team") && reason.contains("If-None-Match"), "{error}");
}

#[test]
fn a_place_that_holds_something_else_is_refused() {
    let service = Arc::new(InMemory::new());
    let block = |name: &'static str| {
        let service = service.clone();
        let put = async move { service.put(&Path::from(name), "x".into()).await };
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(put).unwrap();
    };
    block("photos/2026/cat.png");
    let open = |prefix| BucketStore::over(service.clone(), &Path::from(prefix), "test:");
    let error = open("photos").unwrap_err();
    assert!(refused(&error).1.contains("`2026/cat.png`"), "{error}");
    open("photo").unwrap();
    block("later/larder.json");
    assert!(matches!(open("later").unwrap_err(), Error::Corrupt { .. }));
}

#[test]
fn who_asks_whether_a_larder_is_there_makes_none() {
    let server = server();
    let registry = Registry::linked().unwrap();
    let is_there = |prefix: &str| registry.is_there(&server.url(prefix).parse().unwrap());
    for _ in 0..2 {
        assert!(!is_there("team").unwrap(), "to ask is to make none");
    }
    larder::open(&server.url("team/wine")).unwrap();
    assert!(is_there("team/wine").unwrap());
    assert!(is_there("team").unwrap(), "who opens it is told what is there");
    assert!(!is_there("tea").unwrap());
    let nowhere = "s3://larder/x?endpoint=http://127.0.0.1:1&region=eu&anonymous=true&retries=0";
    let error = registry.is_there(&nowhere.parse().unwrap()).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error}");
}

#[test]
fn unknown_options_are_refused_by_name() {
    for (url, fact) in [
        ("s3://larder/x?regoin=eu-west-1", "`regoin`"),
        ("s3://larder/x?regoin=eu-west-1", "endpoint, region"),
        ("az://larder/x?region=eu", "`region`"),
        ("gs://larder/x?region=eu", "`region`"),
        ("s3://larder/x?retries=many", "`retries`"),
        ("s3:///x", "`s3://bucket/prefix`"),
        ("s3://larder/a//b", "prefix"),
        ("s3://fast--use1-az4--x-s3/a", "directory bucket"),
    ] {
        let error = refusal(url);
        assert!(invalid(&error).contains(fact), "{url}: {error}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let server = server();
    let url = server.url("team");
    let larder = larder::open(&url).unwrap();
    let shown = larder.store().url();
    let place = url.split('?').next().unwrap();
    assert!(shown.starts_with(place), "{shown}");
    assert!(shown.contains("?endpoint=http://127.0.0.1:"), "{shown}");
    for text in [shown, format!("{:?}", larder.store())] {
        assert!(!text.contains(SECRET) && !text.contains("access_key"), "{text}");
    }
    let wrong = url.replace("region=", "regoin=");
    let lost = url.replace("//larder/", "//no-such-bucket/");
    let host = format!("s3://larder:{SECRET}@host/x");
    let endpoint = format!("s3://larder/x?endpoint=http://larder:{SECRET}@host");
    let closed = format!(
        "s3://larder/x?endpoint=http://127.0.0.1:9&retries=0&access_key_id=a&secret_access_key={SECRET}"
    );
    for url in [wrong, lost, host, endpoint, closed] {
        let said = message(&refusal(&url));
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn errors_say_what_was_attempted_and_what_to_do() {
    let server = server();
    let failed = |url: &str, facts: &[&str]| {
        let error = refusal(url);
        let said = message(&error);
        assert!(matches!(error, Error::Store { .. }) && !said.contains("<?xml"), "{said}");
        assert!(facts.iter().all(|fact| said.contains(fact)), "{facts:?} are not in {said}");
    };
    let missing = server.url("team").replace("//larder/", "//no-such-bucket/");
    failed(&missing, &["s3://no-such-bucket/team", "(NoSuchBucket)", "create"]);
    let nowhere = "s3://larder/x?endpoint=http://127.0.0.1:9&retries=0&anonymous=true";
    failed(nowhere, &["s3://larder/x", "endpoint"]);
}

#[test]
fn a_bucket_is_used_from_inside_an_async_program() {
    let server = server();
    let url = server.url("async");
    let use_it = |name: &'static str| {
        let url = url.clone();
        async move {
            let larder = larder::open(&url).unwrap();
            larder.apply(name, &Doubler { factor: 2.0 }).unwrap();
            larder.load::<Doubler>(name).unwrap().factor
        }
    };
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(one.block_on(use_it("one")), 2.0);
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    assert_eq!(many.block_on(async { tokio::spawn(use_it("many")).await.unwrap() }), 2.0);
}
