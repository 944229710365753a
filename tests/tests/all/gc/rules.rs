//! The rules of collection and its report.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::versions::RemoveOptions;
use std::time::Duration;

use larder::maintenance::{Garbage, GcOptions};
use larder::store::{Change, Expected, RecordKey};
use larder::store::{MemoryStore, Remedy, Store, StoreExt};
use larder::{Error, Larder};
use larder_tests::Parcel;
use larder_tests::errors::refused;

use super::scripted::{
    HOUR, SIZES, assert_collects_to_the_end, assert_loads, assert_whole, gc, on, parcel, pass, ripe,
};

const DRY: GcOptions = GcOptions::new().grace(HOUR).dry_run(true);

#[test]
fn garbage_goes_when_it_was_known_for_the_grace_period() {
    let store = MemoryStore::new();
    let larder = on(&store);
    larder.apply("wine", &parcel(1, 100)).unwrap();
    larder.apply("wine", &parcel(2, 100)).unwrap();
    larder.remove("wine@1").unwrap();
    pass(HOUR - Duration::from_secs(1));
    let young = gc(&larder);
    assert_eq!((young.kept.count, young.marked.len()), (4, 0), "it can still be restored");
    pass(Duration::from_secs(1));
    let found = gc(&larder);
    assert_eq!((found.kept.count, found.marked.len(), found.deleted.len()), (2, 2, 0));
    pass(HOUR - Duration::from_secs(1));
    let waiting = gc(&larder);
    assert_eq!((waiting.pending.len(), waiting.deleted.len()), (2, 0));
    assert_eq!(store.blobs().count(), 4);
    pass(Duration::from_secs(1));
    let swept = gc(&larder);
    assert_eq!(swept.deleted, found.marked);
    let manifest = swept.deleted.iter().map(|garbage| garbage.size).max().unwrap();
    assert_eq!(Garbage::total(&swept.deleted).bytes, 100 + manifest);
    assert_eq!(store.blobs().count(), 2);
    assert_eq!(store.records("gc/").count(), 0);
    assert_loads(&store, "wine", 2, 100);
    assert_whole(&store);
    assert_eq!(gc(&larder).deleted, [] as [Garbage; 0]);
}

#[test]
fn a_dry_run_says_the_same_and_changes_nothing() {
    let store = ripe(100);
    let larder = on(&store);
    let before: Vec<_> = store.records("").map(Result::unwrap).collect();
    let blobs = store.blobs().count();
    let told = larder.maintenance().gc(&DRY).unwrap();
    assert_eq!(store.records("").map(Result::unwrap).collect::<Vec<_>>(), before);
    assert_eq!(store.blobs().count(), blobs);
    assert_eq!(told.deleted.len(), 2);
    assert_eq!(gc(&larder), told);
}

#[test]
fn blobs_that_another_version_needs_stay() {
    let store = MemoryStore::new();
    let larder = on(&store);
    larder.apply("one", &parcel(1, 100)).unwrap();
    larder.apply("two", &parcel(1, 100)).unwrap();
    larder.remove("one@1").unwrap();
    assert_collects_to_the_end(&store);
    assert_loads(&store, "two", 1, 100);
    assert_eq!(larder.maintenance().restore("one@1").unwrap().version.get(), 1);
    assert_loads(&store, "one", 1, 100);
}

#[test]
fn what_is_applied_again_is_needed_again() {
    for size in SIZES {
        let store = ripe(size);
        let larder = on(&store);
        larder.apply("again", &parcel(2, size)).unwrap();
        assert_eq!(store.records("gc/").count(), 0, "the commit took it back");
        let collected = gc(&larder);
        assert_eq!((collected.deleted.len(), collected.kept.count), (0, 4));
        assert_loads(&store, "again", 2, size);
        assert_eq!(larder.maintenance().removed("goes").unwrap()[0].collected, None);
    }
}

