//! Laws of commits.

use larder_core::store::{Change, Committed, Expected, RecordKey};
use larder_core::store::{Digest, Store, StoreExt};

use super::{
    Open, commit, fresh_bytes, fresh_name, get, get_blob, json, key, ok, put, put_blob, remove,
};

fn keys(law: &str, count: usize) -> Vec<RecordKey> {
    let name = fresh_name(law);
    (0..count).map(|n| key(&format!("{name}/{n}"))).collect()
}

/// A conflict has the index of the first change whose precondition fails.
pub fn a_conflict_names_the_change_that_failed(store: &dyn Store) {
    for at in 0..4 {
        let keys = keys("conflict", 4);
        commit(store, &[put(&keys[at], &json("first"), Expected::Absent)]);
        // A later change may fail too, but is not the one reported.
        commit(store, &[put(&keys[3], &json("first"), Expected::Anything)]);
        let changes: Vec<_> =
            keys.iter().map(|key| put(key, &json("second"), Expected::Absent)).collect();
        match ok(store.commit(&changes), "commit") {
            Committed::Conflict { at: named, made } => {
                assert_eq!(named, at, "the change that failed");
                assert!(made <= at, "{made} changes were made before the one at {at}");
            }
            Committed::All => panic!("a commit whose change {at} must fail was made"),
        }
        let found = get(store, &keys[at]).map(|record| record.value);
        assert_eq!(found, Some(json("first")), "the record that stood against the commit");
    }
}

/// After a conflict exactly the record changes reported as made stand: an unbroken run from the first, and none on a
/// store with atomic commits.
///
/// On other stores blobs may stay behind, to be collected as garbage.
pub fn a_conflict_leaves_an_unbroken_run(store: &dyn Store) {
    let keys = keys("broken-off", 5);
    let blobs = [fresh_bytes(50), fresh_bytes(store.capabilities().inline_blob.min(1 << 20) + 1)];
    commit(store, &[put(&keys[1], &json("old"), Expected::Absent)]);
    commit(store, &[put(&keys[2], &json("old"), Expected::Absent)]);
    commit(store, &[put(&keys[3], &json("in the way"), Expected::Absent)]);
    let changes = [
        put_blob(&blobs[0]),
        put(&keys[0], &json("new"), Expected::Absent),
        put(&keys[1], &json("new"), Expected::Anything),
        remove(&keys[2], Expected::Anything),
        put(&keys[3], &json("new"), Expected::Absent),
        put_blob(&blobs[1]),
        put(&keys[4], &json("new"), Expected::Absent),
    ];
    let Committed::Conflict { at, made } = ok(store.commit(&changes), "commit") else {
        panic!("a commit was made although a precondition failed");
    };
    assert_eq!(at, 4, "the change that failed");
    assert!(made <= at, "{made} changes were made before the one at {at}");
    if store.capabilities().atomic_commit {
        assert_eq!(made, 0, "an atomic store makes all or nothing");
        for blob in &blobs {
            let there = ok(store.has_blob(&Digest::of(blob)), "stat a blob");
            assert!(!there, "a blob of {} bytes of a commit that was not made exists", blob.len());
        }
    }
    let value = |at: usize| get(store, &keys[at]).map(|record| record.value);
    let (old, new) = (Some(json("old")), Some(json("new")));
    assert_eq!(value(0), if made > 1 { new.clone() } else { None }, "{made} changes were made");
    assert_eq!(value(1), if made > 2 { new } else { old.clone() }, "{made} changes were made");
    assert_eq!(value(2), if made > 3 { None } else { old }, "{made} changes were made");
    assert_eq!(value(3), Some(json("in the way")), "the record that stood against the commit");
    assert_eq!(value(4), None, "a change after the one that failed");
}

/// An empty commit succeeds.
pub fn an_empty_commit_is_made(store: &dyn Store) {
    commit(store, &[]);
}

/// Returns a commit of blobs and records, and the digests of its blobs.
fn mixed(keys: &[RecordKey]) -> (Vec<Change>, Vec<Digest>) {
    let blobs = [fresh_bytes(0), fresh_bytes(60), fresh_bytes(500_000)];
    let mut changes: Vec<_> = blobs.iter().map(put_blob).collect();
    changes.extend(keys.iter().map(|key| put(key, &json(key), Expected::Absent)));
    (changes, blobs.iter().map(|bytes| Digest::of(bytes)).collect())
}

#[track_caller]
fn assert_seen(store: &dyn Store, keys: &[RecordKey], digests: &[Digest]) {
    let found = ok(store.get_records(keys), "get records");
    for (key, found) in keys.iter().zip(found) {
        let value = found.map(|record| record.value);
        assert_eq!(value, Some(json(key)), "{key} as another handle sees it");
    }
    for digest in digests {
        let found = get_blob(store, digest).map(|bytes| Digest::of(&bytes));
        assert_eq!(found, Some(*digest), "a blob as another handle sees it");
    }
}

/// Once a commit has returned, every handle on the place sees all of it, including handles opened earlier.
pub fn a_commit_is_seen_by_every_handle(open: &Open<'_>) {
    let (early, writer) = (open(), open());
    let keys = keys("seen", 3);
    assert_eq!(get(&*early, &keys[0]), None, "it was not written yet");
    let (changes, digests) = mixed(&keys);
    commit(&*writer, &changes);
    for store in [early.clone(), open(), writer] {
        assert_seen(&*store, &keys, &digests);
    }
    commit(&*early, &[remove(&keys[1], Expected::Anything)]);
    assert_eq!(get(&*open(), &keys[1]), None, "another handle removed it");
}

/// A commit is visible after the handle that made it is dropped.
pub fn a_commit_outlives_its_handle(open: &Open<'_>) {
    let keys = keys("outlives", 3);
    let writer = open();
    let (changes, digests) = mixed(&keys);
    commit(&*writer, &changes);
    drop(writer);
    assert_seen(&*open(), &keys, &digests);
}
