//! Clients that lie: what they send is refused, and the larder of others stays whole.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use larder::bytes::Bytes;
use larder::maintenance::GcOptions;
use larder::prelude::*;
use larder::store::{Change, Committed, Digest, Expected, Record, RecordKey, StoreExt};
use larder::{Error, Larder};
use larder_access::{LarderAccess, Role};
use larder_store_http::protocol::{
    self, Commit, GetRecords, MAX_BODY, MAX_CHANGES, MAX_ITEMS, ReadBlobs, Request, StatBlobs,
    WireChange, WireDigest, WireExpected, WireKey,
};
use larder_tests::errors::message;

use super::served::Served;
use super::{assert_whole, noise, parcel};

/// Refers to another component.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "test/holder")]
struct Holder {
    held: Ref<larder_tests::Doubler>,
}

fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
}

fn put(name: &str, value: impl Into<Bytes>, expected: Expected) -> Change {
    Change::PutRecord { key: key(name), value: value.into(), expected }
}

fn remove(name: &str) -> Change {
    Change::RemoveRecord { key: key(name), expected: Expected::Anything }
}

/// Commits what breaks a rule, and returns why it is refused.
#[track_caller]
fn refused(larder: &Larder, changes: &[Change]) -> String {
    let error = larder.store().commit(changes).unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{changes:?}: {error:?}");
    message(&error)
}

/// Commits what the user may not, and returns why it is denied.
#[track_caller]
fn denied(larder: &Larder, changes: &[Change]) -> String {
    let error = larder.store().commit(changes).unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{changes:?}: {error:?}");
    message(&error)
}

/// All records but those of access control, of which denials are logged.
fn records(larder: &Larder) -> Vec<(RecordKey, Record)> {
    let all = larder.store().records("").map(Result::unwrap);
    all.filter(|(key, _)| !key.as_str().starts_with("audit")).collect()
}