#[test]
fn what_an_older_larder_refers_to_again_is_pardoned() {
    let store = ripe(100);
    let larder = on(&store);
    // A writer that knows nothing of collectors.
    let key = RecordKey::new("versions/goes/@0000000001").unwrap();
    let record = store.get_record(&key).unwrap().unwrap();
    let text = String::from_utf8(record.value.to_vec()).unwrap();
    let (kept, _) = text.split_once(",\"removed\"").unwrap();
    let change =
        Change::PutRecord { key, value: format!("{kept}}}").into(), expected: Expected::Anything };
    let _ = store.commit(&[change]).unwrap();
    let collected = gc(&larder);
    assert_eq!((collected.unmarked.len(), collected.deleted.len()), (2, 0));
    assert_eq!(store.records("gc/").count(), 0);
    assert_whole(&store);
}

#[test]
fn a_removed_version_is_restored_until_it_is_collected() {
    for size in SIZES {
        let store = ripe(size);
        let larder = on(&store);
        let restored = larder.maintenance().restore("goes@1").unwrap();
        assert_eq!(restored.version.get(), 1);
        assert_loads(&store, "goes", 2, size);
        assert_eq!(larder.maintenance().removed("goes").unwrap(), []);
        let by_digest = format!("goes@{}", restored.digest);
        assert_loads(&store, &by_digest, 2, size);
        assert_eq!(
            larder.maintenance().restore("goes@1").unwrap(),
            restored,
            "again: nothing changes"
        );
        assert_eq!(gc(&larder).deleted.len(), 0);

        larder.remove("goes@1").unwrap();
        assert_collects_to_the_end(&store);
        let removed = larder.maintenance().removed("goes").unwrap();
        assert!(removed[0].collected.is_some());
        let error = larder.maintenance().restore("goes@1").unwrap_err();
        assert!(matches!(error, Error::Blocked { remedy: Remedy::ApplyAgain, .. }), "{error}");
        assert!(larder.load::<Parcel>("goes@1").is_err());

        larder.apply("other", &parcel(2, size)).unwrap();
        larder.maintenance().restore("goes@1").unwrap();
        assert_loads(&store, "goes", 2, size);
        assert_whole(&store);
    }
}

#[test]
fn restoring_an_older_version_leaves_the_newest_where_it_is() {
    let store = MemoryStore::new();
    let larder = on(&store);
    for round in 1..=3 {
        larder.apply("wine", &parcel(round, 100)).unwrap();
    }
    larder.remove("wine@1").unwrap();
    larder.remove("wine@3").unwrap();
    larder.maintenance().restore("wine@1").unwrap();
    assert_eq!(larder.show("wine").unwrap().version.version.get(), 2);
    larder.maintenance().restore("wine@3").unwrap();
    assert_eq!(larder.show("wine").unwrap().version.version.get(), 3);
    let applied = larder.apply("wine", &parcel(4, 100)).unwrap();
    assert_eq!(applied.version().version.get(), 4);
    for reference in ["wine@7", "wines@1"] {
        let error = larder.maintenance().restore(reference).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
    let error = larder.maintenance().restore("wine").unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error}");
}

#[test]
fn nothing_is_collected_while_a_manifest_cannot_be_read() {
    let store = ripe(100);
    let larder = on(&store);
    let manifest = larder.show("stays").unwrap().version.digest;
    let bytes = store.get_blob(&manifest).unwrap().unwrap();
    store.remove_blobs(&[manifest]).unwrap();
    let blobs = store.blobs().count();
    let error = larder.maintenance().gc(&GcOptions::new().grace(HOUR)).unwrap_err();
    let (_, reason) = refused(&error);
    assert!(reason.contains("manifest of stays@1") && reason.contains("remove"), "{reason}");
    assert_eq!(store.blobs().count(), blobs);
    let _ = store.commit(&[Change::PutBlob { digest: manifest, bytes }]).unwrap();
    assert_eq!(gc(&larder).deleted.len(), 2);

    store.remove_blobs(&[manifest]).unwrap();
    larder.remove("stays@1").unwrap();
    assert_collects_to_the_end(&store);
    assert_eq!(store.blobs().count(), 0);
}

