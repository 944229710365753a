//! Beside each fixture is the JSON that a reader should get: `folder.expected.json` for `folder`.
//!
//! A fixture, once there, is never written again. `LARDER_FIXTURES=write` writes the fixtures and the JSON that are
//! missing; without it, a missing one fails.

pub(crate) mod collections;
mod made;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use larder::archive::{Form, Limits};
use larder::bytes::Bytes;
use larder::maintenance::LarderMaintenance;
use larder::prelude::*;
use larder::serializers::{Tensor, Tensors};
use larder::store::{Corruption, Digest, StoreExt, VersionNumber};
use larder::{Error, Selection};
use larder_tests::fixture::Everything;
use serde_json::{Map, Value, json};

use super::copy;
use made::EveryTensor;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn may_write() -> bool {
    std::env::var("LARDER_FIXTURES").is_ok_and(|value| value == "write")
}

/// Folders, databases and archives, each a larder.
fn larders() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.file_name().unwrap().to_str().unwrap().starts_with("format-") {
            continue;
        }
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_larder =
                name == "folder" || [".db", ".tar", ".tar.zst"].iter().any(|it| name.ends_with(it));
            found.extend(is_larder.then_some(path));
        }
    }
    found.sort();
    found
}

/// Opens a copy of a fixture: SQLite writes beside a file that it reads.
fn with_larder(path: &Path, test: impl FnOnce(&Larder)) {
    let here = tempfile::tempdir().unwrap();
    copy(path.parent().unwrap(), here.path());
    let name = path.file_name().unwrap().to_str().unwrap();
    let place = here.path().join(name);
    if name.contains(".tar") {
        test(larder::archive::open(&place, &Limits::default()).unwrap().larder());
    } else {
        let scheme = if name == "folder" { "fs" } else { "sqlite" };
        let larder = larder::open(&format!("{scheme}:{}", place.display())).unwrap();
        test(&larder.with_cache(here.path().join("cache")));
    }
}

