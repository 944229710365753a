//! A store that can make a part of a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::store::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey};
use larder::{Digest, MemoryStore, Registry, Result, Store, StoreExt};

use super::{Plain, WithArtifacts, with_artifacts};

/// A store in memory whose commits are not atomic: it makes the changes one by one, and some commits of
/// several changes stop short of their last one, as if another writer had come between.
#[derive(Debug)]
struct HalfStore {
    store: MemoryStore,
    /// How many commits are yet to stop short.
    stops: AtomicUsize,
    /// What happens on the place when one does.
    meanwhile: fn(&MemoryStore),
}

#[deny(clippy::missing_trait_methods)]
impl Store for HalfStore {
    fn url(&self) -> String {
        "test:half".into()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { atomic_commit: false, ..self.store.capabilities() }
    }
    fn is_remote(&self) -> bool {
        self.store.is_remote()
    }
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.store.write_blob()
    }
    fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        self.store.get_blobs(digests)
    }
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.store.stat_blobs(digests)
    }
    fn blob_file(&self, digest: &Digest) -> Result<Option<std::path::PathBuf>> {
        self.store.blob_file(digest)
    }
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.store.list_blobs(after, limit)
    }
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.store.remove_blobs(digests)
    }
    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.store.remove_unfinished(older_than)
    }
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.store.get_records(keys)
    }
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.store.list_records(prefix, after, limit)
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        let stop = |stops: usize| stops.checked_sub(1);
        let stops = changes.len() > 1
            && self.stops.fetch_update(Ordering::SeqCst, Ordering::SeqCst, stop).is_ok();
        for (at, change) in changes.iter().enumerate() {
            if stops && at == changes.len() - 1 {
                (self.meanwhile)(&self.store);
                return Ok(Committed::Conflict { at, made: at });
            }
            if self.store.commit(std::slice::from_ref(change))? != Committed::All {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}

fn half(stops: usize, meanwhile: fn(&MemoryStore)) -> (Larder, MemoryStore) {
    let store = MemoryStore::new();
    let half = HalfStore { store: store.clone(), stops: AtomicUsize::new(stops), meanwhile };
    (Larder::new(Arc::new(half), Registry::linked().unwrap()), store)
}

fn numbers(larder: &Larder) -> Vec<(u64, u32)> {
    let load = |version: larder::VersionInfo| {
        let loaded: WithArtifacts = larder.load(Larder::pin(&version)).unwrap();
        assert_eq!(loaded.text.get().unwrap(), "text");
        (version.version.get(), loaded.number)
    };
    larder.versions("wine").unwrap().into_iter().map(load).collect()
}

#[test]
fn the_store_of_these_tests_keeps_the_laws_of_stores() {
    let store = MemoryStore::new();
    larder_testkit::all_store_laws(&|| {
        let stops = AtomicUsize::new(0);
        Arc::new(HalfStore { store: store.clone(), stops, meanwhile: |_| () }) as Arc<dyn Store>
    });
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
        assert!(larder.verify(&[]).unwrap().findings.is_empty());
        assert!(!larder.apply("wine", &with_artifacts(1, "text")).unwrap().is_created());
    }
}

#[test]
fn a_writer_that_was_overtaken_half_way_keeps_its_version_beside_the_other() {
    let (larder, _) = half(1, |store| {
        let other = Larder::new(
            Arc::new(HalfStore {
                store: store.clone(),
                stops: AtomicUsize::new(0),
                meanwhile: |_| (),
            }),
            Registry::linked().unwrap(),
        );
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
    assert!(larder.verify(&[]).unwrap().findings.is_empty());
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
        .map(|version| larder.load::<Plain>(Larder::pin(version)).unwrap().number)
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
    let stopping = || {
        let half =
            HalfStore { store: store.clone(), stops: AtomicUsize::new(1), meanwhile: |_| () };
        Larder::new(Arc::new(half), Registry::linked().unwrap())
    };
    let lines =
        || store.records("moves/").map(|line| line.unwrap().0.to_string()).collect::<Vec<_>>();
    let history = || {
        let moves = larder.tag_history("wine", "prod").unwrap();
        moves.iter().map(|line| line.version.map(|version| version.get())).collect::<Vec<_>>()
    };
    stopping().tag("wine@1", "prod").unwrap();
    assert_eq!(lines(), [""; 0]);
    assert_eq!(history(), [Some(1)]);
    larder.tag("wine@2", "prod").unwrap();
    assert_eq!(lines(), ["moves/wine/@prod/@0000000001", "moves/wine/@prod/@0000000002"]);
    assert_eq!(history(), [Some(1), Some(2)]);
    stopping().untag("wine", "prod").unwrap();
    assert_eq!(larder.tags("wine").unwrap(), []);
    larder.tag("wine@1", "prod").unwrap();
    assert_eq!(history(), [Some(1), Some(2), Some(1)], "the numbers go on");
}
