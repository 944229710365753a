//! Larders in a Postgres database, on a real server, and larders whose blobs are elsewhere.

mod broken;
mod joined;
mod opening;
mod sharing;

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::sync::Arc;

use larder::bytes::Bytes;
use larder::serializers::RawBytes;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::store::{PostgresStore, Store, StoreExt};
use larder::{Artifact, Larder};
use larder_testkit::all_store_laws;
use larder_tests::Parcel;
use larder_tests::postgres::Server;

fn parcel(round: u64, content: Vec<u8>) -> Parcel {
    Parcel { round, content: Artifact::<Bytes, RawBytes>::new(content.into()) }
}

/// Bytes of which no two parts are alike.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// The numbers of the versions of `name`.
fn numbers(larder: &Larder, name: &str) -> Vec<u64> {
    larder.versions(name).unwrap().iter().map(|version| version.version.get()).collect()
}

fn assert_whole(larder: &Larder) {
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn the_postgres_store_keeps_every_law() {
    let server = Server::start();
    let url = server.url("laws").parse().unwrap();
    all_store_laws(&|| Arc::new(PostgresStore::open(&url).unwrap()) as Arc<dyn Store>);
}

/// A commit that expects no record excludes concurrent writers of that record until it ends.
#[test]
fn a_record_that_must_be_absent_stays_so_until_the_commit_is_made() {
    let server = Server::start();
    let url = server.url("absent").parse().unwrap();
    let store = PostgresStore::open(&url).unwrap();
    let key = |name: &str| RecordKey::new(name).unwrap();
    let put =
        |name: &str, expected| Change::PutRecord { key: key(name), value: "{}".into(), expected };
    let absent = |name: &str| Change::RemoveRecord { key: key(name), expected: Expected::Absent };
    // Each writes its own, on the condition that the other's is not there: one of both is refused.
    for round in 0..100 {
        let [one, other] = ["a", "b"].map(|name| format!("round/{round}/{name}"));
        let commit = |own: &str, others: &str| {
            store.commit(&[absent(others), put(own, Expected::Absent)]).unwrap()
        };
        let made = std::thread::scope(|scope| {
            let first = scope.spawn(|| commit(&one, &other));
            let second = commit(&other, &one);
            [first.join().unwrap(), second]
        });
        let count = made.iter().filter(|made| **made == Committed::All).count();
        assert_eq!(count, 1, "round {round}: {made:?}");
    }
}

#[test]
fn a_large_blob_is_rows_of_a_mebibyte() {
    let server = Server::start();
    let larder = larder::open(&server.url("large")).unwrap();
    let content = noise((5 << 20) + 12);
    larder.apply("large", &parcel(1, content.clone())).unwrap();
    let read: Parcel = larder.load("large").unwrap();
    assert!(*read.content.get().unwrap() == content, "a blob of 5 MiB came back as another");
    let pieces = "select count(*), max(length(bytes)) from large.pieces";
    assert_eq!(server.sql(pieces), "6|1048576");
    let rows = "select count(*), max(size), max(length(bytes)) < 1000 from large.blobs";
    assert_eq!(server.sql(rows), format!("2|{}|t", content.len()));
    // Another version with the same content brings no blob but its manifest.
    larder.apply("large", &parcel(2, content)).unwrap();
    assert_eq!(server.sql("select count(*) from large.blobs"), "3");
    assert_eq!(server.sql(pieces), "6|1048576");
    let digest = larder.show("large").unwrap().manifest.artifacts()[0].digest;
    larder.store().remove_blobs(&[digest]).unwrap();
    assert_eq!(server.sql("select count(*) from large.pieces"), "0");
    assert!(!larder.store().has_blob(&digest).unwrap());
}
