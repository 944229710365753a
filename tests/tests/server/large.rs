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
    anonymous_of("self")
}

#[cfg(target_os = "linux")]
fn anonymous_of(process: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
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

/// As MLflow's client sends a large file: in one request.
#[cfg(target_os = "linux")]
#[test]
fn a_large_file_by_another_protocol_needs_little_memory() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

    const SIZE: usize = 120 << 20;
    let place = tempfile::tempdir().unwrap();
    let url = format!("fs:{}", place.path().join("larder").display());
    let (mut server, at) = super::killed::serve(&url, "127.0.0.1:0");
    let address: std::net::SocketAddr = at.strip_prefix("http://").unwrap().parse().unwrap();
    let models = "/api/2.0/mlflow/logged-models";
    let json = [("content-type", "application/json")];
    let answer = larder_tests::http::send(address, "POST", models, None, &json, b"{}");
    let model = answer.json()["model"]["info"]["model_id"].as_str().unwrap().to_owned();
    let path =
        format!("/api/2.0/mlflow-artifacts/artifacts/0/models/{model}/artifacts/weights.bin");

    let process = server.id().to_string();
    let (before, most) = (anonymous_of(&process), AtomicU64::new(0));
    let (ended, content) = (AtomicBool::new(false), noise(SIZE));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Relaxed) {
                most.fetch_max(anonymous_of(&process), Relaxed);
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
        });
        let mut line = TcpStream::connect(address).unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {SIZE}"
        );
        write!(line, "{head}\r\n\r\n").unwrap();
        line.write_all(&content).unwrap();
        let mut answer = String::new();
        line.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = larder_tests::http::send(address, "GET", &path, None, &[], b"");
        assert!(answer.status == 200 && answer.body == content);
        ended.store(true, Relaxed);
    });
    server.kill().unwrap();
    server.wait().unwrap();
    let grown = most.load(Relaxed).saturating_sub(before) >> 20;
    eprintln!("memory grew by {grown} MiB for a file of {} MiB, sent and fetched", SIZE >> 20);
    assert!(grown < 40, "memory grew by {grown} MiB");
}
