//! A copy of many small blobs holds few of them in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::bytes::Bytes;
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::{Change, Committed, MemoryStore, Store};
use larder::{Registry, Selection};

/// Many blobs, each small enough for a commit.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/copy/many")]
struct Many(Vec<Artifact<Bytes, RawBytes>>);

/// A store in memory that notes the most bytes of blobs in one commit.
#[derive(Debug)]
struct Measured(MemoryStore, AtomicUsize);

#[deny(clippy::missing_trait_methods)]
impl Store for Measured {
    larder_tests::delegate!(
        0: url capabilities write_blob read_blobs stat_blobs list_blobs remove_blobs remove_unfinished
        get_records list_records
    );

    fn commit(&self, changes: &[Change]) -> larder::Result<Committed> {
        let size = |change: &Change| match change {
            Change::PutBlob { bytes, .. } => bytes.len(),
            _ => 0,
        };
        self.1.fetch_max(changes.iter().map(size).sum(), Ordering::Relaxed);
        self.0.commit(changes)
    }
}

#[test]
fn small_blobs_are_copied_a_few_megabytes_at_a_time() {
    let blob = |number: u32| {
        let mut bytes = vec![0; 60_000];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        Artifact::<Bytes, RawBytes>::new(bytes.into())
    };
    let source = larder::open("memory:").unwrap();
    source.apply("many", &Many((0..500).map(blob).collect())).unwrap();
    let measured = Arc::new(Measured(MemoryStore::new(), AtomicUsize::new(0)));
    let target = Larder::new(Arc::clone(&measured) as Arc<dyn Store>, Registry::new());
    source.maintenance().copy(Selection::All, &target, &CopyOptions::new()).unwrap();
    assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
    let most = measured.1.load(Ordering::Relaxed);
    assert!(most > 0 && most < 10 << 20, "{most} bytes in one commit");
}
