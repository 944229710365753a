use larder_store::{Change, Digest, Expected, RecordKey, Revision};

use super::*;

fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
}

#[test]
fn a_commit_comes_back_as_it_was() {
    let digest = Digest::of(b"blob");
    let revision = Expected::Revision(Revision::new("7"));
    let changes = [
        Change::PutBlob { digest, bytes: Bytes::from_static(b"blob") },
        Change::PutRecord { key: key("a/b"), value: "{}".into(), expected: Expected::Absent },
        Change::PutRecord { key: key("a/c"), value: "".into(), expected: revision },
        Change::RemoveRecord { key: key("a/@1"), expected: Expected::Anything },
    ];
    let commit = Commit { id: u128::MAX - 1, changes: changes.iter().map(Into::into).collect() };
    let sent = encode(&commit).unwrap();
    assert_eq!(decode::<Commit>(&sent), Ok(commit));
    for answer in [CommitAnswer::All, CommitAnswer::Conflict { at: 3, made: 0 }] {
        assert_eq!(decode::<CommitAnswer>(&encode(&answer).unwrap()), Ok(answer));
    }
}

#[test]
fn a_missing_blob_an_empty_one_and_a_large_one_differ() {
    let blobs = vec![None, Some(FoundBlob::Bytes(Bytes::new())), Some(FoundBlob::Size(1 << 40))];
    let found = FoundBlobs { blobs };
    assert_eq!(decode::<FoundBlobs>(&encode(&found).unwrap()), Ok(found));
}

#[test]
fn bytes_are_not_sent_as_numbers() {
    let bytes = Bytes::from(vec![200; 10_000]);
    let change = WireChange::PutBlob { digest: WireDigest(Digest::of(&bytes)), bytes };
    assert!(encode(&change).unwrap().len() < 10_100);
}

#[test]
fn what_is_wrong_is_refused() {
    #[derive(Serialize)]
    struct Forged<'a> {
        keys: Vec<&'a str>,
    }
    #[derive(Serialize)]
    struct WithMore {
        keys: Vec<String>,
        more: u8,
    }
    let forged = |keys| encode(&Forged { keys }).unwrap();
    assert!(decode::<GetRecords>(&forged(vec!["names/wine"])).is_ok());
    let long = "x".repeat(1_000_000);
    for key in ["", "../x", "A", "a//b", "a/\0", &long] {
        let said = decode::<GetRecords>(&forged(vec![key])).unwrap_err();
        assert!(said.contains("no record key") && said.len() < 300, "{said}");
    }
    let more = encode(&WithMore { keys: vec![], more: 1 }).unwrap();
    assert!(decode::<GetRecords>(&more).unwrap_err().contains("more"));
    let mut longer = forged(vec![]).to_vec();
    longer.push(0xc0);
    assert_eq!(decode::<GetRecords>(&longer).unwrap_err(), "1 bytes follow it");
    // An array of 2^32 - 1 keys that are not there, and arrays in arrays without end.
    let huge = [&b"\x81\xa4keys\xdd\xff\xff\xff\xff"[..]].concat();
    assert!(decode::<GetRecords>(&huge).is_err());
    let deep = [&b"\x81\xa4keys"[..], &[0x91; 1_000_000]].concat();
    assert!(decode::<GetRecords>(&deep).is_err());
    assert!(decode::<GetRecords>(&[0x91; 1_000_000]).is_err());
    assert!(decode::<GetRecords>(b"").is_err());
}

#[test]
fn limits_are_named() {
    let digests = vec![WireDigest(Digest::of(b"")); MAX_ITEMS + 1];
    let said = StatBlobs { digests }.check().unwrap_err();
    assert_eq!(said, "there are 4001 digests; the maximum is 4000");
    let prefix = "x".repeat(MAX_PREFIX + 1);
    assert!(ListRecords { prefix, after: None, limit: 1 }.check().is_err());
    assert!(ListBlobs { after: None, limit: usize::MAX }.check().is_err());
}
