//! Larders in a bucket, on a real S3 server.

mod broken;
mod opening;
mod sharing;

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::store::with_causes;
use std::path::Path;
use std::sync::Arc;

use larder::bytes::Bytes;
use larder::maintenance::CopyOptions;
use larder::serializers::RawBytes;
use larder::store::{BucketStore, Digest, Store, StoreExt};
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::{Artifact, Error, Larder};
use larder_testkit::all_store_laws;
use larder_tests::Parcel;
use larder_tests::s3::Server;

pub(crate) fn server() -> Server {
    server_with(&[])
}

fn server_with(args: &[&str]) -> Server {
    Server::start(Path::new(env!("CARGO_TARGET_TMPDIR")), args)
}

fn parcel(round: u64, content: Vec<u8>) -> Parcel {
    Parcel { round, content: Artifact::<Bytes, RawBytes>::new(content.into()) }
}

/// Bytes of which no two parts are alike.
fn noise(len: usize) -> Vec<u8> {
    (0..len as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn assert_whole(larder: &Larder) {
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn the_bucket_store_keeps_every_law_on_an_s3_server() {
    let server = server();
    let url = server.url("laws").parse().unwrap();
    all_store_laws(&|| Arc::new(BucketStore::open(&url).unwrap()) as Arc<dyn Store>);
}

/// Entity tags of S3 are made from an object's bytes.
#[test]
fn a_record_that_was_changed_and_changed_back_is_not_the_one_that_was_read() {
    let server = server();
    let store = BucketStore::open(&server.url("back").parse().unwrap()).unwrap();
    let key = RecordKey::new("names/wine").unwrap();
    let put = |value: &'static str, expected| {
        let change = Change::PutRecord { key: key.clone(), value: value.into(), expected };
        store.commit(&[change]).unwrap()
    };
    let get = || store.get_record(&key).unwrap().unwrap();
    let conflict = Committed::Conflict { at: 0, made: 0 };

    assert_eq!(put("1", Expected::Absent), Committed::All);
    let first = get();
    assert_eq!(put("2", Expected::Anything), Committed::All);
    assert_eq!(put("1", Expected::Anything), Committed::All);
    assert_eq!(get().value, first.value);
    assert_eq!(put("3", Expected::Revision(first.revision)), conflict);

    // Written as it is, it counts as written too.
    let second = get();
    assert_eq!(put("1", Expected::Revision(second.revision.clone())), Committed::All);
    assert_eq!(put("3", Expected::Revision(second.revision)), conflict);
    assert_eq!(get().value, "1");
}

#[test]
fn a_large_blob_travels_in_parts_and_only_once() {
    let mut server = server();
    let larder = larder::open(&server.url("large")).unwrap();
    let content = noise(30 << 20);
    server.tell("moved");
    larder.apply("large", &parcel(1, content.clone())).unwrap();
    let moved: usize = server.tell("moved").parse().unwrap();
    assert!(moved >= content.len() && moved < content.len() + 100_000, "{moved} bytes moved");

    let read: Parcel = larder.load("large").unwrap();
    assert!(*read.content.get().unwrap() == content, "a blob of 30 MiB came back as another");

    // Another version with the same content sends records and a manifest.
    larder.apply("large", &parcel(2, content)).unwrap();
    let moved: usize = server.tell("moved").parse().unwrap();
    assert!(moved < 10_000, "{moved} bytes moved again");
    assert_eq!(server.tell("parts"), "0", "no upload is unfinished");
    assert_whole(&larder);
}

#[test]
fn a_large_blob_is_read_in_parts_and_only_once() {
    let mut server = server();
    let store = BucketStore::open(&server.url("read").parse().unwrap()).unwrap();
    for size in [(8 << 20) - 1, 8 << 20, (8 << 20) + 1, 30 << 20] {
        let content = Bytes::from(noise(size + 4)).slice(..size);
        let digest = Digest::of(&content);
        store.put_blob(&digest, content.clone()).unwrap();
        server.tell("sent");
        let whole = store.get_blob(&digest).unwrap();
        assert!(whole.as_ref() == Some(&content), "{size} bytes came back as others");
        let mut pieces = Vec::new();
        let take = |piece: &[u8]| {
            pieces.extend_from_slice(piece);
            Ok(())
        };
        store.read_blob(&digest).unwrap().unwrap().for_each_piece(take).unwrap();
        assert!(pieces == content, "{size} bytes came back in other pieces");
        let sent: usize = server.tell("sent").parse().unwrap();
        assert!((2 * size..2 * size + 10_000).contains(&sent), "{sent} bytes for {size}, twice");

        // A reader that ends early is not sent the rest.
        let mut taken = 0;
        let enough = store.read_blob(&digest).unwrap().unwrap().for_each_piece(|piece| {
            taken += piece.len();
            Err(Error::store("take a piece", "it is enough"))
        });
        let error = enough.unwrap_err();
        assert!(matches!(&error, Error::Store { action, .. } if action == "take a piece"));
        assert!(taken <= 8 << 20, "{taken} bytes are a part");
    }
}

#[test]
fn a_large_file_is_sent_from_where_it_is_if_it_is_what_it_is_called() {
    let mut server = server();
    let folder = tempfile::tempdir().unwrap();
    let here = larder::open(&format!("fs:{}", folder.path().display())).unwrap();
    let there = larder::open(&server.url("sent")).unwrap();
    let content = noise(20 << 20);
    here.apply("large", &parcel(1, content.clone())).unwrap();
    let digest = Digest::of(&content);
    let file = here.store().read_blob(&digest).unwrap().unwrap().path().unwrap().to_owned();
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, noise(20 << 20).split_off(4)).unwrap();
    let error = here.maintenance().copy(Selection::All, &there, &CopyOptions::new()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{}", with_causes(&error));
    let mut damaged = content.clone();
    damaged[15 << 20] ^= 1;
    std::fs::write(&file, damaged).unwrap();
    let error = here.maintenance().copy(Selection::All, &there, &CopyOptions::new()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{}", with_causes(&error));
    assert!(!there.store().has_blob(&digest).unwrap(), "what is damaged is not sent");

    std::fs::write(&file, &content).unwrap();
    server.tell("moved");
    here.maintenance().copy(Selection::All, &there, &CopyOptions::new()).unwrap();
    let moved: usize = server.tell("moved").parse().unwrap();
    assert!((content.len()..content.len() + 100_000).contains(&moved), "{moved} bytes moved");
    assert_eq!(server.tell("parts"), "0", "no upload is unfinished");
    assert_whole(&there);
}

#[derive(serde::Serialize, serde::Deserialize, larder::Component)]
#[component(tag = "test/layers")]
struct Layers {
    layers: Vec<Artifact<Bytes, RawBytes>>,
}

#[test]
fn a_version_that_shares_most_of_its_bytes_moves_the_rest() {
    let mut server = server();
    let larder = larder::open(&server.url("layers")).unwrap();
    let layer = |seed: u8| {
        let bytes: Vec<u8> = noise(200_000).iter().map(|byte| byte ^ seed).collect();
        Artifact::<Bytes, RawBytes>::new(bytes.into())
    };
    let mut layers = Layers { layers: (0..100).map(layer).collect() };
    larder.apply("layers", &layers).unwrap();
    layers.layers[50] = layer(200);
    server.tell("moved");
    larder.apply("layers", &layers).unwrap();
    let moved: usize = server.tell("moved").parse().unwrap();
    // One layer in a hundred, the manifest, which lists them all, and the records.
    assert!((200_000..230_000).contains(&moved), "{moved} bytes moved");
    assert_whole(&larder);
}

#[test]
fn a_larder_is_copied_to_a_bucket_and_from_there() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let first = larder::open(&format!("fs:{}", place("first"))).unwrap();
    for round in 0..3 {
        first.apply("some/parcel", &parcel(round, noise(300_000 * round as usize))).unwrap();
    }
    first.tag("some/parcel@2", "prod").unwrap();
    let middle = larder::open(&server.url("copied")).unwrap();
    let last = larder::open(&format!("sqlite:{}", place("last.db"))).unwrap();
    let whole = CopyOptions::new().all_versions(true);
    first.maintenance().copy(Selection::All, &middle, &whole).unwrap();
    middle.maintenance().copy(Selection::All, &last, &whole).unwrap();
    for larder in [&middle, &last] {
        assert_whole(larder);
        assert_eq!(larder.versions("some/parcel").unwrap(), first.versions("some/parcel").unwrap());
        let read: Parcel = larder.load("some/parcel:prod").unwrap();
        assert!(*read.content.get().unwrap() == noise(300_000));
    }
}