#[test]
fn nothing_is_collected_while_a_record_cannot_be_read() {
    for (key, value) in [
        ("versions/stays/@0000000001", "{\"larder\":2}"),
        ("versions/stays/@0000000001", "{"),
        ("names/stays", "{\"larder\":1,\"next\":0}"),
        ("versions/stays/@0000000002", ""),
    ] {
        let store = ripe(100);
        let blobs = store.blobs().count();
        let key = RecordKey::new(key).unwrap();
        let change = Change::PutRecord {
            key: key.clone(),
            value: value.into(),
            expected: Expected::Anything,
        };
        let _ = store.commit(&[change]).unwrap();
        let error = on(&store).maintenance().gc(&GcOptions::new().grace(HOUR)).unwrap_err();
        assert!(refused(&error).1.contains(key.as_str()), "{error}");
        assert_eq!(store.blobs().count(), blobs);
    }
}

#[test]
fn a_damaged_record_of_garbage_makes_its_blob_wait_again() {
    let store = ripe(100);
    let larder = on(&store);
    let (key, _) = store.records("gc/").next().unwrap().unwrap();
    let change = Change::PutRecord { key, value: "{".into(), expected: Expected::Anything };
    let _ = store.commit(&[change]).unwrap();
    let collected = gc(&larder);
    assert_eq!((collected.deleted.len(), collected.marked.len()), (1, 1));
    assert_collects_to_the_end(&store);
    assert_eq!(store.blobs().count(), 2);
}

#[test]
fn a_blob_that_is_gone_already_is_said_to_be() {
    let store = ripe(100);
    let larder = on(&store);
    let planned = larder.maintenance().gc(&DRY).unwrap();
    store.remove_blobs(&[planned.deleted[0].digest]).unwrap();
    let collected = gc(&larder);
    assert_eq!(collected.missing, [planned.deleted[0].digest]);
    assert_eq!(collected.deleted, [planned.deleted[1]]);
    assert_eq!(store.records("gc/").count(), 0);
}

#[test]
fn blobs_of_an_apply_that_never_came_to_its_end_are_garbage() {
    let store = MemoryStore::new();
    let bytes = larder::bytes::Bytes::from_static(b"nobody refers to this");
    let digest = larder::store::Digest::of(&bytes);
    let _ = store.commit(&[Change::PutBlob { digest, bytes }]).unwrap();
    assert_eq!(gc(&on(&store)).marked[0].digest, digest);
    assert_collects_to_the_end(&store);
    assert_eq!(store.blobs().count(), 0);
}

#[test]
fn hundreds_of_blobs_go_in_batches() {
    let store = MemoryStore::new();
    let larder: Larder = on(&store);
    for round in 0..100 {
        larder.apply("wine", &parcel(round, 10 + round as usize)).unwrap();
    }
    larder.remove_all("wine", &RemoveOptions::new()).unwrap();
    assert_collects_to_the_end(&store);
    assert_eq!(store.blobs().count(), 0);
    assert!(
        larder
            .maintenance()
            .removed("wine")
            .unwrap()
            .iter()
            .all(|version| version.collected.is_some())
    );
}

#[test]
fn what_a_digest_leads_to_stays_though_the_record_of_its_version_was_lost() {
    let store = ripe(100);
    let larder = on(&store);
    for lost in ["versions/stays/@0000000001", "names/stays"] {
        let key = RecordKey::new(lost).unwrap();
        let change = Change::RemoveRecord { key, expected: Expected::Anything };
        let _ = store.commit(&[change]).unwrap();
    }
    assert_eq!(
        larder.maintenance().verify(Selection::All).unwrap().orphans,
        None,
        "what is needed is not known"
    );
    let collected = gc(&larder);
    assert_eq!((collected.kept.count, collected.deleted.len()), (2, 2));
}
