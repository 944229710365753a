//! The cache between a store that is far away and the process.

use larder::Selection;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::store::{
    Blob, BlobCache, BlobWriter, Cached, Capabilities, Change, Committed, Record, RecordKey,
};
use larder::store::{Digest, MemoryStore, Store, StoreExt};
use larder::{Error, Registry, Result};

/// A store that is far away: it counts the blobs that it is asked for, can be switched off, and can lie.
#[derive(Debug, Default)]
struct Remote {
    store: MemoryStore,
    gets: AtomicUsize,
    is_off: AtomicBool,
    lies: AtomicBool,
}

impl Remote {
    fn reached(&self) -> Result<&MemoryStore> {
        match self.is_off.load(Ordering::SeqCst) {
            true => Err(Error::store("reach the store", "it is switched off")),
            false => Ok(&self.store),
        }
    }

    fn gets(&self) -> usize {
        self.gets.swap(0, Ordering::SeqCst)
    }

    fn put(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        let put = Change::PutBlob { digest, bytes: Bytes::copy_from_slice(bytes) };
        assert_eq!(self.store.commit(&[put]).unwrap(), Committed::All);
        digest
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Remote {
    fn url(&self) -> String {
        "test:remote".into()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { is_remote: true, ..self.store.capabilities() }
    }
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.reached()?.write_blob()
    }
    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        self.gets.fetch_add(digests.len(), Ordering::SeqCst);
        let mut found = self.reached()?.read_blobs(digests)?;
        if self.lies.load(Ordering::SeqCst) {
            let lie = |_| Blob::from(Bytes::from_static(b"a lie"));
            found = found.into_iter().map(|it| it.map(lie)).collect();
        }
        Ok(found)
    }
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.reached()?.stat_blobs(digests)
    }
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.reached()?.list_blobs(after, limit)
    }
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        self.reached()?.remove_blobs(digests)
    }
    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        self.reached()?.remove_unfinished(older_than)
    }
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.reached()?.get_records(keys)
    }
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.reached()?.list_records(prefix, after, limit)
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        self.reached()?.commit(changes)
    }
}

/// A blob of 1,000 bytes, each of them `byte`.
fn blob(byte: u8) -> [u8; 1000] {
    [byte; 1000]
}

fn cached(remote: &Arc<Remote>, cache: BlobCache) -> Cached {
    Cached::new(Arc::clone(remote) as Arc<dyn Store>, cache)
}

#[track_caller]
fn get(store: &dyn Store, digest: Digest) -> Bytes {
    store.get_blob(&digest).unwrap().expect("the blob is there")
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/far")]
struct Far {
    text: Artifact<String>,
}

fn on(remote: &Arc<Remote>, cache: &Path) -> Larder {
    let store = Arc::clone(remote) as Arc<dyn Store>;
    Larder::new(store, Registry::linked().unwrap()).with_cache(cache)
}

#[test]
fn a_cached_store_keeps_every_law() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    larder_testkit::all_store_laws(&|| {
        let cache = BlobCache::open(folder.path()).with_limit(300_000);
        Arc::new(cached(&remote, cache)) as Arc<dyn Store>
    });
}

#[test]
fn a_blob_is_fetched_once_for_all_who_share_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let [a, b] = [remote.put(&blob(1)), remote.put(&[2; 100_000])];
    let none = Digest::of(b"nobody put this");
    for (round, fetched) in [(1, 3), (2, 1)] {
        let store = cached(&remote, BlobCache::open(folder.path()));
        let found = store.read_blobs(&[b, a, none, b]).unwrap();
        let digest = |blob: Blob| Digest::of(&blob.bytes().unwrap());
        let found: Vec<_> = found.into_iter().map(|it| it.map(digest)).collect();
        assert_eq!(found, [Some(b), Some(a), None, Some(b)], "round {round}");
        assert_eq!(remote.gets(), fetched, "round {round}: of two blobs and one that is not there");
    }
}

#[test]
fn what_the_cache_holds_is_read_while_the_store_cannot_be_reached() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let larder = on(&remote, folder.path());
    for (name, text) in [("near", "read before"), ("far", "not read before")] {
        larder.apply(name, &Far { text: text.to_owned().into() }).unwrap();
    }
    assert_eq!(*larder.load::<Far>("near").unwrap().text.get().unwrap(), "read before");
    let [near, far] = ["near", "far"].map(|name| larder.load::<Far>(name).unwrap());
    remote.is_off.store(true, Ordering::SeqCst);
    assert_eq!(*near.text.get().unwrap(), "read before");
    let error = far.text.get().unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "{error:?}");
    let error = larder.load::<Far>("near").unwrap_err();
    assert!(matches!(error, Error::Store { .. }), "records are asked of the store: {error:?}");

    remote.is_off.store(false, Ordering::SeqCst);
    assert_eq!(*far.text.get().unwrap(), "not read before", "it is not remembered as gone");
}

#[test]
fn what_is_not_what_it_is_called_is_never_kept() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let larder = on(&remote, folder.path());
    larder.apply("far", &Far { text: "the truth".to_owned().into() }).unwrap();
    remote.lies.store(true, Ordering::SeqCst);
    let error = larder.load::<Far>("far").unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    remote.lies.store(false, Ordering::SeqCst);
    assert_eq!(*larder.load::<Far>("far").unwrap().text.get().unwrap(), "the truth");
}

