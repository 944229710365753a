//! Bad input ends in a clear typed error, and nothing is lost.

mod changed;
mod damage;
mod fields;
mod half;
mod names;
mod removal;
mod unlinked;

use std::sync::Arc;

use larder::Registry;
use larder::bytes::Bytes;
use larder::prelude::*;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::store::{Digest, MemoryStore, StoreExt};

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/plain")]
struct Plain {
    number: u32,
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/with-artifacts")]
struct WithArtifacts {
    number: u32,
    text: Artifact<String>,
}

fn with_artifacts(number: u32, text: &str) -> WithArtifacts {
    WithArtifacts { number, text: Artifact::new(text.into()) }
}

/// An empty larder, and its store.
fn larder() -> (Larder, MemoryStore) {
    let store = MemoryStore::new();
    (on(&store), store)
}

fn on(store: &MemoryStore) -> Larder {
    Larder::new(Arc::new(store.clone()), Registry::linked().unwrap())
}

#[track_caller]
fn assert_empty(larder: &Larder) {
    assert_eq!(larder.store().records("").count(), 0, "no record was written");
    assert_eq!(larder.store().blobs().count(), 0, "no blob was written");
}

/// Writes a record past the larder.
fn put_record(larder: &Larder, key: &str, json: &str) {
    let (key, value) = (RecordKey::new(key).unwrap(), Bytes::copy_from_slice(json.as_bytes()));
    let change = Change::PutRecord { key, value, expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

/// A record as it is written.
fn record(larder: &Larder, key: &str) -> String {
    let found = larder.store().get_record(&RecordKey::new(key).unwrap()).unwrap();
    String::from_utf8(found.expect("it is there").value.to_vec()).unwrap()
}

/// Puts bytes in the place of a blob, past the larder.
fn replace_blob(larder: &Larder, digest: Digest, bytes: impl Into<Bytes>) {
    larder.store().remove_blobs(&[digest]).unwrap();
    let change = Change::PutBlob { digest, bytes: bytes.into() };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}
