//! Every store keeps the laws of `larder-testkit`.

use std::sync::Arc;

use larder::Registry;
use larder::store::{BucketStore, FsStore, MemoryStore, SqliteStore, Store};
use larder_store_object::object_store::{memory::InMemory, path::Path};
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
fn a_folder_that_is_named_by_a_file_url_keeps_every_law() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a shelf");
    let url = format!("file://{}", folder.display()).replace(' ', "%20").parse().unwrap();
    let registry = Registry::linked().unwrap();
    all_store_laws(&|| registry.open_store(&url).unwrap());
    assert!(folder.join("larder.json").is_file());
}

/// tmpfs shows less of a folder that changes than other file systems do.
#[cfg(target_os = "linux")]
#[test]
fn the_folder_store_keeps_every_law_on_tmpfs() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
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

/// Tests against an S3 server are in `object.rs`.
#[test]
fn the_bucket_store_keeps_every_law_on_a_service_in_memory() {
    for prefix in ["", "some/prefix"] {
        let (service, prefix) = (Arc::new(InMemory::new()), Path::from(prefix));
        let open = || BucketStore::over(service.clone(), &prefix, "test:").unwrap();
        all_store_laws(&|| Arc::new(open()) as Arc<dyn Store>);
    }
}
