//! Collections that lock the larder: writers are shut out, also those that began before, and nothing stays locked.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use larder::extend::{Claim, Records};
use larder::maintenance::{GcOptions, LarderMaintenance};
use larder::store::exclusive::{ExclusiveLock, LEASE};
use larder::store::{
    Capabilities, Change, Committed, Digest, Expected, MemoryStore, RecordKey, Store, StoreExt,
};
use larder::{Error, Larder, Registry};
use larder_tests::Doubler;
use larder_tests::errors::refused;

const AT_ONCE: GcOptions = GcOptions::new().grace(Duration::ZERO).exclusive(true);

/// A larder of each kind that can be locked.
fn everywhere(test: impl Fn(&Larder)) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (sqlite, fs) = (format!("sqlite:{}", path("larder.db")), format!("fs:{}", path("larder")));
    let halves = format!("sqlite:{}?blobs=fs:{}", path("records.db"), path("blobs"));
    for url in ["memory:", &sqlite, &fs, &halves] {
        let larder = larder::open(url).unwrap();
        larder.apply("kept", &Doubler { factor: 1.0 }).unwrap();
        test(&larder);
        let checked = larder.maintenance().verify(larder::Selection::All).unwrap();
        assert_eq!(checked.findings, [], "{url}");
    }
}

#[test]
fn a_grace_period_that_cannot_be_safe_is_refused() {
    everywhere(|larder| {
        for grace in [Duration::ZERO, Duration::from_millis(999)] {
            for options in [GcOptions::new(), GcOptions::new().dry_run(true)] {
                let error = larder.maintenance().gc(&options.grace(grace)).unwrap_err();
                assert!(matches!(error, Error::Refused { .. }), "{error:?}");
            }
        }
        larder.maintenance().gc(&GcOptions::new().grace(GcOptions::MIN_GRACE)).unwrap();
        larder.maintenance().gc(&AT_ONCE).unwrap();
        larder.maintenance().gc(&AT_ONCE.dry_run(true)).unwrap();
    });
}

/// A writer claims a blob, two collections come and go, and the writer's commit fails.
pub(crate) fn collect_between_claim_and_commit(larder: &Larder) {
    let store = larder.store();
    let bytes = larder::bytes::Bytes::from(vec![7; 100_000]);
    let digest = Digest::of(&bytes);
    store.put_blob(&digest, bytes).unwrap();
    let Claim::Held(mut changes) = Records::claim(larder, &[digest], &[]).unwrap() else {
        panic!("the blob is there");
    };
    // One collection marks it, the other deletes it, and neither is there any more.
    for _ in 0..2 {
        larder.maintenance().gc(&AT_ONCE).unwrap();
    }
    assert!(!store.has_blob(&digest).unwrap());
    let key = RecordKey::new("names/late").unwrap();
    let value = "{}".into();
    changes.push(Change::PutRecord { key: key.clone(), value, expected: Expected::Absent });
    let made = store.commit(&changes).unwrap();
    assert!(matches!(made, Committed::Conflict { .. }), "{}: {made:?}", store.url());
    assert_eq!(store.get_record(&key).unwrap(), None);
    assert!(matches!(Records::claim(larder, &[digest], &[]).unwrap(), Claim::Gone(_)));
}

#[test]
fn a_commit_that_began_before_the_collection_starts_again() {
    everywhere(collect_between_claim_and_commit);
}

#[test]
fn writers_wait_until_the_lock_is_released() {
    everywhere(|larder| {
        let lock = ExclusiveLock::acquire(Arc::clone(larder.store())).unwrap();
        let is_released = AtomicBool::new(false);
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                larder.apply("late", &Doubler { factor: 2.0 }).unwrap();
                assert!(is_released.load(Ordering::SeqCst), "written while it was locked");
            });
            // Other work goes on.
            thread::sleep(Duration::from_millis(300));
            larder.tag("kept@1", "prod").unwrap();
            lock.check().unwrap();
            is_released.store(true, Ordering::SeqCst);
            drop(lock);
            writer.join().unwrap();
        });
    });
}

