//! Rules of `docs/format.md` about manifests and records that a reader must refuse, and a writer must not write.

use std::collections::BTreeMap;

use larder::Selection;
use larder::bytes::Bytes;
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::prelude::*;
use larder::store::{Change, Committed, Digest, Expected, RecordKey, StoreExt};
use larder::versions::AnnotationsChange;
use larder::{Error, Result};
use larder_tests::errors::unreadable;

/// An artifact, and a map that may hold anything.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "format/mixed")]
pub(super) struct Mixed {
    pub(super) text: Artifact<String>,
    pub(super) map: BTreeMap<String, String>,
}

pub(super) fn mixed(text: &str) -> Mixed {
    Mixed { text: Artifact::new(text.into()), map: BTreeMap::new() }
}

/// Refers to another.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "format/outer")]
struct Outer {
    inner: Ref<Mixed>,
}

pub(super) fn memory() -> Larder {
    larder::open("memory:").unwrap()
}

/// `inner` with an artifact, and `outer`, which refers to it.
pub(super) fn nested() -> Larder {
    let larder = memory();
    let inner = Ref::new("inner", mixed("text")).unwrap();
    larder.apply("outer", &Outer { inner }).unwrap();
    larder
}

pub(super) fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
}

pub(super) fn read(larder: &Larder, text: &str) -> Option<String> {
    let found = larder.store().get_record(&key(text)).unwrap();
    found.map(|found| String::from_utf8(found.value.to_vec()).unwrap())
}

