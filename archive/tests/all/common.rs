//! Shared test helpers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::StoreExt;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/weights")]
pub(crate) struct Weights {
    pub(crate) layer: u64,
    shared: Artifact<Bytes, RawBytes>,
    own: Artifact<Vec<u64>>,
}

pub(crate) fn weights(layer: u64) -> Weights {
    Weights {
        layer,
        shared: Artifact::new(Bytes::from(vec![7; 100_000])),
        own: Artifact::new(vec![layer; 100]),
    }
}

pub(crate) fn open(url: &str) -> Larder {
    let clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
    larder::open(url).unwrap().with_clock(clock)
}

/// A name too long for a ustar header.
pub(crate) fn long_name() -> String {
    format!("{}/b", "a".repeat(190))
}

/// Applies three versions of `net`, removes the second, and adds one version of a long name and two tags.
pub(crate) fn fill(larder: &Larder) {
    for layer in 1..=3 {
        larder.apply("net", &weights(layer)).unwrap();
    }
    larder.apply(long_name(), &weights(9)).unwrap();
    larder.tag("net@1", "prod").unwrap();
    larder.tag(long_name(), "new").unwrap();
    larder.remove("net@2").unwrap();
}

/// The content of every file in a folder.
pub(crate) fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    walk(folder, "", &mut all);
    all
}

fn walk(folder: &Path, stem: &str, all: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{stem}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{path}/"), all);
        } else {
            all.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

/// The records of a larder and its number of blobs.
pub(crate) fn content(larder: &Larder) -> (Vec<(String, Bytes)>, usize) {
    let records = larder.store().records("").map(|found| {
        let (key, record) = found.unwrap();
        (key.to_string(), record.value)
    });
    (records.collect(), larder.store().blobs().count())
}
