//! Servers that stop, and answers that are lost.

use std::thread;
use std::time::Duration;

use larder::store::with_causes;
use larder::{Error, Larder};

use super::{assert_whole, noise, parcel, server};

/// The numbers of the versions of `name`.
fn numbers(larder: &Larder, name: &str) -> Vec<u64> {
    larder.versions(name).unwrap().iter().map(|version| version.version.get()).collect()
}

#[test]
fn a_server_that_is_stopped_and_started_has_what_was_acknowledged() {
    let mut server = server();
    let larder = larder::open(&server.url("stopped")).unwrap();
    let impatient = larder::open(&format!("{}&retries=0", server.url("stopped"))).unwrap();
    for round in 0..3 {
        larder.apply("parcel", &parcel(round, noise(100))).unwrap();
    }
    server.tell("stop");
    let error = impatient.apply("parcel", &parcel(9, noise(100))).unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error));

    // Who has patience does not notice.
    thread::scope(|scope| {
        let applied = scope.spawn(|| larder.apply("parcel", &parcel(3, noise(100))).map(drop));
        thread::sleep(Duration::from_millis(700));
        server.tell("start");
        applied.join().unwrap().unwrap();
    });
    assert_eq!(numbers(&larder, "parcel"), [1, 2, 3, 4]);
    assert_whole(&larder);
}

/// The service has made the put and says that it failed; the client sends it again, and is told that the
/// condition does not hold any more.
#[test]
fn a_put_whose_answer_was_lost_is_not_made_twice() {
    let mut server = server();
    let larder = larder::open(&server.url("lost")).unwrap();
    for round in 0..6 {
        // One of the puts of the manifest, the version, its digest and the name, or several.
        server.tell(&format!("lose {round}"));
        larder.apply("parcel", &parcel(round, noise(100))).unwrap();
        assert_eq!(server.tell("lose 0"), "0", "as many answers were lost");
    }
    assert_eq!(numbers(&larder, "parcel"), [1, 2, 3, 4, 5, 6]);
    assert_whole(&larder);
}

#[test]
fn a_connection_that_is_cut_is_a_clean_error_or_no_error() {
    let mut server = server();
    let larder = larder::open(&server.url("cut")).unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..8 {
        let cuts = round % 4 + 1;
        server.tell(&format!("cut {cuts}"));
        let size = if round % 2 == 0 { 100 } else { 20 << 20 };
        match larder.apply("parcel", &parcel(round, noise(size))) {
            Ok(applied) => acknowledged.push(applied.version().clone()),
            Err(error) => assert!(matches!(error, Error::Store { .. }), "{}", with_causes(&error)),
        }
        let left: u64 = server.tell("cut 0").parse().unwrap();
        assert!(left < cuts, "a connection was cut");
    }
    larder.apply("parcel", &parcel(100, noise(100))).unwrap();
    let there = larder.versions("parcel").unwrap();
    for version in &acknowledged {
        assert!(there.contains(version), "{version:?} was acknowledged");
    }
    assert_eq!(server.tell("parts"), "0", "no upload is unfinished");
    assert_whole(&larder);
}
