//! Removals on a store that makes commits change by change, and stops half-way when another writer comes between.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::versions::RemoveOptions;
use std::sync::Mutex;

use larder_tests::stepwise::Stepwise;

use super::*;

/// A larder with three versions of `wine`; `between` happens in the middle of the next change of a version.
fn half(between: impl FnOnce(&MemoryStore) + Send + 'static) -> (Larder, Larder) {
    let store = MemoryStore::new();
    let plain = Larder::new(Arc::new(store.clone()), Registry::linked().unwrap());
    apply(&plain, "wine", 3);
    let between = Mutex::new(Some(between));
    let store = Stepwise::new(&store, move |store, changes, at| {
        let is_version = matches!(&changes[at], Change::PutRecord { key, .. } if key.as_str().starts_with("versions/"));
        if is_version && let Some(between) = between.lock().unwrap().take() {
            between(store);
            return Ok(false);
        }
        Ok(true)
    });
    (Larder::new(Arc::new(store), Registry::linked().unwrap()), plain)
}

fn on(store: &MemoryStore) -> Larder {
    Larder::new(Arc::new(store.clone()), Registry::linked().unwrap())
}

fn numbers(larder: &Larder) -> Vec<u64> {
    larder.versions("wine").unwrap().iter().map(|version| version.version.get()).collect()
}

fn newest(larder: &Larder) -> u64 {
    larder.show("wine").unwrap().version.version.get()
}

#[test]
fn the_newest_version_is_removed_and_not_the_one_before_it_as_well() {
    let (larder, plain) = half(|store| assert_eq!(newest(&on(store)), 2, "it is half-way"));
    let removed = larder.remove("wine").unwrap();
    assert_eq!(removed.version.get(), 3);
    assert_eq!((numbers(&plain), newest(&plain)), (vec![1, 2], 2));
    assert_eq!(plain.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn what_is_refused_half_way_is_as_it_was() {
    for reference in ["wine", "wine@3", "wine@2"] {
        let number = reference.strip_prefix("wine@").unwrap_or("3").to_owned();
        let lock = format!("wine@{number}");
        let (larder, plain) =
            half(move |store| drop(on(store).locks().lock_version(lock.as_str()).unwrap()));
        assert_blocked(larder.remove(reference), Remedy::Unlock);
        assert_eq!((numbers(&plain), newest(&plain)), (vec![1, 2, 3], 3), "{reference}");
        assert_eq!(plain.maintenance().verify(Selection::All).unwrap().findings, []);
        let digest = plain.versions("wine").unwrap()[number.parse::<usize>().unwrap() - 1].digest;
        let by_digest = format!("wine@{digest}");
        let found = plain.show(by_digest.as_str()).unwrap().version.version;
        assert_eq!(found.get().to_string(), number);
    }
}

#[test]
fn of_all_versions_those_that_stay_are_found_again() {
    let (larder, plain) = half(|store| drop(on(store).locks().lock_version("wine@1").unwrap()));
    assert_blocked(larder.remove_all("wine", &RemoveOptions::new()), Remedy::Unlock);
    assert_eq!((numbers(&plain), newest(&plain)), (vec![1, 2, 3], 3));
    assert_eq!(plain.maintenance().verify(Selection::All).unwrap().findings, []);
    plain.locks().unlock_version("wine@1").unwrap();
    assert_eq!(larder.remove_all("wine", &RemoveOptions::new()).unwrap().len(), 3);
    assert!(matches!(plain.show("wine"), Err(Error::NotFound { .. })));
}

#[test]
fn what_was_applied_meanwhile_stays_the_newest() {
    let (larder, plain) = half(|store| {
        on(store).locks().lock_version("wine@3").unwrap();
        on(store).apply("wine", &Doubler { factor: 9.0 }).unwrap();
    });
    assert_blocked(larder.remove("wine@3"), Remedy::Unlock);
    assert_eq!((numbers(&plain), newest(&plain)), (vec![1, 2, 3, 4], 4));
    assert_eq!(plain.maintenance().verify(Selection::All).unwrap().findings, []);
}