fn replaced(record: &Record, from: &str, to: &str) -> Bytes {
    let text = String::from_utf8(record.value.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    text.replace(from, to).into()
}

#[test]
fn a_forged_digest_is_refused_in_a_commit_and_in_a_stream() {
    let served = Served::at("memory:");
    let larder = served.client();
    let forged = Digest::of(b"other");
    let change = Change::PutBlob { digest: forged, bytes: Bytes::from_static(b"bytes") };
    assert!(refused(&larder, &[change]).contains("digest"));
    for size in [10, 70_000, 3 << 20] {
        let error = larder.store().put_blob(&forged, noise(size).into()).unwrap_err();
        let said = message(&error);
        assert!(matches!(error, Error::Refused { .. }) && said.contains("digest"), "{said}");
    }
    assert!(!served.larder.store().has_blob(&forged).unwrap());
    assert_eq!(served.larder.store().list_blobs(None, 10).unwrap(), []);
}

#[test]
fn what_is_no_record_of_its_kind_is_refused() {
    let served = Served::at("memory:");
    let larder = served.client();
    larder.apply("wine", &parcel(1, noise(50))).unwrap();
    let before = records(&served.larder);
    let names = key("names/wine");
    let name = served.larder.store().get_record(&names).unwrap().unwrap();
    let version = key("versions/wine/@0000000001");
    let found = served.larder.store().get_record(&version).unwrap().unwrap();
    let nowhere = r#"{"larder":1,"version":7,"moved":"2026-01-01T00:00:00.000Z"}"#;
    let of = |key: &str, value: Bytes| [put(key, value, Expected::Anything)];
    for (changes, why) in [
        (of("nobody/knows", "{}".into()), "no such record"),
        (of("names/wine", "{}".into()), "kind"),
        (of("names/wine", "not json".into()), "kind"),
        (of("names/other", name.value.clone()), "other@1"),
        (of("versions/wine/@1", found.value.clone()), "no such record"),
        (of("versions/wine/@0000000002", found.value.clone()), "kind"),
        (of("names/wine", replaced(&name, "\"larder\":1", "\"larder\":99")), "newer"),
        (of("tags/wine/@prod", "{\"larder\":1,\"version\":7}".into()), "kind"),
        (of("tags/wine/@prod", nowhere.into()), "wine@7"),
        (of("gc/@00", "{}".into()), "no such record"),
    ] {
        let said = refused(&larder, &changes);
        assert!(said.contains(why), "{changes:?}: {said}");
    }
    for key in ["joined/blobs", "audit/@0000000001", "audit-head/@"] {
        denied(&larder, &of(key, "{}".into()));
    }
    denied(&larder, &[remove("audit-head/@")]);
    let twice = [remove("names/a"), remove("names/a")];
    assert!(refused(&larder, &twice).contains("twice"));
    assert_eq!(records(&served.larder), before);
}

#[test]
fn a_version_and_the_history_of_a_tag_never_change() {
    let served = Served::at("memory:");
    let larder = served.client();
    for round in 1..=2 {
        larder.apply("wine", &parcel(round, noise(50))).unwrap();
        larder.tag(format!("wine@{round}").as_str(), "prod").unwrap();
    }
    let before = records(&served.larder);
    let get = |name: &str| served.larder.store().get_record(&key(name)).unwrap().unwrap();
    let [one, two] = [1, 2].map(|number| get(&format!("versions/wine/@000000000{number}")));
    let at = "versions/wine/@0000000001";
    let manifest = |record: &Record| {
        let json: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
        json["manifest"].as_str().unwrap().to_owned()
    };
    let other = replaced(&one, &manifest(&one), &manifest(&two));
    for value in [
        other.clone(),
        replaced(&one, "tests/parcel", "tests/other"),
        replaced(&one, "\"size\":", "\"size\":1"),
    ] {
        for expected in [Expected::Anything, Expected::Revision(one.revision.clone())] {
            let said = refused(&larder, &[put(at, value.clone(), expected)]);
            assert!(said.contains(at) && said.contains("never changes"), "{said}");
        }
    }
    assert!(refused(&larder, &[remove(at)]).contains("never removed"));
    let moved = "moves/wine/@prod/@0000000001";
    let value = replaced(&get(moved), "\"version\":1", "\"version\":2");
    let said = refused(&larder, &[put(moved, value, Expected::Anything)]);
    assert!(said.contains(moved) && said.contains("never changes"), "{said}");
    assert!(refused(&larder, &[remove(moved)]).contains("never removed"));
    assert_eq!(records(&served.larder), before);
    assert_whole(&larder);
    // Requests of an honest client still work.
    larder.remove("wine@1").unwrap();
    larder.maintenance().restore("wine@1").unwrap();
    assert_whole(&larder);
}

#[test]
fn a_version_without_its_bytes_is_refused_and_the_garbage_of_all_is_still_collected() {
    let served = Served::at("memory:");
    let writer = served.client_of("mallory", Role::Writer, "evil");
    writer.apply("evil", &larder_tests::Doubler { factor: 2.0 }).unwrap();
    let store = writer.store();
    let own = key("versions/evil/@0000000001");
    let (digest, names) = (Digest::of(b"nowhere"), key("names/evil"));
    let [version, name] = [&own, &names].map(|key| store.get_record(key).unwrap().unwrap());
    let manifest = writer.show("evil").unwrap().version.digest;
    let forge = |digest: Digest| {
        let second = |record: &Record| {
            let text = String::from_utf8(record.value.to_vec()).unwrap();
            let text = text.replace(&manifest.to_string(), &digest.to_string());
            text.replace("\"version\":1", "\"version\":2").replace("\"next\":2", "\"next\":3")
        };
        let record = format!("digests/evil/@{}-0000000002", digest.to_hex());
        vec![
            put("versions/evil/@0000000002", second(&version), Expected::Absent),
            put(&record, "{\"larder\":1,\"version\":2}", Expected::Absent),
            put("names/evil", second(&name), Expected::Anything),
        ]
    };
    let said = refused(&writer, &forge(digest));
    assert!(said.contains("manifest is not there"), "{said}");
    let json = store.get_blob(&manifest).unwrap().unwrap();
    let text = String::from_utf8(json.to_vec()).unwrap();
    for (bytes, why) in [
        ("junk".to_owned(), "no manifest"),
        (text.replace("\"larder\":1", "\"larder\":99"), "no manifest"),
        (
            text.replace(
                "{\"factor\":2.0}",
                &format!("{{\"$artifact\":\"{digest}\",\"serializer\":\"json\"}}"),
            ),
            "not list",
        ),
    ] {
        assert_ne!(bytes, text);
        let bytes = Bytes::from(bytes);
        let mut changes = forge(Digest::of(&bytes));
        changes.insert(0, Change::PutBlob { digest: Digest::of(&bytes), bytes });
        let said = refused(&writer, &changes);
        assert!(said.contains(why), "{said}");
    }
    let admin = served.client();
    assert_whole(&admin);
    let options = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    admin.maintenance().gc(&options).unwrap();
    assert_whole(&admin);
}

#[test]
fn the_name_of_another_is_neither_written_nor_read_nor_referred_to() {
    let served = Served::at("memory:");
    let admin = served.client();
    admin.apply("secret", &larder_tests::Doubler { factor: 3.0 }).unwrap();
    admin.tag("secret", "prod").unwrap();
    let mallory = served.client_of("mallory", Role::Writer, "evil/*");
    mallory.apply("evil/own", &parcel(1, noise(50))).unwrap();
    let before = records(&served.larder);
    for done in [
        mallory.apply("secret", &larder_tests::Doubler { factor: 0.0 }).map(drop),
        mallory.tag("secret@1", "prod").map(drop),
        mallory.remove("secret@1").map(drop),
        mallory.load::<larder_tests::Doubler>("secret").map(drop),
        mallory.apply("evil/holder", &Holder { held: Ref::to("secret").unwrap() }).map(drop),
        mallory.access().add_user("mallory2", &[]).map(drop),
    ] {
        let error = done.unwrap_err();
        let is_denied = matches!(&error, Error::Denied { .. } | Error::NotFound { .. });
        assert!(is_denied, "{error:?}");
    }
    assert_eq!(mallory.access().users().unwrap().len(), 0);
    // A blob of the user's own whose manifest refers to the secret.
    let digest = admin.show("secret").unwrap().version.digest;
    let record = format!("users/secret/@{}-{}-0000000001", digest.to_hex(), "0".repeat(32));
    let said = refused(&mallory, &[put(&record, "{}", Expected::Absent)]);
    assert!(!said.contains("3.0"), "{said}");
    for other in ["names/secret", "versions/secret/@0000000001", "tags/secret/@prod"] {
        let found = served.larder.store().get_record(&key(other)).unwrap().unwrap();
        let said = denied(&mallory, &[remove(other)]);
        assert!(said.contains("mallory") && said.contains("`secret"), "{said}");
        // Written as it is, it is a condition, which needs to be readable.
        let same = put(other, found.value.clone(), Expected::Revision(found.revision.clone()));
        assert!(denied(&mallory, &[same]).contains("read `secret"));
        assert!(matches!(mallory.store().get_record(&key(other)), Err(Error::Denied { .. })));
    }
    let seen: Vec<_> = mallory.store().records("").map(|found| found.unwrap().0).collect();
    assert!(!seen.is_empty());
    let is_own = |key: &RecordKey| key.as_str().contains("evil/") || key.as_str() == "exclusive/gc";
    assert!(seen.iter().all(is_own), "{seen:?}");
    for administrative in ["principals/@", "tokens/@", "grants/@", "audit/@"] {
        assert_eq!(mallory.store().list_records(administrative, None, 10).unwrap(), []);
    }
    assert_eq!(records(&served.larder), before);
}

/// A writer lets go of a lock whose owner died, and takes none.
#[test]
fn a_writer_does_not_lock_the_larder() {
    let served = Served::at("memory:");
    let larder = served.client_of("mallory", Role::Writer, "evil");
    larder.apply("evil", &parcel(1, noise(50))).unwrap();
    let lock = larder.store().get_record(&key("exclusive/gc")).unwrap().unwrap();
    let held = replaced(&lock, ",\"released\":true", "");
    let said = denied(&larder, &[put("exclusive/gc", held.clone(), Expected::Anything)]);
    assert!(said.contains("maintain"), "{said}");
    assert!(denied(&larder, &[remove("exclusive/gc")]).contains("maintain"));
    let admin = served.client();
    let held = [put("exclusive/gc", held, Expected::Anything)];
    assert_eq!(admin.store().commit(&held).unwrap(), Committed::All);
    larder.apply("evil", &parcel(2, noise(50))).unwrap();
}

#[test]
fn who_may_only_read_changes_nothing() {
    let served = Served::at("memory:");
    let admin = served.client();
    admin.apply("wine", &larder_tests::Doubler { factor: 3.0 }).unwrap();
    let viewer = served.client_of("viewer", Role::Viewer, "*");
    assert_eq!(viewer.load::<larder_tests::Doubler>("wine").unwrap().factor, 3.0);
    let before = records(&served.larder);
    let store = viewer.store();
    let blob = Bytes::from_static(b"blob");
    let digest = Digest::of(&blob);
    let denied = [
        viewer.apply("wine", &parcel(1, noise(10))).map(drop),
        viewer.tag("wine", "prod").map(drop),
        store.put_blob(&digest, noise(100_000).into()),
        store.commit(&[Change::PutBlob { digest, bytes: blob }]).map(drop),
        store.remove_blobs(&[digest]),
        store.list_blobs(None, 10).map(drop),
        store.remove_unfinished(Duration::ZERO).map(drop),
        store.commit(&[remove("names/wine")]).map(drop),
        store.commit(&[remove("exclusive/gc"), remove("names/wine")]).map(drop),
    ];
    for done in denied {
        let error = done.unwrap_err();
        assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    }
    assert_eq!(records(&served.larder), before);
    assert_eq!(served.larder.store().stat_blobs(&[digest]).unwrap(), [None]);
}

/// Sends bytes as they are, and returns the status of the answer.
fn send(served: &Served, head: &str, body: &[u8]) -> String {
    let mut line = TcpStream::connect(served.server.address().unwrap()).unwrap();
    line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = served.token();
    let head = format!("{head}\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    line.write_all(head.as_bytes()).unwrap();
    // The server may answer before it has read all.
    let _ = line.write_all(body);
    let mut answer = [0; 4096];
    let read = line.read(&mut answer).unwrap_or_default();
    let text = String::from_utf8_lossy(&answer[..read]).into_owned();
    text.split("\r\n").next().unwrap_or_default().to_owned()
}

fn post(served: &Served, route: &str, body: &[u8]) -> String {
    send(served, &format!("POST {route} HTTP/1.1\r\ncontent-length: {}", body.len()), body)
}

#[test]
fn counts_and_bodies_over_the_limits_are_refused() {
    let served = Served::at("memory:");
    let digests = vec![WireDigest(Digest::of(b"")); MAX_ITEMS + 1];
    let keys = vec![WireKey(key("names/x")); MAX_ITEMS + 1];
    let change = |number: usize| WireChange::RemoveRecord {
        key: WireKey(key(&format!("names/x{number}"))),
        expected: WireExpected::Anything,
    };
    let changes = (0..=MAX_CHANGES).map(change).collect();
    for (route, body) in [
        (StatBlobs::ROUTE, protocol::encode(&StatBlobs { digests: digests.clone() })),
        (ReadBlobs::ROUTE, protocol::encode(&ReadBlobs { digests })),
        (GetRecords::ROUTE, protocol::encode(&GetRecords { keys })),
        (Commit::ROUTE, protocol::encode(&Commit { id: 1, changes })),
        (Commit::ROUTE, Ok(vec![0x90; MAX_BODY + 1].into())),
    ] {
        let status = post(&served, route, &body.unwrap());
        assert_eq!(status, "HTTP/1.1 413 Payload Too Large", "{route}");
    }
    // A body that says it is small, or nothing, and never ends.
    let head = format!("POST {} HTTP/1.1\r\ntransfer-encoding: chunked", Commit::ROUTE);
    let chunk = [b"100000\r\n".to_vec(), vec![0x90; 1 << 20], b"\r\n".to_vec()].concat();
    assert_eq!(send(&served, &head, &chunk.repeat(33)), "HTTP/1.1 413 Payload Too Large");
    assert_whole(&served.client());
}

#[test]
fn bodies_that_cannot_be_read_are_refused_and_none_is_repeated() {
    let served = Served::at("memory:");
    let deep = [&b"\x81\xa4keys"[..], &[0x91; 1_000_000]].concat();
    let huge = b"\x81\xa4keys\xdd\xff\xff\xff\xff".to_vec();
    for body in [&b""[..], b"{}", b"\xc1", b"\x81\xa4keys\x91\xa3../", &deep, &huge] {
        assert_eq!(post(&served, GetRecords::ROUTE, body), "HTTP/1.1 400 Bad Request");
        assert_eq!(post(&served, Commit::ROUTE, body), "HTTP/1.1 400 Bad Request");
    }
    let hex = Digest::of(b"x").to_hex();
    for (line, status) in [
        (format!("GET /store/v1/blobs/{hex}"), "404"),
        (format!("GET /store/v1/blobs/{}", hex.to_uppercase()), "404"),
        ("GET /store/v1/blobs/..%2f..%2fetc".to_owned(), "404"),
        (format!("PUT /store/v1/blobs/{}", &hex[1..]), "404"),
        ("GET /store/v1//blobs".to_owned(), "404"),
        ("DELETE /store/v1/commit".to_owned(), "405"),
        ("GET /store/v1?token=x".to_owned(), "400"),
    ] {
        let said = send(&served, &format!("{line} HTTP/1.1\r\ncontent-length: 0"), b"");
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{line}: {said}");
    }
    // A blob that ends early is not kept.
    let content = noise(200_000);
    let digest = Digest::of(&content);
    let head =
        format!("PUT /store/v1/blobs/{} HTTP/1.1\r\ncontent-length: 200000", digest.to_hex());
    let mut line = TcpStream::connect(served.server.address().unwrap()).unwrap();
    let token = served.token();
    let head = format!("{head}\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    line.write_all(head.as_bytes()).unwrap();
    line.write_all(&content[..100_000]).unwrap();
    drop(line);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(served.larder.store().stat_blobs(&[digest]).unwrap(), [None]);
}

/// Two senders of one commit, and another user's commit of the same name.
#[test]
fn the_name_of_a_commit_is_that_of_its_user() {
    let served = Served::at("memory:");
    let client = served.client();
    let change = put("laws/named/one", "1", Expected::Absent);
    assert_eq!(client.store().commit(std::slice::from_ref(&change)).unwrap(), Committed::All);
    let again = client.store().commit(&[change]).unwrap();
    assert_eq!(again, Committed::Conflict { at: 0, made: 0 }, "each commit has a name of its own");
}
