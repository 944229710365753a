//! Every store keeps the laws of `larder-testkit`.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use larder::{FsStore, MemoryStore, SqliteStore, Store};
use larder_testkit::all_store_laws;

#[test]
fn the_memory_store_keeps_every_law() {
    let place = MemoryStore::new();
    all_store_laws(&|| Arc::new(place.clone()) as Arc<dyn Store>);
}

#[test]
fn the_folder_store_keeps_every_law() {
    let place = tempfile::tempdir().unwrap();
    all_store_laws(&|| Arc::new(FsStore::open(place.path()).unwrap()) as Arc<dyn Store>);
}

#[test]
fn the_sqlite_store_keeps_every_law() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("larder.db");
    all_store_laws(&|| Arc::new(SqliteStore::open(&file).unwrap()) as Arc<dyn Store>);
}

#[test]
fn laws_may_be_run_again_on_a_store_that_holds_things() {
    let place = MemoryStore::new();
    for _ in 0..2 {
        all_store_laws(&|| Arc::new(place.clone()) as Arc<dyn Store>);
    }
}
