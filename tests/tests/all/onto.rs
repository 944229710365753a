//! Applies onto a version, and beside another component, on stores that make commits change by change.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::extend::Participant;
use larder::extend::record::VersionRecord;
use larder::store::{
    BucketStore, Change, Committed, Expected, MemoryStore, RecordKey, Store, StoreExt, Transaction,
};
use larder::{ApplyOptions, Error, Larder, Registry};
use larder_store_object::object_store::{memory::InMemory, path::Path};
use larder_tests::Doubler;
use larder_tests::stepwise::Stepwise;
use serde_json::{Value, json};

fn bucket() -> Larder {
    let store = BucketStore::over(Arc::new(InMemory::new()), &Path::from("some"), "test:").unwrap();
    Larder::new(Arc::new(store), Registry::linked().unwrap())
}

fn read(store: &dyn Store, key: &str) -> Value {
    let found = store.get_record(&RecordKey::new(key).unwrap()).unwrap().unwrap();
    serde_json::from_slice(&found.value).unwrap()
}

fn put(store: &dyn Store, key: &str, value: &Value) {
    let (key, value) = (RecordKey::new(key).unwrap(), value.to_string().into_bytes().into());
    let change = Change::PutRecord { key, value, expected: Expected::Anything };
    assert_eq!(store.commit(&[change]).unwrap(), Committed::All);
}

/// Another writer has written the record of version 2, and finishes when this one has chosen a number.
#[derive(Debug)]
struct Slow {
    larder: Larder,
    is_done: AtomicBool,
}

impl Slow {
    /// Writes the second version of `wine` up to its name record.
    fn start(larder: &Larder) -> Arc<Self> {
        let store = &**larder.store();
        let mut second = read(store, "versions/wine/@0000000001");
        second["version"] = json!(2);
        put(store, "versions/wine/@0000000002", &second);
        Arc::new(Self { larder: larder.clone(), is_done: AtomicBool::new(false) })
    }
}

impl Participant for Slow {
    fn before_version(
        &self,
        _: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> larder::Result<()> {
        if version.version.get() == 3 && !self.is_done.swap(true, Ordering::Relaxed) {
            let store = &**self.larder.store();
            let mut name = read(store, "names/wine");
            name["next"] = json!(3);
            name["latest"] = read(store, "versions/wine/@0000000002");
            put(store, "names/wine", &name);
        }
        Ok(())
    }
}

#[test]
fn a_commit_that_was_half_written_is_not_made_onto_another_version() {
    let larder = bucket();
    let first = larder.apply("wine", &Doubler { factor: 1.0 }).unwrap().version().clone();
    let slow = Slow::start(&larder);
    // A third component gives the other version a manifest that differs from the base's.
    larder.apply("other", &Doubler { factor: 2.0 }).unwrap();
    let other = larder.show("other").unwrap().version.digest;
    let store = &**larder.store();
    let mut second = read(store, "versions/wine/@0000000002");
    second["manifest"] = json!(other.to_string());
    put(store, "versions/wine/@0000000002", &second);

    let options = ApplyOptions::new().onto(first.digest).with(Arc::clone(&slow) as _);
    let error = larder.apply_with("wine", &Doubler { factor: 3.0 }, &options).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert!(slow.is_done.load(Ordering::Relaxed), "the other writer was between");
    let newest: Doubler = larder.load("wine").unwrap();
    assert_eq!(newest.factor, 2.0, "what the other one wrote stays the newest");
    let error = larder.load::<Doubler>("wine@3").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. } | Error::Removed { .. }), "{error:?}");
    // The next writer is not hindered.
    let options = ApplyOptions::new().onto(other);
    let applied = larder.apply_with("wine", &Doubler { factor: 4.0 }, &options).unwrap();
    assert_eq!(applied.version().version.get(), 4);
    assert_eq!(larder.load::<Doubler>("wine").unwrap().factor, 4.0);
}

#[test]
fn a_writer_that_died_is_passed_and_a_name_begins_once() {
    let larder = bucket();
    let first = larder.apply("wine", &Doubler { factor: 1.0 }).unwrap().version().clone();
    Slow::start(&larder);
    let options = ApplyOptions::new().onto(first.digest);
    let applied = larder.apply_with("wine", &Doubler { factor: 3.0 }, &options).unwrap();
    assert_eq!(applied.version().version.get(), 3);
    assert_eq!(larder.load::<Doubler>("wine").unwrap().factor, 3.0);

    let begin =
        |factor| larder.apply_with("new", &Doubler { factor }, &ApplyOptions::new().first());
    assert!(begin(1.0).unwrap().is_created());
    assert!(matches!(begin(2.0), Err(Error::Conflict { .. })));
}

#[test]
fn what_is_applied_beside_a_component_is_there_with_it_or_not_at_all() {
    let memory = MemoryStore::new();
    let larder = Larder::new(Arc::new(memory.clone()), Registry::linked().unwrap());
    let words = |factor| Arc::new(Doubler { factor });
    let beside = |factor| ApplyOptions::new().beside("words".parse().unwrap(), words(factor));
    let applied = larder.apply_with("wine", &Doubler { factor: 1.0 }, &beside(2.0)).unwrap();
    assert_eq!(applied.version().identifier.as_str(), "wine");
    assert_eq!(larder.load::<Doubler>("words@1").unwrap().factor, 2.0);
    assert!(larder.used_by("words@1").unwrap().is_empty(), "it is no child");

    // A version with the content is there: nothing is written.
    let again = larder.apply_with("wine", &Doubler { factor: 1.0 }, &beside(2.0)).unwrap();
    assert!(!again.is_created());
    assert_eq!(larder.versions("words").unwrap().len(), 1);
    // The component is there, and what is beside it is not.
    let other = larder.apply_with("wine", &Doubler { factor: 1.0 }, &beside(3.0)).unwrap();
    assert!(!other.is_created());
    assert_eq!(larder.load::<Doubler>("words").unwrap().factor, 3.0);

    let onto = beside(4.0).onto(larder.show("words").unwrap().version.digest);
    let error = larder.apply_with("wine", &Doubler { factor: 5.0 }, &onto).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert_eq!(larder.load::<Doubler>("words").unwrap().factor, 3.0, "it is not there alone");
    let own = ApplyOptions::new().beside("wine".parse().unwrap(), words(6.0));
    assert!(larder.apply_with("wine", &Doubler { factor: 7.0 }, &own).is_err(), "one name, twice");

    // A writer that dies between the changes of a commit leaves a state that is whole.
    let mut left = 0;
    loop {
        let memory = MemoryStore::new();
        let writer = |left| {
            let store = Stepwise::stopping_after(left, &memory).isolated();
            Larder::new(Arc::new(store), Registry::linked().unwrap())
        };
        let result = writer(left).apply_with("wine", &Doubler { factor: 1.0 }, &beside(2.0));
        let larder = writer(usize::MAX);
        let loads = |name: &str| larder.load::<Doubler>(name).is_ok();
        assert!(loads("words") || !loads("wine"), "after {left} changes");
        larder.apply_with("wine", &Doubler { factor: 1.0 }, &beside(2.0)).unwrap();
        assert!(loads("wine") && loads("words"));
        if result.is_ok() {
            break;
        }
        left += 1;
    }
    assert!((6..20).contains(&left), "{left} changes");
}
