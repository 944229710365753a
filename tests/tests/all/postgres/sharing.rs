//! Many processes on one database.

use std::thread;
use std::time::{Duration, Instant};

use larder::store::{Change, Committed, Expected, PostgresStore, RecordKey, Store, StoreExt};
use larder_tests::Doubler;
use larder_tests::crowd;
use larder_tests::postgres::Server;

use super::assert_whole;

#[test]
fn four_processes_lose_no_version_and_get_none_twice_while_another_collects() {
    let server = Server::start();
    crowd::apply_while_another_collects(env!("CARGO_BIN_EXE_worker"), &server.url("shared"), 200);
}

#[test]
fn an_exclusive_collection_shuts_out_a_commit_that_began_before_it() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let joined = format!("{}&blobs=fs:{}", server.url("joined"), folder.path().display());
    for url in [server.url("alone"), joined] {
        let larder = larder::open(&url).unwrap();
        larder.apply("kept", &Doubler { factor: 1.0 }).unwrap();
        crate::gc::exclusive::collect_between_claim_and_commit(&larder);
        larder.apply("kept", &Doubler { factor: 2.0 }).unwrap();
        assert_whole(&larder);
    }
}

/// Commits that only depend on the same record do not wait for each other.
#[test]
fn a_record_written_unchanged_is_locked_shared() {
    let server = Server::start();
    let store = PostgresStore::open(&server.url("shared").parse().unwrap()).unwrap();
    let key = |name: &str| RecordKey::new(name).unwrap();
    let put =
        |name: &str, expected| Change::PutRecord { key: key(name), value: "{}".into(), expected };
    let made = store.commit(&[put("names/a", Expected::Absent)]).unwrap();
    assert_eq!(made, Committed::All);
    let found = store.get_record(&key("names/a")).unwrap().unwrap();
    // Another transaction depends on the record, and has not ended.
    let depends = "begin; select from shared.records where key = 'names/a' for share; \
        select pg_sleep(3); commit";
    thread::scope(|scope| {
        scope.spawn(|| server.sql(depends));
        thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        let unchanged = put("names/a", Expected::Revision(found.revision.clone()));
        let made = store.commit(&[unchanged, put("names/b", Expected::Absent)]).unwrap();
        assert_eq!(made, Committed::All);
        assert!(begun.elapsed() < Duration::from_secs(1), "it waited");
    });
    assert_eq!(store.get_record(&key("names/a")).unwrap(), Some(found));
}
