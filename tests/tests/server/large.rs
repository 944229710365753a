//! Large blobs, with little memory on both sides.

use std::fs;

use larder::bytes::Bytes;
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::serializers::RawBytes;
use larder::store::{Digest, StoreExt};
use larder::{Artifact, Component, Selection};
use larder_tests::Parcel;
use serde::{Deserialize, Serialize};

use super::served::Served;
use super::{assert_whole, noise, parcel};

/// The memory of this process that belongs to no file, in bytes.
#[cfg(target_os = "linux")]
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn blobs_of_all_sizes_come_back_with_their_ranges() {
    let place = tempfile::tempdir().unwrap();
    for url in ["memory:".to_owned(), format!("fs:{}", place.path().join("l").display())] {
        let served = Served::at(&url);
        let store = served.store();
        let sizes = [0, 1, 65_536, 65_537, 1 << 20, (1 << 20) + 1, (7 << 20) + 3];
        let contents = sizes.map(|size| Bytes::from(noise(size + 4)).slice(..size));
        for content in &contents {
            store.put_blob(&Digest::of(content), content.clone()).unwrap();
        }
        let digests = contents.each_ref().map(|content| Digest::of(content));
        let found = store.read_blobs(&digests).unwrap();
        for (found, content) in found.into_iter().zip(&contents) {
            assert!(found.unwrap().bytes().unwrap() == content, "{} bytes", content.len());
        }
        assert_eq!(store.stat_blobs(&digests).unwrap(), sizes.map(|size| Some(size as u64)));
    }
}

/// More small blobs than one answer holds.
#[test]
fn many_blobs_and_records_are_read_in_several_answers() {
    #[derive(Serialize, Deserialize, Component)]
    #[component(tag = "test/layers")]
    struct Layers {
        layers: Vec<Artifact<Bytes, RawBytes>>,
    }

    let served = Served::at("memory:");
    let larder = served.client();
    let layer = |seed: u8| {
        let bytes: Vec<u8> = noise(600_000).iter().map(|byte| byte ^ seed).collect();
        Artifact::<Bytes, RawBytes>::new(bytes.into())
    };
    larder.apply("layers", &Layers { layers: (0..60).map(layer).collect() }).unwrap();
    let digests: Vec<_> =
        larder.show("layers").unwrap().manifest.artifacts().iter().map(|it| it.digest).collect();
    assert_eq!(digests.len(), 60);
    let found = larder.store().read_blobs(&digests).unwrap();
    for (digest, found) in digests.iter().zip(found) {
        assert_eq!(Digest::of(&found.unwrap().bytes().unwrap()), *digest);
    }
    assert_whole(&larder);
}

/// A commit that is larger than a request.
#[test]
fn a_commit_over_the_limit_of_a_request_is_made_all_the_same() {
    use larder::store::{Change, Committed, Expected, RecordKey};

    let served = Served::at("memory:");
    let store = served.store();
    let blobs: Vec<Bytes> = (0..50_u8)
        .map(|seed| noise(1 << 20).iter().map(|byte| byte ^ seed).collect::<Vec<_>>().into())
        .collect();
    let put = |bytes: &Bytes| Change::PutBlob { digest: Digest::of(bytes), bytes: bytes.clone() };
    let mut changes: Vec<Change> = blobs.iter().map(put).collect();
    let key = RecordKey::new("laws/large/commit").unwrap();
    let record = |expected| Change::PutRecord { key: key.clone(), value: "{}".into(), expected };
    changes.insert(20, record(Expected::Absent));
    assert_eq!(store.commit(&changes).unwrap(), Committed::All);
    let digests: Vec<_> = blobs.iter().map(|blob| Digest::of(blob)).collect();
    assert!(store.stat_blobs(&digests).unwrap().iter().all(|size| *size == Some(1 << 20)));
    assert_eq!(store.commit(&changes).unwrap(), Committed::Conflict { at: 20, made: 0 });
}

/// The client and the server are both in this process.
#[cfg(target_os = "linux")]
#[test]
fn a_copy_of_a_large_version_needs_little_memory() {
    const SIZE: usize = 400 << 20;
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| format!("fs:{}", place.path().join(name).display());
    let (first, last) = (larder::open(&at("first")).unwrap(), larder::open(&at("last")).unwrap());
    let served = Served::at(&at("served"));
    let client = served.client();
    {
        first.apply("large", &parcel(1, noise(SIZE))).unwrap();
    }
    let before = anonymous();
    let most = std::sync::atomic::AtomicU64::new(0);
    let ended = std::sync::atomic::AtomicBool::new(false);
    use std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                most.fetch_max(anonymous(), Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let options = CopyOptions::new();
        first.maintenance().copy(Selection::All, &client, &options).unwrap();
        client.maintenance().copy(Selection::All, &last, &options).unwrap();
        ended.store(true, Relaxed);
    });
    let grown = most.load(Relaxed).saturating_sub(before) >> 20;
    eprintln!("memory grew by {grown} MiB for a blob of {} MiB, sent and fetched", SIZE >> 20);
    assert!(grown < 120, "memory grew by {grown} MiB");
    let read: Parcel = last.load("large").unwrap();
    assert!(*read.content.get().unwrap() == noise(SIZE));
}
