//! Servers that stop, lines that are cut, and answers that are lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use larder::store::StoreExt;
use larder::store::with_causes;
use larder::{Error, Larder, Registry};
use larder_server::{Server, ServerOptions};
use larder_tests::proxy::Proxy;

use super::served::{Served, larder_of, open};
use super::{assert_whole, noise, parcel};

fn numbers(larder: &Larder, name: &str) -> Vec<u64> {
    larder.versions(name).unwrap().iter().map(|version| version.version.get()).collect()
}

#[test]
fn a_commit_whose_answer_was_lost_is_not_made_twice() {
    let served = Served::at("memory:");
    let proxy = Proxy::watching(served.port(), b"POST /store/v1/commit");
    let url = format!("http://127.0.0.1:{}", proxy.port());
    let larder = larder_of(open(&url, served.token()));
    for round in 1..=5 {
        proxy.lose_answers(round.min(3));
        larder.apply("parcel", &parcel(round, noise(100))).unwrap();
        assert_eq!(proxy.lose_answers(0), 0, "all were lost");
        larder.tag("parcel", "newest").unwrap();
        proxy.lose_commits(2);
        larder.apply("other", &parcel(round, noise(200))).unwrap();
        assert_eq!(proxy.lose_commits(0), 0, "both were lost");
    }
    assert_eq!(numbers(&larder, "parcel"), [1, 2, 3, 4, 5]);
    assert_eq!(numbers(&larder, "other"), [1, 2, 3, 4, 5]);
    assert_whole(&larder);
}

/// The server that made the commit is gone; another one answers the second sending, and others have written since.
#[test]
fn a_commit_whose_server_died_with_the_answer_is_not_made_twice() {
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let first = Served::at(&url);
    let token = first.token().to_owned();
    let beside = first.larder.clone();
    let address = first.server.address().unwrap();
    let proxy = Proxy::watching(first.port(), b"POST /store/v1/commit");
    let store = open(&format!("http://127.0.0.1:{}?retries=20", proxy.port()), &token);
    let larder = larder_of(store);
    larder.apply("parcel", &parcel(0, noise(100))).unwrap();
    for round in 1..=2 {
        proxy.lose_answers(1);
        let before = beside.versions("parcel").unwrap().len();
        thread::scope(|scope| {
            let applying = scope.spawn(|| larder.apply("parcel", &parcel(round, noise(100))));
            while beside.versions("parcel").unwrap().len() == before {
                thread::sleep(Duration::from_millis(5));
            }
            // The first sending was made. Another writer goes on from it before it is sent again.
            beside.apply("parcel", &parcel(round + 100, noise(100))).unwrap();
            applying.join().unwrap().unwrap();
        });
    }
    let made: Vec<_> = (1..=5).collect();
    assert_eq!(numbers(&larder, "parcel"), made, "each was made once");

    // Now the memory of the server is lost too.
    proxy.lose_answers(1);
    let before = beside.versions("parcel").unwrap().len();
    let second = thread::scope(|scope| {
        let applying = scope.spawn(|| larder.apply("parcel", &parcel(9, noise(100))));
        while beside.versions("parcel").unwrap().len() == before {
            thread::yield_now();
        }
        drop(first);
        beside.apply("parcel", &parcel(109, noise(100))).unwrap();
        let larder = Registry::linked().unwrap().open(&*url).unwrap();
        let second = Server::start(larder, &ServerOptions::new().listen(address.into())).unwrap();
        applying.join().unwrap().unwrap();
        second
    });
    assert_eq!(numbers(&larder, "parcel"), [1, 2, 3, 4, 5, 6, 7], "it was made once");
    assert_whole(&larder);
    drop(second);
}

#[test]
fn a_client_waits_for_a_server_that_starts_again_and_loses_nothing() {
    let place = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", place.path().join("larder.db").display());
    let first = Served::at(&url);
    let token = first.token().to_owned();
    let (address, at) = (first.server.address().unwrap(), first.server.url());
    let larder = larder_of(open(&format!("{at}?retries=20"), &token));
    let impatient = larder_of(open(&format!("{at}?retries=0"), &token));
    let ended = AtomicBool::new(false);
    let mut running = Some(first.server);
    let acknowledged = thread::scope(|scope| {
        let patient = scope.spawn(|| {
            let (mut acknowledged, mut round) = (Vec::new(), 1);
            // On a busy machine, most are applied after the last start.
            while !ended.load(Ordering::Relaxed) || acknowledged.len() < 4 {
                let size = if round % 5 == 0 { 3 << 20 } else { 100 };
                let applied = larder.apply("parcel", &parcel(round, noise(size))).unwrap();
                acknowledged.push(applied.version().version.get());
                round += 1;
            }
            acknowledged
        });
        for _ in 0..3 {
            thread::sleep(Duration::from_millis(300));
            drop(running.take());
            let error = impatient.apply("parcel", &parcel(9, noise(100))).unwrap_err();
            assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error));
            let larder = Registry::linked().unwrap().open(&*url).unwrap();
            let again =
                Server::start(larder, &ServerOptions::new().listen(address.into())).unwrap();
            assert_eq!(again.first_token(), None, "the larder has an administrator");
            running = Some(again);
        }
        thread::sleep(Duration::from_millis(300));
        ended.store(true, Ordering::Relaxed);
        patient.join().unwrap()
    });
    assert_eq!(numbers(&larder, "parcel"), acknowledged);
    assert_whole(&larder);
}

#[test]
fn a_large_blob_goes_on_where_its_line_was_cut() {
    let served = Served::at("memory:");
    let proxy = Proxy::watching(served.port(), b"POST /store/v1/commit");
    let store = open(&format!("http://127.0.0.1:{}", proxy.port()), served.token());
    let content = larder::bytes::Bytes::from(noise(20 << 20));
    let digest = larder::store::Digest::of(&content);
    proxy.cut_after(9 << 20);
    store.put_blob(&digest, content.clone()).unwrap();
    for cut in [0, 1, 100_000, 12 << 20, (20 << 20) - 1] {
        let blob = store.read_blob(&digest).unwrap().unwrap();
        proxy.cut_answers_after(cut);
        let mut read = Vec::new();
        blob.for_each_piece(|piece| {
            read.extend_from_slice(piece);
            Ok(())
        })
        .unwrap();
        assert!(read == content, "cut after {cut} bytes");
    }
}