pub(super) fn put(larder: &Larder, text: &str, json: &str) {
    let value = Bytes::copy_from_slice(json.as_bytes());
    let change = Change::PutRecord { key: key(text), value, expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

/// Puts another manifest in the place of version 1 of a name, as if it had been written so.
pub(super) fn forge(larder: &Larder, name: &str, edit: impl Fn(&str) -> String) {
    let version = larder.show(name).unwrap().version;
    let old = version.digest;
    let json = larder.store().get_blob(&old).unwrap().unwrap();
    let forged = edit(std::str::from_utf8(&json).unwrap());
    assert_ne!(forged.as_bytes(), json, "the edit changes it");
    let new = Digest::of(forged.as_bytes());
    let size = version.size + forged.len() as u64 - json.len() as u64;
    let blob = Change::PutBlob { digest: new, bytes: forged.into() };
    assert_eq!(larder.store().commit(&[blob]).unwrap(), Committed::All);
    let prefixes = ["names/", "versions/", "digests/", "users/"];
    let records: Vec<_> = larder.store().records("").map(Result::unwrap).collect();
    for (key, found) in records {
        if !prefixes.iter().any(|prefix| key.as_str().starts_with(prefix)) {
            continue;
        }
        let value = std::str::from_utf8(&found.value).unwrap();
        let edited = value.replace(&old.to_hex(), &new.to_hex());
        let edited = match edited == value {
            true => edited,
            false => {
                edited.replace(&format!("\"size\":{}", version.size), &format!("\"size\":{size}"))
            }
        };
        let moved = key.as_str().replace(&old.to_hex(), &new.to_hex());
        let remove = Change::RemoveRecord { key, expected: Expected::Anything };
        assert_eq!(larder.store().commit(&[remove]).unwrap(), Committed::All);
        put(larder, &moved, &edited);
    }
}

pub(super) fn faults(larder: &Larder) -> Vec<String> {
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    findings.into_iter().map(|it| format!("{}: {}", it.what, it.fault)).collect()
}

pub(super) fn copied(larder: &Larder) -> Result<()> {
    larder.maintenance().copy(Selection::All, &memory(), &CopyOptions::new()).map(drop)
}

#[test]
fn rejects_lists_that_no_writer_writes() {
    let entry = |json: &str| {
        let start = json.find("\"artifacts\":[").unwrap() + "\"artifacts\":[".len();
        json[start..start + json[start..].find(']').unwrap()].to_owned()
    };
    let twice =
        |json: &str| json.replace("\"artifacts\":[", &format!("\"artifacts\":[{},", entry(json)));
    let sizes = |json: &str| {
        let other = entry(json).replace("msgpack-named", "json").replace("\"size\":", "\"size\":1");
        json.replace("\"artifacts\":[", &format!("\"artifacts\":[{other},"))
    };
    let unnamed = |json: &str| json.replace("msgpack-named", "msg pack");
    let child = |json: &str| {
        let start = json.find("\"children\":[").unwrap() + "\"children\":[".len();
        let child = json[start..start + json[start..].find(']').unwrap()].to_owned();
        json.replace("\"children\":[", &format!("\"children\":[{child},"))
    };
    let own = |json: &str| json.replace("msgpack-named\"}]", "msgpack-named\",\"holds\":[0]}]");
    let deep = |json: &str| {
        let levels = (0..32_u32).map(|level| {
            let digest = Digest::of(&level.to_le_bytes());
            let holds =
                level.checked_sub(1).map_or(String::new(), |inner| format!(",\"holds\":[{inner}]"));
            format!("{{\"digest\":\"{digest}\",\"size\":4,\"serializer\":\"bytes\"{holds}}},")
        });
        let levels: String = levels.collect();
        let json = json.replace("msgpack-named\"}]", "msgpack-named\",\"holds\":[31]}]");
        json.replace("\"artifacts\":[", &format!("\"artifacts\":[{levels}"))
    };
    type Edit<'a> = &'a dyn Fn(&str) -> String;
    let cases: [(&str, Edit<'_>, &str); 6] = [
        ("inner", &own, "not listed before"),
        ("inner", &deep, "32 levels"),
        ("inner", &twice, "artifact twice"),
        ("inner", &sizes, "two sizes"),
        ("inner", &unnamed, "valid name"),
        ("outer", &child, "child twice"),
    ];
    for (name, edit, why) in cases {
        let larder = nested();
        forge(&larder, name, edit);
        for error in [
            larder.load_component(name).map(drop).unwrap_err(),
            larder.show(name).map(drop).unwrap_err(),
            copied(&larder).unwrap_err(),
        ] {
            assert!(unreadable(&error).contains(why), "{error}");
        }
        assert!(faults(&larder).iter().any(|fault| fault.contains(why)), "{:?}", faults(&larder));
    }
}

#[test]
fn rejects_a_record_that_contradicts_its_manifest() {
    let larder = nested();
    for key in ["names/inner", "versions/inner/@0000000001"] {
        let record = read(&larder, key).unwrap();
        put(&larder, key, &record.replace("format/mixed", "format/other"));
    }
    for error in [
        larder.load_component("inner").map(drop).unwrap_err(),
        larder.load::<Mixed>("inner@1").map(drop).unwrap_err(),
        larder.show("inner").map(drop).unwrap_err(),
        copied(&larder).unwrap_err(),
    ] {
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
    let found = faults(&larder);
    assert_eq!(found.len(), 1, "{found:?}");
    let is_named = |tag: &str| found[0].contains(&format!("`{tag}`"));
    assert!(is_named("format/mixed") && is_named("format/other"), "{found:?}");

    let larder = nested();
    let size = larder.show("inner").unwrap().version.size;
    for key in ["names/inner", "versions/inner/@0000000001"] {
        let record = read(&larder, key).unwrap();
        put(&larder, key, &record.replace(&format!("\"size\":{size}"), "\"size\":7"));
    }
    let found = faults(&larder);
    assert!(found.len() == 1 && found[0].contains("record says 7"), "{found:?}");
}

#[test]
fn rejects_a_record_that_is_of_another_key() {
    let two = || {
        let larder = nested();
        larder.apply("inner", &mixed("other")).unwrap();
        larder
    };
    let larder = two();
    let other = read(&larder, "versions/inner/@0000000002").unwrap();
    put(&larder, "versions/inner/@0000000001", &other);
    for error in [
        larder.versions("inner").map(drop).unwrap_err(),
        larder.show("inner@1").map(drop).unwrap_err(),
        larder.load::<Mixed>("inner@1").map(drop).unwrap_err(),
        larder.tag("inner@1", "prod").map(drop).unwrap_err(),
        larder.remove("inner@1").map(drop).unwrap_err(),
        copied(&larder).unwrap_err(),
    ] {
        assert!(unreadable(&error).contains("`version`"), "{error}");
    }

    let larder = two();
    let digest = larder.show("inner@1").unwrap().version.digest;
    let digest_key = format!("digests/inner/@{}-0000000001", digest.to_hex());
    put(&larder, &digest_key, "{\"larder\":1,\"version\":2}");
    let error = larder.show(format!("inner@b3:{:.8}", digest.to_hex())).map(drop).unwrap_err();
    assert!(unreadable(&error).contains("`version`"), "{error}");

    let larder = two();
    let (users, user) = larder.store().list_records("users/", None, 1).unwrap().remove(0);
    let user = std::str::from_utf8(&user.value).unwrap().replace("outer", "other");
    put(&larder, users.as_str(), &user);
    let error = larder.used_by("inner@1").map(drop).unwrap_err();
    assert!(unreadable(&error).contains("`name`"), "{error}");
}

#[test]
fn rejects_a_name_whose_latest_version_cannot_be_the_latest() {
    for (of, to) in [
        ("\"next\":2", "\"next\":1"),
        ("\"crate\":", "\"status\":\"preparing\",\"crate\":"),
        ("\"crate\":", "\"removed\":\"2026-01-01T00:00:00.000Z\",\"crate\":"),
    ] {
        let larder = nested();
        let name = read(&larder, "names/inner").unwrap();
        put(&larder, "names/inner", &name.replace(of, to));
        let error = larder.load::<Mixed>("inner").unwrap_err();
        assert!(unreadable(&error).contains("`latest`"), "{to}: {error}");
        assert!(!faults(&larder).is_empty());
    }
}

/// JSON with its keys in another order, and white space.
fn loose(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    format!("\n\t{}\r\n ", serde_json::to_string_pretty(&value).unwrap())
}

#[test]
fn accepts_records_and_manifests_in_any_order_and_with_any_white_space() {
    let larder = nested();
    larder.tag("inner", "prod").unwrap();
    larder.annotate("inner", &AnnotationsChange::new().label("a", "b").metric("c", 0.5)).unwrap();
    // The fields keep their order, which is the type's.
    forge(&larder, "inner", |json| json.replace("{\"larder\":1,", "{ \"larder\" :\n1 ,\t"));
    let manifest = larder.show("inner").unwrap().version.digest;
    for found in larder.store().records("").collect::<Vec<_>>() {
        let (key, found) = found.unwrap();
        let json = std::str::from_utf8(&found.value).unwrap();
        assert_ne!(loose(json), json);
        put(&larder, key.as_str(), &loose(json));
    }
    let digest = |larder: &Larder| larder.show("inner:prod").unwrap().version.digest;
    assert_eq!(digest(&larder), manifest);
    assert_eq!(larder.load::<Mixed>("inner").unwrap().text.get().unwrap(), "text");
    assert_eq!(larder.annotations("inner").unwrap().metrics["c"], 0.5);
    let to = memory();
    larder
        .maintenance()
        .copy(["inner".parse().unwrap()].as_slice(), &to, &CopyOptions::new())
        .unwrap();
    assert_eq!(digest(&to), manifest, "a manifest is copied as it is");
    larder.apply("inner", &mixed("other")).unwrap();
    larder.remove("inner@2").unwrap();
    assert_eq!(faults(&to), [""; 0]);
}

#[test]
fn rejects_a_key_that_stands_twice() {
    let larder = nested();
    larder.annotate("inner", &AnnotationsChange::new().label("a", "b").metric("c", 0.5)).unwrap();
    for (record, of, to) in [
        ("names/inner", "\"next\":2", "\"next\":2,\"next\":2"),
        ("versions/inner/@0000000001", "\"version\":1", "\"version\":1,\"version\":1"),
        ("notes/inner/@0000000001", "\"a\":\"b\"", "\"a\":\"x\",\"a\":\"b\""),
        ("notes/inner/@0000000001", "\"c\":0.5", "\"c\":1.0,\"c\":0.5"),
    ] {
        let sound = read(&larder, record).unwrap();
        assert!(sound.contains(of), "{sound}");
        put(&larder, record, &sound.replace(of, to));
        assert!(
            matches!(larder.annotations("inner"), Err(Error::Corrupt { .. }))
                || !record.starts_with("notes/")
        );
        let found = faults(&larder);
        let is_named = |fault: &String| fault.contains(&format!("the record {record}"));
        assert!(found.iter().any(is_named), "{record} {to}: {found:?}");
        put(&larder, record, &sound);
    }
    forge(&larder, "inner", |json| {
        json.replace("\"type\":", "\"type\":\"format/mixed\",\"type\":")
    });
    assert!(matches!(larder.show("inner"), Err(Error::Corrupt { .. })));
}
