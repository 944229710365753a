//! Laws of stores.
//!
//! A law over `&dyn Store` needs one handle; a law over [`Open`] needs several handles on one place. Every law uses fresh
//! names, so laws can be run in any order and repeatedly on a place with other content. They do not clean up.

pub mod blobs;
pub mod commits;
pub mod crowds;
pub mod listings;
pub mod records;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use larder_core::Result;
use larder_core::bytes::Bytes;
use larder_core::store::{Change, Committed, Expected, Record, RecordKey};
use larder_core::store::{Digest, Store, StoreExt};

use crate::random::Random;
use larder_core::store::with_causes;

/// Opens another handle on the same blobs and records at every call.
///
/// For a store in memory, returns clones of one handle.
pub type Open<'a> = dyn Fn() -> Arc<dyn Store> + Sync + 'a;

/// Checks every law of this module on the store that `open` returns.
///
/// # Panics
/// If a law is broken.
pub fn all_store_laws(open: &Open<'_>) {
    let store = &*open();

    blobs::a_blob_comes_back_as_it_was(store);
    blobs::a_blob_may_be_written_in_pieces(store);
    blobs::a_blob_may_be_written_as_bytes(store);
    blobs::bytes_and_pieces_are_joined_in_order(store);
    blobs::a_blob_may_be_read_in_pieces(store);
    blobs::the_file_of_a_blob_holds_its_content(store);
    blobs::an_abandoned_blob_leaves_nothing(store);
    blobs::a_blob_put_twice_is_one_blob(store);
    blobs::blobs_are_answered_in_the_order_asked(store);
    blobs::blobs_are_listed_by_digest_each_once(store);
    blobs::a_removed_blob_is_gone(store);
    blobs::what_a_living_writer_works_on_is_left_alone(store);
    blobs::bytes_outlive_their_blob(store);

    records::a_record_comes_back_as_it_was(store);
    records::records_are_answered_in_the_order_asked(store);
    records::a_put_keeps_its_precondition(store);
    records::a_removal_keeps_its_precondition(store);
    records::other_content_has_another_revision(store);
    records::a_record_may_be_large(store);
    records::a_key_may_begin_other_keys(store);
    records::a_key_may_be_long(store);

    listings::records_are_listed_in_byte_order(store);
    listings::a_listing_goes_on_after_any_key(store);
    listings::a_listing_has_no_end_before_the_last_record(store);

    commits::a_conflict_names_the_change_that_failed(store);
    commits::a_conflict_leaves_an_unbroken_run(store);
    commits::an_empty_commit_is_made(store);
    commits::a_commit_is_seen_by_every_handle(open);
    commits::a_commit_outlives_its_handle(open);

    crowds::no_update_is_lost(open);
    crowds::one_of_many_is_the_first(open);
    crowds::commits_do_not_cross(open);
    crowds::many_may_write_one_blob(open);
    crowds::nobody_sees_half_a_record(open);
    crowds::a_record_is_never_seen_before_its_blobs(open);
    crowds::a_listing_misses_nothing_while_others_write(open);
    crowds::a_listing_shows_what_is_written_anew(open);
}

/// Returns the value, or panics with the error and its causes.
#[track_caller]
fn ok<T>(result: Result<T>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the store failed to {what}: {}", with_causes(&error)),
    }
}

/// Returns a number that no other call returns, in this process or another.
fn fresh_number() -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| time.as_nanos() as u64);
    Random::new(now ^ (u64::from(std::process::id()) << 40)).next().wrapping_add(call)
}

/// Returns a unique prefix for keys.
fn fresh_name(law: &str) -> String {
    format!("laws/{law}-{:016x}", fresh_number())
}

/// Returns bytes that no other blob has, unless they are very few.
fn fresh_bytes(len: usize) -> Bytes {
    Random::new(fresh_number()).bytes(len).into()
}

#[track_caller]
fn key(text: &str) -> RecordKey {
    ok(RecordKey::new(text), "take a key")
}

/// Returns a small JSON document.
fn json(content: impl std::fmt::Display) -> Bytes {
    format!("{{\"content\":\"{content}\"}}").into()
}

fn put(key: &RecordKey, value: &Bytes, expected: Expected) -> Change {
    Change::PutRecord { key: key.clone(), value: value.clone(), expected }
}

fn remove(key: &RecordKey, expected: Expected) -> Change {
    Change::RemoveRecord { key: key.clone(), expected }
}

fn put_blob(bytes: &Bytes) -> Change {
    Change::PutBlob { digest: Digest::of(bytes), bytes: bytes.clone() }
}

/// Makes changes whose preconditions hold.
#[track_caller]
fn commit(store: &dyn Store, changes: &[Change]) {
    let committed = ok(store.commit(changes), "commit");
    assert_eq!(committed, Committed::All, "all preconditions of this commit hold");
}

#[track_caller]
fn get(store: &dyn Store, key: &RecordKey) -> Option<Record> {
    ok(store.get_record(key), "get a record")
}

#[track_caller]
fn get_blob(store: &dyn Store, digest: &Digest) -> Option<Bytes> {
    let mut found = ok(store.read_blobs(&[*digest]), "read a blob");
    assert_eq!(found.len(), 1, "one blob was asked for");
    found.pop().flatten().map(|blob| ok(blob.bytes(), "read the bytes of a blob"))
}

#[track_caller]
fn write_blob(store: &dyn Store, bytes: &Bytes) -> Digest {
    let digest = Digest::of(bytes);
    let mut writer = ok(store.write_blob(), "open a writer");
    if let Err(error) = writer.write_all(bytes) {
        panic!("the store failed to write a blob: {}", with_causes(&error));
    }
    ok(writer.finish(&digest), "finish a blob");
    digest
}

/// Lists every key under `prefix`, page by page.
#[track_caller]
fn list(store: &dyn Store, prefix: &str, page: usize) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let mut after = None;
    loop {
        let found = ok(store.list_records(prefix, after.as_ref(), page), "list records");
        assert!(found.len() <= page, "{} records in a page of at most {page}", found.len());
        let Some((last, _)) = found.last() else { return keys };
        after = Some(last.clone());
        for (key, _) in found {
            if let Some(last) = keys.last() {
                assert!(last.as_str() < key.as_str(), "{last} is listed before {key}");
            }
            keys.push(key.to_string());
        }
    }
}