fn number(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

/// Short bytes as hex digits, others by their digest.
fn of_bytes(bytes: &Bytes) -> Value {
    match bytes.len() {
        0..=64 => {
            json!({"hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()})
        }
        size => json!({"digest": Digest::of(bytes), "size": size}),
    }
}

fn of_tensors(tensors: &Tensors) -> Value {
    let of = |tensor: &Tensor| {
        json!({
            "dtype": tensor.dtype().to_string(),
            "shape": tensor.shape(),
            "data": of_bytes(tensor.bytes().unwrap()),
        })
    };
    let all: Map<_, _> = tensors.iter().map(|(name, it)| (name.to_owned(), of(it))).collect();
    json!({"tensors": all, "metadata": tensors.metadata()})
}

/// Fields with each artifact in place of its link, as far as its format tells what it holds.
fn resolved(larder: &Larder, fields: Value) -> Value {
    match fields {
        Value::Array(items) => items.into_iter().map(|item| resolved(larder, item)).collect(),
        Value::Object(entries) => {
            if let (2, Some(Value::String(digest)), Some(Value::String(serializer))) =
                (entries.len(), entries.get("$artifact"), entries.get("serializer"))
            {
                let digest: Digest = digest.parse().unwrap();
                let bytes = larder.store().get_blob(&digest).unwrap().unwrap();
                return match serializer.as_str() {
                    "json" => number(&bytes),
                    "msgpack-named" => rmp_serde::from_slice(&bytes).unwrap(),
                    _ => of_bytes(&bytes),
                };
            }
            entries.into_iter().map(|(key, value)| (key, resolved(larder, value))).collect()
        }
        other => other,
    }
}

fn of_everything(it: &Everything) -> Value {
    let floats = |all: &Vec<f32>| -> Value {
        let float = |float: &f32| if float.is_nan() { json!("NaN") } else { json!(float) };
        all.iter().map(float).collect()
    };
    let weights = it.msgpack.get().unwrap();
    json!({
        "text": it.text,
        "float": it.float,
        "largest": it.largest,
        "smallest": it.smallest,
        "nothing": it.nothing,
        "map": it.map,
        "msgpack": weights.iter().map(|(key, all)| (key.clone(), floats(all))).collect::<Map<_, _>>(),
        "json": it.json.get().unwrap(),
        "bincode": it.bincode.get().unwrap(),
        "postcard": it.postcard.get().unwrap(),
        "bytes": of_bytes(it.bytes.get().unwrap()),
        "nested": it.nested.get().unwrap().iter().map(|it| it.get().unwrap().clone()).collect::<Vec<_>>(),
    })
}

fn of_tensors_everywhere(it: &EveryTensor) -> Value {
    json!({
        "fields": of_tensors(&it.fields),
        "safetensors": of_tensors(it.safetensors.get().unwrap()),
        "msgpack": of_tensors(it.msgpack.get().unwrap()),
        "json": of_tensors(it.json.get().unwrap()),
        "bincode": of_tensors(it.bincode.get().unwrap()),
        "postcard": of_tensors(it.postcard.get().unwrap()),
    })
}

/// Records and blobs, which every reader gets, and the value of each version that is not removed, decoded.
fn document(larder: &Larder) -> Value {
    let (mut records, mut manifests, mut values) = (Map::new(), Map::new(), Map::new());
    for found in larder.store().records("") {
        let (key, found) = found.unwrap();
        let record = number(&found.value);
        if let Some((name, at)) =
            key.as_str().strip_prefix("versions/").and_then(|it| it.split_once("/@"))
        {
            let version = VersionNumber::new(at.parse().unwrap()).unwrap();
            let reference = format!("{name}@{}", version.get());
            match larder.show(reference.as_str()) {
                Ok(shown) => {
                    let bytes = larder.store().get_blob(&shown.version.digest).unwrap().unwrap();
                    manifests.insert(shown.version.digest.to_string(), number(&bytes));
                    let value = match shown.version.type_tag.as_str() {
                        "fixture/everything" => {
                            of_everything(&larder.load(reference.as_str()).unwrap())
                        }
                        "fixture/tensors" => {
                            of_tensors_everywhere(&larder.load(reference.as_str()).unwrap())
                        }
                        _ => resolved(larder, number(shown.manifest.fields().as_bytes())),
                    };
                    match larder.load_component(reference.as_str()) {
                        Ok(_) => {}
                        // An archive is opened without types, and the crate of some models is no part of these tests.
                        Err(Error::NotLinked { name, .. })
                            if name.starts_with("larder/")
                                || larder.registry().types().count() == 0 => {}
                        Err(error) => panic!("{reference}: {error}"),
                    }
                    values.insert(reference, value);
                }
                Err(Error::NotFound { .. } | Error::Removed { .. }) => {
                    assert!(record.get("removed").is_some(), "{reference}");
                }
                Err(error) => panic!("{reference}: {error}"),
            }
        }
        records.insert(key.to_string(), record);
    }
    let blobs: BTreeMap<_, _> = larder.store().blobs().map(Result::unwrap).collect();
    let blobs: Map<_, _> =
        blobs.iter().map(|(digest, size)| (digest.to_string(), json!(size))).collect();
    json!({"records": records, "blobs": blobs, "manifests": manifests, "values": values})
}

#[test]
fn a_reader_gets_what_stands_beside_each_fixture() {
    made::write_missing(&fixtures());
    let larders = larders();
    assert!(larders.len() >= 16, "{larders:?}");
    for path in larders {
        let name = path.file_name().unwrap().to_str().unwrap();
        let beside = path.with_file_name(format!("{name}.expected.json"));
        with_larder(&path, |larder| {
            assert_eq!(
                larder.maintenance().verify(Selection::All).unwrap().findings,
                [],
                "{path:?}"
            );
            let found = document(larder);
            if !beside.exists() && may_write() {
                let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
                fs::write(&beside, text).unwrap();
            }
            let expected: Value = number(&fs::read(&beside).unwrap());
            for part in ["records", "blobs", "manifests", "values"] {
                assert_eq!(found[part], expected[part], "{part} of {}", path.display());
            }
        });
    }
}

/// The same content makes the same archive, for ever.
#[test]
fn an_archive_is_written_as_its_fixture() {
    for (folder, form, name) in [
        ("format-1-archives", Form::Tar, "archive.tar"),
        ("format-1-trees", Form::Tar, "archive.tar"),
    ] {
        let fixture = fixtures().join(folder).join(name);
        let expected = fs::read(&fixture).unwrap();
        let opened = larder::archive::open(&fixture, &Limits::default()).unwrap();
        let mut written = Vec::new();
        larder::archive::write(opened.larder(), Selection::All, true, form, &mut written).unwrap();
        assert!(written == expected, "{}", fixture.display());
    }
}

/// The first archives differ in their headers and have no padding at their end; their files are the same.
#[test]
fn the_first_archives_hold_what_the_ones_of_today_hold() {
    let open = |name: &str| {
        let path = fixtures().join("format-1-archives").join(name);
        let opened = larder::archive::open(&path, &Limits::default()).unwrap();
        (fs::read(path).unwrap(), document(opened.larder()))
    };
    let (today, expected) = open("archive.tar");
    for first in ["first.tar", "first.tar.zst"] {
        let (bytes, found) = open(first);
        assert_eq!(found, expected, "{first}");
        assert_ne!(bytes, today);
    }
    let (first, _) = open("first.tar");
    assert!(first.len() % 10_240 != 0 && today.len().is_multiple_of(10_240));
    // A changed bit in the checksum field of the second header.
    let mut changed = first.clone();
    changed[1024 + 150] ^= 1;
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("changed.tar"), changed).unwrap();
    let error =
        larder::archive::open(&here.path().join("changed.tar"), &Limits::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt { fault: Corruption::Unreadable(why), .. } if why.contains("checksum")),
        "{error}"
    );
}
