//! Tags, annotations, locks and search.

mod locks;
mod notes;
mod removal;
mod search;
mod tags;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, SystemTime};

use larder::store::{Change, Committed, Expected, RecordKey, Remedy};
use larder::store::{MemoryStore, StoreExt};
use larder::{Error, Larder, Registry};
use larder_tests::Doubler;
use larder_tests::errors::refused;

/// Number of racing threads.
const THREADS: usize = 8;

/// Opens the same larder again, as another process does.
type Open<'a> = &'a (dyn Fn() -> Larder + Sync);

/// Runs a test on every kind of store.
fn everywhere(test: impl Fn(Open<'_>)) {
    let memory = MemoryStore::new();
    test(&|| Larder::new(Arc::new(memory.clone()), Registry::linked().unwrap()));
    for scheme in ["sqlite", "fs"] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("{scheme}:{}", folder.path().join("larder").display());
        test(&|| larder::open(&url).unwrap());
    }
}

/// An empty larder in memory, whose clock stands still.
fn larder() -> Larder {
    let clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
    Larder::new(Arc::new(MemoryStore::new()), Registry::linked().unwrap()).with_clock(clock)
}

/// Adds versions to a name.
fn apply(larder: &Larder, name: &str, versions: u64) {
    let before = larder.versions(name).map_or(0, |versions| versions.len() as u64);
    for number in before..before + versions {
        let applied = larder.apply(name, &Doubler { factor: number as f64 }).unwrap();
        assert!(applied.is_created());
    }
}

/// Runs `work` on many threads that start at once, each with its number.
fn race<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let spawn = |number| {
            let (start, work) = (&start, &work);
            scope.spawn(move || {
                start.wait();
                work(number)
            })
        };
        let threads: Vec<_> = (0..threads).map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[track_caller]
fn assert_blocked<T: std::fmt::Debug>(result: larder::Result<T>, by: Remedy) {
    match result {
        Err(Error::Blocked { remedy, .. }) => assert_eq!(remedy, by),
        other => panic!("{other:?} is not blocked"),
    }
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: larder::Result<T>, says: &str) {
    let error = result.unwrap_err();
    assert!(refused(&error).1.contains(says), "{error}");
}

/// A record as it is written.
fn record(larder: &Larder, key: &str) -> Option<String> {
    let found = larder.store().get_record(&RecordKey::new(key).unwrap()).unwrap();
    found.map(|found| String::from_utf8(found.value.to_vec()).unwrap())
}

/// Writes or removes a record past the larder.
fn set_record(larder: &Larder, key: &str, json: Option<&str>) {
    let (key, expected) = (RecordKey::new(key).unwrap(), Expected::Anything);
    let change = match json {
        Some(json) => Change::PutRecord { key, value: json.to_owned().into(), expected },
        None => Change::RemoveRecord { key, expected },
    };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}
