//! A store that can make a part of a commit.

use larder::Selection;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::Registry;
use larder::prelude::*;
use larder::store::{Change, Committed, RecordKey};
use larder::store::{MemoryStore, Store, StoreExt};
use larder_tests::stepwise::Stepwise;

use super::{Plain, WithArtifacts, with_artifacts};

/// A store in memory in which so many commits of several changes stop short of their last one, as if another writer had
/// come between; then `meanwhile` happens on the place.
fn short(store: &MemoryStore, stops: usize, meanwhile: fn(&MemoryStore)) -> Stepwise {
    let stops = AtomicUsize::new(stops);
    Stepwise::new(store, move |store, changes, at| {
        let one_less = |stops: usize| stops.checked_sub(1);
        let stop = changes.len() > 1
            && at == changes.len() - 1
            && stops.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok();
        if stop {
            meanwhile(store);
        }
        Ok(!stop)
    })
}

fn half(stops: usize, meanwhile: fn(&MemoryStore)) -> (Larder, MemoryStore) {
    let store = MemoryStore::new();
    let half = Arc::new(short(&store, stops, meanwhile));
    (Larder::new(half, Registry::linked().unwrap()), store)
}

fn numbers(larder: &Larder) -> Vec<(u64, u32)> {
    let load = |version: larder::VersionInfo| {
        let loaded: WithArtifacts = larder.load(version.reference()).unwrap();
        assert_eq!(loaded.text.get().unwrap(), "text");
        (version.version.get(), loaded.number)
    };
    larder.versions("wine").unwrap().into_iter().map(load).collect()
}

#[test]
fn the_store_of_these_tests_keeps_the_laws_of_stores() {
    let store = MemoryStore::new();
    larder_testkit::all_store_laws(&|| Arc::new(short(&store, 0, |_| ())) as Arc<dyn Store>);
}

#[test]
fn a_commit_that_stopped_at_the_name_ends_with_exactly_one_version() {
    for stops in [1, 3] {
        let (larder, store) = half(stops, |_| ());
        let applied = larder.apply("wine", &with_artifacts(1, "text")).unwrap();
        assert!(applied.is_created());
        assert_eq!(applied.version().version.get(), 1);
        assert_eq!(numbers(&larder), [(1, 1)]);
        assert_eq!(larder.show("wine").unwrap().version.version.get(), 1, "latest is that version");
        assert_eq!(store.records("versions/").count(), 1);
        assert_eq!(store.records("digests/").count(), 1);
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
        assert!(!larder.apply("wine", &with_artifacts(1, "text")).unwrap().is_created());
    }
}

#[test]
fn a_writer_that_was_overtaken_half_way_keeps_its_version_beside_the_other() {
    let (larder, _) = half(1, |store| {
        let other = Larder::new(Arc::new(short(store, 0, |_| ())), Registry::linked().unwrap());
        other.apply("wine", &with_artifacts(2, "text")).unwrap();
    });
    let applied = larder.apply("wine", &with_artifacts(1, "text")).unwrap();
    assert_eq!(applied.version().version.get(), 1);
    assert_eq!(numbers(&larder), [(1, 1), (2, 2)]);
    assert_eq!(larder.load::<WithArtifacts>("wine").unwrap().number, 2, "the newest stays latest");
    let next = larder.apply("wine", &with_artifacts(3, "text")).unwrap();
    assert_eq!(next.version().version.get(), 3);
}

#[test]
fn a_writer_that_died_half_way_is_no_hindrance_to_the_next() {
    let (larder, store) = half(0, |_| ());
    larder.apply("wine", &with_artifacts(1, "text")).unwrap();
    // What is left of a writer that died after its version's record.
    let head = store.get_record(&RecordKey::new("names/wine").unwrap()).unwrap().unwrap();
    larder.apply("wine", &with_artifacts(2, "text")).unwrap();
    let key = RecordKey::new("names/wine").unwrap();
    let expected = larder::store::Expected::Anything;
    let change = Change::PutRecord { key, value: head.value, expected };
    assert_eq!(store.commit(&[change]).unwrap(), Committed::All);
    assert_eq!(
        larder.load::<WithArtifacts>("wine").unwrap().number,
        1,
        "it was never acknowledged"
    );

    let applied = larder.apply("wine", &with_artifacts(3, "text")).unwrap();
    assert_eq!(applied.version().version.get(), 3, "its number is taken");
    assert_eq!(larder.load::<WithArtifacts>("wine").unwrap().number, 3);
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn many_threads_on_such_a_store_get_a_version_each() {
    let (larder, _) = half(20, |_| ());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let larder = &larder;
            scope.spawn(move || {
                for n in 0..10 {
                    larder.apply("wine", &Plain { number: thread * 100 + n }).unwrap();
                }
            });
        }
    });
    let versions = larder.versions("wine").unwrap();
    let found: Vec<_> = versions.iter().map(|version| version.version.get()).collect();
    assert_eq!(found, (1..=40).collect::<Vec<_>>(), "no hole and no double");
    let mut values: Vec<_> = versions
        .iter()
        .map(|version| larder.load::<Plain>(version.reference()).unwrap().number)
        .collect();
    values.sort_unstable();
    values.dedup();
    assert_eq!(values.len(), 40, "what was applied is there, each once");
    assert_eq!(larder.show("wine").unwrap().version.version.get(), 40);
}

#[test]
fn a_move_of_a_tag_that_stops_before_its_line_is_a_move_and_the_next_one_writes_the_line() {
    let (larder, store) = half(0, |_| ());
    for number in 1..=2 {
        larder.apply("wine", &Plain { number }).unwrap();
    }
    // The same place, where one commit stops before its last change: the line of the history.
    let stopping = || Larder::new(Arc::new(short(&store, 1, |_| ())), Registry::linked().unwrap());
    let lines =
        || store.records("moves/").map(|line| line.unwrap().0.to_string()).collect::<Vec<_>>();
    let history = || {
        let moves = larder.tags().history("wine", "prod").unwrap();
        moves.iter().map(|line| line.version.map(|version| version.get())).collect::<Vec<_>>()
    };
    stopping().tag("wine@1", "prod").unwrap();
    assert_eq!(lines(), [""; 0]);
    assert_eq!(history(), [Some(1)]);
    larder.tag("wine@2", "prod").unwrap();
    assert_eq!(lines(), ["moves/wine/@prod/@0000000001", "moves/wine/@prod/@0000000002"]);
    assert_eq!(history(), [Some(1), Some(2)]);
    stopping().untag("wine", "prod").unwrap();
    assert_eq!(larder.tags().of("wine").unwrap(), []);
    larder.tag("wine@1", "prod").unwrap();
    assert_eq!(history(), [Some(1), Some(2), Some(1)], "the numbers go on");
}