#[test]
fn verify_and_repair_look_at_the_store_and_not_at_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let larder = on(&remote, folder.path());
    let applied = larder.apply("far", &Far { text: "the truth".to_owned().into() }).unwrap();
    larder.load::<Far>("far").unwrap().text.get().unwrap();
    let other = MemoryStore::new();
    let copy = Larder::new(Arc::new(other.clone()), Registry::new());
    larder
        .maintenance()
        .copy(Selection::All, &copy, &larder::maintenance::CopyOptions::new())
        .unwrap();

    remote.store.remove_blobs(&[applied.version().digest]).unwrap();
    assert!(larder.load::<Far>("far").is_ok(), "the cache has it");
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!(checked.findings.len(), 1, "{checked:?}");
    let repaired = larder.maintenance().repair(&checked, &other).unwrap();
    assert_eq!((repaired.repaired.len(), repaired.not_found.len()), (1, 0));
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn what_was_not_used_for_the_longest_time_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let blobs: Vec<_> = (0..6).map(|byte| remote.put(&blob(byte))).collect();
    let store = cached(&remote, BlobCache::open(folder.path()).with_limit(4_100));
    let use_it = |digest: Digest| {
        thread::sleep(Duration::from_millis(20)); // a clock that is coarse tells them apart
        get(&store, digest)
    };
    blobs[..4].iter().for_each(|digest| drop(use_it(*digest)));
    use_it(blobs[0]); // so that the second one is the oldest
    use_it(blobs[4]);
    remote.gets();
    let fetched = |digest: &Digest| {
        let other = cached(&remote, BlobCache::open(folder.path()).with_limit(4_100));
        get(&other, *digest);
        remote.gets()
    };
    let held: Vec<_> = [0, 3, 4].map(|at| fetched(&blobs[at])).into();
    assert_eq!(held, [0, 0, 0], "these were used last");
    assert_eq!(fetched(&blobs[1]), 1, "this one was not");
    let amount = BlobCache::open(folder.path()).amount().unwrap();
    assert!(amount.bytes <= 4_100, "{amount:?}");
}

#[test]
fn a_blob_that_is_mapped_outlives_its_place_in_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let (large, other) = (vec![7; 200_000], vec![8; 200_000]);
    let [digest, next] = [remote.put(&large), remote.put(&other)];
    let cache = BlobCache::open(folder.path()).with_limit(250_000);
    let store = cached(&remote, cache.clone());
    get(&store, digest);
    let mapped = get(&store, digest);
    thread::sleep(Duration::from_millis(20));
    get(&store, next);
    assert_eq!(cache.amount().unwrap().count, 1, "the second took the place of the first");
    assert_eq!(cache.clear().unwrap().bytes, 200_000);
    assert_eq!(cache.amount().unwrap().count, 0);
    assert!(mapped == large);
}

#[test]
fn a_blob_that_is_larger_than_the_cache_is_read_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let digest = remote.put(&blob(1));
    let cache = BlobCache::open(folder.path()).with_limit(999);
    assert!(get(&cached(&remote, cache.clone()), digest) == blob(1)[..]);
    assert_eq!(cache.amount().unwrap().count, 0);
}

#[test]
fn a_cache_that_cannot_be_written_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("cache");
    std::fs::write(&place, "a file").unwrap();
    let remote = Arc::new(Remote::default());
    let digest = remote.put(&blob(1));
    assert!(get(&cached(&remote, BlobCache::open(&place)), digest) == blob(1)[..]);
}

#[test]
fn many_may_share_a_cache_that_is_too_small_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let remote = Arc::new(Remote::default());
    let blobs: Vec<_> = (0..20).map(|byte| (byte, remote.put(&vec![byte; 40_000]))).collect();
    thread::scope(|scope| {
        for worker in 0..4 {
            let (remote, blobs, folder) = (&remote, &blobs, folder.path());
            scope.spawn(move || {
                let cache = BlobCache::open(folder).with_limit(200_000);
                let store = cached(remote, cache);
                for round in 0..60 {
                    let (byte, digest) = blobs[(round * 7 + worker * 5) % blobs.len()];
                    let bytes = get(&store, digest);
                    assert!(bytes.len() == 40_000 && bytes.iter().all(|it| *it == byte));
                }
            });
        }
    });
    let held = BlobCache::open(folder.path()).amount().unwrap();
    assert!((1..=9).contains(&held.count), "{held:?}");
}

#[test]
fn only_stores_that_are_far_away_are_cached() {
    let folder = tempfile::tempdir().unwrap();
    let local = larder::open("memory:").unwrap().with_cache(folder.path());
    local.apply("far", &Far { text: "near".to_owned().into() }).unwrap();
    local.load::<Far>("far").unwrap().text.get().unwrap();
    assert!(!folder.path().join(BlobCache::FOLDER).exists());

    let remote = Arc::new(Remote::default());
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let larder = on(&remote, &first).with_cache(&second);
    larder.apply("far", &Far { text: "far".to_owned().into() }).unwrap();
    larder.load::<Far>("far").unwrap().text.get().unwrap();
    assert!(!first.exists() && second.join(BlobCache::FOLDER).exists(), "one cache, not two");
}
