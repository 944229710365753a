//! A larder behind a server keeps every law of a store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::Error;
use larder::store::HttpStore;
use larder_testkit::all_store_laws;
use larder_tests::errors::message;
use larder_tests::proxy::Proxy;

use super::certificate;
use super::served::{Served, opener};

#[test]
fn a_larder_in_memory_keeps_every_law_behind_a_server() {
    let served = Served::at("memory:");
    all_store_laws(&served.opener());
}

#[test]
fn a_larder_in_sqlite_keeps_every_law_behind_a_server() {
    let place = tempfile::tempdir().unwrap();
    let served = Served::at(&format!("sqlite:{}", place.path().join("larder.db").display()));
    all_store_laws(&served.opener());
}

#[test]
fn a_larder_in_a_folder_keeps_every_law_behind_a_server() {
    let place = tempfile::tempdir().unwrap();
    let served = Served::at(&format!("fs:{}", place.path().join("larder").display()));
    all_store_laws(&served.opener());
}

#[test]
fn a_larder_keeps_every_law_behind_tls() {
    let place = tempfile::tempdir().unwrap();
    let (authority, tls) = certificate::make(place.path());
    let served = Served::with("memory:", |options| options.tls(tls));
    let url = format!("https://localhost:{}?ca={}", served.port(), authority.display());
    all_store_laws(&opener(url.clone(), served.token()));

    let unknown = format!("https://localhost:{}", served.port());
    let error = HttpStore::with_token(&unknown.parse().unwrap(), "larder_x").unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Store { .. }) && said.contains("certificate"), "{said}");
    let other = url.replace("localhost", "127.0.0.1");
    let error = HttpStore::with_token(&other.parse().unwrap(), "larder_x").unwrap_err();
    let said = message(&error);
    assert!(matches!(error, Error::Store { .. }) && said.contains("certificate"), "{said}");
}

/// Each law holds while connections are cut in the middle of requests and of answers.
#[test]
fn a_larder_keeps_every_law_through_a_line_that_is_cut_all_the_time() {
    let served = Served::at("memory:");
    let proxy = Proxy::watching(served.port(), b"POST /store/v1/commit");
    let url = format!("http://127.0.0.1:{}?retries=20", proxy.port());
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0_u32.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                // A retry arrives even on a slow machine: the next fault is for later requests.
                proxy.heal();
                let begun = proxy.passed();
                let mut before = begun;
                loop {
                    thread::sleep(Duration::from_millis(100));
                    let now = proxy.passed();
                    if now == before || now - begun > 8 << 20 || ended.load(Ordering::Relaxed) {
                        break;
                    }
                    before = now;
                }
                match round % 3 {
                    0 => proxy.cut_after(round.wrapping_mul(7_919) % 100_000),
                    1 => proxy.cut_answers_after(round.wrapping_mul(7_907) % 100_000),
                    _ => drop(proxy.lose_answers(1)),
                }
                thread::sleep(Duration::from_millis(30));
            }
        });
        let end = Ends(&ended);
        all_store_laws(&opener(url, served.token()));
        drop(end);
    });
}

/// Ends the cutting, also if a law is broken.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