#[test]
fn two_processes_cannot_hold_the_lock() {
    everywhere(|larder| {
        let _held = ExclusiveLock::acquire(Arc::clone(larder.store())).unwrap();
        let begun = Instant::now();
        let error = larder.maintenance().gc(&AT_ONCE).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        assert!(begun.elapsed() < LEASE / 2, "a living owner is soon seen to live");
    });
}

#[test]
fn a_lock_whose_owner_is_killed_ends_with_its_lease() {
    let folder = tempfile::tempdir().unwrap();
    let urls = [("sqlite", "a.db"), ("sqlite", "b.db"), ("fs", "a"), ("fs", "b")]
        .map(|(scheme, name)| format!("{scheme}:{}", folder.path().join(name).display()));
    thread::scope(|scope| {
        for (at, url) in urls.iter().enumerate() {
            scope.spawn(move || {
                let larder = larder::open(url).unwrap();
                larder.apply("kept", &Doubler { factor: 1.0 }).unwrap();
                let mut owner = Command::new(env!("CARGO_BIN_EXE_worker"));
                let mut owner = owner.args(["lock", url]).stdout(Stdio::piped()).spawn().unwrap();
                let mut said = [0; 7];
                std::io::Read::read_exact(owner.stdout.as_mut().unwrap(), &mut said).unwrap();
                assert_eq!(&said, b"locked\n");
                owner.kill().unwrap();
                owner.wait().unwrap();
                let begun = Instant::now();
                match at % 2 {
                    0 => drop(larder.apply("late", &Doubler { factor: 2.0 }).unwrap()),
                    _ => drop(larder.maintenance().gc(&AT_ONCE).unwrap()),
                }
                let took = begun.elapsed();
                assert!(took > LEASE / 2 && took < 3 * LEASE, "{url}: {took:?}");
                larder.apply("later", &Doubler { factor: 3.0 }).unwrap();
                larder.maintenance().gc(&AT_ONCE).unwrap();
            });
        }
    });
}

#[test]
fn an_owner_that_others_consider_dead_notices_it() {
    everywhere(|larder| {
        let lock = ExclusiveLock::acquire(Arc::clone(larder.store())).unwrap();
        // As a writer releases it whose patience is over.
        let key = larder::store::exclusive::Permit::key(&**larder.store()).unwrap().unwrap();
        let found = larder.store().get_record(&key).unwrap();
        let permit =
            larder::store::exclusive::Permit::of(&**larder.store(), key, found.as_ref()).unwrap();
        assert!(permit.is_locked);
        assert_eq!(larder.store().commit(&[permit.change]).unwrap(), Committed::All);
        let begun = Instant::now();
        let error = loop {
            assert!(begun.elapsed() < LEASE, "it was not noticed");
            match lock.check() {
                Ok(()) => thread::sleep(Duration::from_millis(50)),
                Err(error) => break error,
            }
        };
        assert!(refused(&error).1.contains("lost"), "{error}");
    });
}

/// A store whose commits are made change by change, as a bucket's are.
#[derive(Debug)]
struct OneByOne(MemoryStore);

#[deny(clippy::missing_trait_methods)]
impl Store for OneByOne {
    larder_tests::delegate!(
        0: url write_blob read_blobs stat_blobs list_blobs remove_blobs remove_unfinished
        get_records list_records commit
    );

    fn capabilities(&self) -> Capabilities {
        Capabilities { isolated_commit: false, ..self.0.capabilities() }
    }
}

#[test]
fn a_store_that_cannot_shut_writers_out_is_not_locked() {
    let larder = Larder::new(Arc::new(OneByOne(MemoryStore::new())), Registry::new());
    larder.apply("kept", &Doubler { factor: 1.0 }).unwrap();
    let error = larder.maintenance().gc(&AT_ONCE).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let records: Vec<_> = larder.store().records("exclusive/").collect();
    assert!(records.is_empty(), "neither collector nor writer left a trace");
}
