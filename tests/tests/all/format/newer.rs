//! Records of a newer format are never overwritten, whichever operation would write there.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use larder::jobs::{
    Event, JobContext, JobsQuery, LarderJobs, Trigger, TriggerTable, trigger_table,
};
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::prelude::*;
use larder::store::{Change, Committed, Expected, MemoryStore, Store, StoreExt};
use larder::versions::AnnotationsChange;
use larder::{Registry, Result, Selection};

use super::rules::{put, read};
use crate::jobs::{Plain, plain};

const NEWER: &str = r#"{"larder":2,"what":"no Larder of today knows"}"#;

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "format/newer/outer")]
struct Outer {
    inner: Ref<Plain>,
}

fn on(store: &MemoryStore) -> Larder {
    let triggers = vec![
        Trigger::new("fails", |_: &Plain, job: &JobContext| {
            job.log("it runs");
            Err::<(), _>("it fails")
        })
        .on(Event::Apply),
        Trigger::new("daily", |_: &Plain, _: &JobContext| Ok::<_, String>(()))
            .on(Event::cron("0 0 * * *").unwrap()),
    ];
    let mut registry = Registry::linked().unwrap();
    registry.register(trigger_table(TriggerTable::new(triggers).unwrap())).unwrap();
    Larder::new(Arc::new(store.clone()), registry)
        .with_clock(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000))
}

/// Everything in another store.
fn twin(store: &MemoryStore) -> MemoryStore {
    let twin = MemoryStore::new();
    let records = store.records("").map(|found| {
        let (key, found) = found.unwrap();
        Change::PutRecord { key, value: found.value, expected: Expected::Absent }
    });
    let blobs = store.blobs().map(|found| {
        let digest = found.unwrap().0;
        Change::PutBlob { digest, bytes: store.get_blob(&digest).unwrap().unwrap() }
    });
    let changes: Vec<_> = records.chain(blobs).collect();
    assert_eq!(twin.commit(&changes).unwrap(), Committed::All);
    twin
}

/// Versions, a removed one, a child, tags, annotations, and a job that failed.
fn stocked() -> MemoryStore {
    let store = MemoryStore::new();
    let larder = on(&store);
    for number in 1..=3 {
        let applied = larder.apply("a", &plain(number)).unwrap();
        larder.jobs().wait(&applied).unwrap_err();
    }
    larder.apply("outer", &Outer { inner: Ref::to("a@1").unwrap() }).unwrap();
    larder.tag("a@1", "prod").unwrap();
    larder.remove("a@2").unwrap();
    store
}

type Operation = (&'static str, fn(&Larder) -> Result<()>);

const OPERATIONS: &[Operation] = &[
    ("apply", |larder| larder.apply("a", &plain(9)).map(drop)),
    ("apply to a new name", |larder| larder.apply("new", &plain(9)).map(drop)),
    ("apply with a child", |larder| {
        let inner = Ref::new("child", plain(8))?;
        larder.apply("outer", &Outer { inner }).map(drop)
    }),
    ("tag", |larder| larder.tag("a@3", "prod").map(drop)),
    ("untag", |larder| larder.untag("a", "prod")),
    ("annotate", |larder| {
        larder.annotate("a@1", &AnnotationsChange::new().description("x")).map(drop)
    }),
    ("lock", |larder| larder.locks().lock_name("a")),
    ("remove", |larder| larder.remove("a@3").map(drop)),
    ("remove a user", |larder| larder.remove("outer").map(drop)),
    ("restore", |larder| larder.maintenance().restore("a@2").map(drop)),
    ("copy into it", |larder| {
        let source = larder::open("memory:")?;
        source.apply("a", &Outer { inner: Ref::new("b", plain(70))? })?;
        source.maintenance().copy(Selection::All, larder, &CopyOptions::new()).map(drop)
    }),
    ("retry a job", |larder| {
        let job = larder.jobs().list(&JobsQuery::new()).next().unwrap()?;
        larder.jobs().retry(&job.id).map(drop)
    }),
    ("forget jobs", |larder| {
        let later = || SystemTime::UNIX_EPOCH + Duration::from_secs(1_900_000_000);
        larder.clone().with_clock(later).jobs().forget(Duration::from_secs(1)).map(drop)
    }),
];

#[test]
fn no_operation_overwrites_or_removes_a_record_of_a_newer_format() {
    let stock = stocked();
    let (mut tried, mut kinds) = (0, BTreeSet::new());
    for (what, operation) in OPERATIONS {
        // The keys that it changes when all is well.
        let store = twin(&stock);
        operation(&on(&store)).unwrap_or_else(|error| panic!("{what}: {error}"));
        let records = |store: &MemoryStore| {
            let all = store.records("").map(Result::unwrap);
            all.map(|(key, found)| (key.to_string(), found.value)).collect::<BTreeSet<_>>()
        };
        let changed: BTreeSet<_> = records(&stock)
            .symmetric_difference(&records(&store))
            .map(|(key, _)| key.clone())
            .collect();
        assert!(!changed.is_empty(), "{what} changes something");
        for key in changed {
            let store = twin(&stock);
            let larder = on(&store);
            put(&larder, &key, NEWER);
            let result = operation(&larder);
            assert_eq!(read(&larder, &key).as_deref(), Some(NEWER), "{what} {key}: {result:?}");
            tried += 1;
            kinds.insert(key.split('/').next().unwrap_or_default().to_owned());
        }
    }
    assert!(tried > 30, "{tried}");
    for kind in ["digests", "logs", "moves", "names", "notes", "queue", "tags", "users", "versions"]
    {
        assert!(kinds.contains(kind), "{kind} is not tried: {kinds:?}");
    }
}
