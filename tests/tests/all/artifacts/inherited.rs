//! Artifacts of a version that the new one follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larder::maintenance::GcOptions;
use larder::prelude::*;
use larder::store::{Digest, MemoryStore, Store};
use larder::versions::RemoveOptions;
use larder::{ApplyOptions, Error, Larder, Registry, Result};

/// A store in memory that counts the blobs that are asked for.
#[derive(Debug, Default)]
struct Asked {
    store: MemoryStore,
    blobs: AtomicUsize,
}

#[deny(clippy::missing_trait_methods)]
impl Store for Asked {
    larder_tests::delegate!(
        store: url capabilities write_blob read_blobs list_blobs remove_blobs remove_unfinished
        get_records list_records commit
    );

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.blobs.fetch_add(digests.len(), Ordering::SeqCst);
        self.store.stat_blobs(digests)
    }
}

#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/artifacts/train")]
struct Train {
    wagons: Vec<Artifact<String>>,
}

impl Train {
    fn add(&mut self, load: &str) {
        self.wagons.push(Artifact::new(load.to_owned()));
    }
}

fn train(wagons: usize) -> Train {
    Train { wagons: (0..wagons).map(|number| Artifact::new(number.to_string())).collect() }
}

#[test]
fn a_version_that_follows_another_asks_for_no_blob_of_it() {
    let store = Arc::new(Asked::default());
    let larder = Larder::new(store.clone(), Registry::linked().unwrap());
    let first = larder.apply("train", &train(40)).unwrap().version().clone();
    let mut train: Train = larder.load("train").unwrap();
    train.add("coal");
    let asked = |apply: &dyn Fn()| {
        store.blobs.store(0, Ordering::SeqCst);
        apply();
        store.blobs.load(Ordering::SeqCst)
    };
    let onto = ApplyOptions::new().onto(first.digest);
    let count = asked(&|| assert!(larder.apply_with("train", &train, &onto).unwrap().is_created()));
    assert_eq!(
        count, 0,
        "the new blob comes with the commit, and the others are those of the first version"
    );
    train.add("ore");
    let count = asked(&|| assert!(larder.apply("train", &train).unwrap().is_created()));
    assert!(count >= 40, "whoever follows no version asks for all: {count}");
}

#[test]
fn a_version_that_was_removed_and_collected_meanwhile_is_not_followed() {
    let larder = larder::open("memory:").unwrap();
    let first = larder.apply("train", &train(3)).unwrap().version().clone();
    let mut train: Train = larder.load("train").unwrap();
    train.add("coal");
    larder.remove_with("train@1", &RemoveOptions::new()).unwrap();
    larder.maintenance().gc(&GcOptions::new().grace(Duration::ZERO).exclusive(true)).unwrap();
    let onto = ApplyOptions::new().onto(first.digest);
    let error = larder.apply_with("train", &train, &onto).unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error}");
}
