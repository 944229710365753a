//! Manifests that nobody would write.

use larder::maintenance::LarderMaintenance;
use std::sync::Arc;

use larder::VersionInfo;
use larder::store::Store;
use larder::store::{Change, Committed, Expected, RecordKey};

use super::*;

/// A larder whose version 1 of `name` has a manifest of somebody's own.
fn forged(manifests: &[String]) -> Larder {
    let store = MemoryStore::new();
    let larder = Larder::new(Arc::new(store.clone()), Registry::linked().unwrap());
    for manifest in manifests {
        let manifest = Bytes::from(manifest.clone());
        let rate = larder.versions("forged").map_or(0, |versions| versions.len());
        let VersionInfo { version, digest, .. } =
            larder.apply("forged", &Planned::new(rate as f64, 0)).unwrap().version().clone();
        let forged = Digest::of(&manifest);
        let is_folder = std::str::from_utf8(&manifest).unwrap().contains("larder/files");
        let type_tag = if is_folder { "larder/files" } else { "tests/planned" };
        let mut changes = vec![Change::PutBlob { digest: forged, bytes: manifest }];
        for key in ["names/forged".to_owned(), format!("versions/forged/@{:010}", version.get())] {
            let key = RecordKey::new(&key).unwrap();
            let record = store.get_record(&key).unwrap().unwrap();
            let text = std::str::from_utf8(&record.value).unwrap();
            let value = text.replace(&digest.to_hex(), &forged.to_hex());
            let value = value.replace("tests/planned", type_tag).into();
            changes.push(Change::PutRecord { key, value, expected: Expected::Anything });
        }
        assert_eq!(store.commit(&changes).unwrap(), Committed::All);
    }
    larder
}

fn manifest(fields: &str, artifacts: &str) -> String {
    format!(r#"{{"larder":1,"type":"tests/planned","fields":{fields},"artifacts":[{artifacts}]}}"#)
}

#[test]
fn a_link_that_is_listed_nowhere_is_plain_data() {
    let link = format!(r#"{{"$artifact":"{}","serializer":"bytes"}}"#, Digest::of(b"x"));
    let fields = |value: &str| manifest(&format!(r#"{{"a":{value}}}"#), "");
    let diff = forged(&[fields(&link), fields("1")]).diff("forged@1", "forged@2").unwrap();
    assert!(matches!(&diff.fields[0].old, Some(FieldValue::Json(text)) if text.contains("$art")));
}

#[test]
fn sizes_that_no_disk_has_are_summed_all_the_same() {
    let digests = [Digest::of(b"x"), Digest::of(b"y"), Digest::of(b"z")];
    let entry = |digest: &Digest, holds: &str| {
        format!(
            r#"{{"digest":"{digest}","size":{},"serializer":"bytes","holds":[{holds}]}}"#,
            u64::MAX
        )
    };
    let artifacts = [entry(&digests[0], ""), entry(&digests[1], ""), entry(&digests[2], "0,1,0")];
    let fields = format!(r#"{{"a":{{"$artifact":"{}","serializer":"bytes"}}}}"#, digests[2]);
    let larder = forged(&[manifest(&fields, &artifacts.join(",")), manifest("{}", "")]);
    let diff = larder.diff("forged@1", "forged@2").unwrap();
    assert_eq!(diff.bytes.old, u64::MAX);
    assert!(matches!(
        diff.fields[0].old,
        Some(FieldValue::Artifact { held: u64::MAX, size: u64::MAX, .. })
    ));
}

#[test]
fn fields_that_nest_too_deep_are_refused_and_long_keys_are_cut() {
    let deep = "[".repeat(121) + &"]".repeat(121);
    let long = format!(r#"{{"{}":1}}"#, "k".repeat(100_000));
    let larder = forged(&[manifest(&deep, ""), manifest(&long, ""), manifest("1", "")]);
    let error = larder.diff("forged@1", "forged@2").unwrap_err();
    assert!(matches!(&error, Error::Corrupt { what, .. } if what.contains("forged@1")), "{error}");
    let diff = larder.diff("forged@2", "forged@3").unwrap();
    assert_eq!(told(&diff), ["changed "]);
    let twice = forged(&[manifest("{}", ""), manifest(&long, "")]);
    let diff = twice.diff("forged@1", "forged@2").unwrap();
    assert!(format!("{diff:?}").len() < 4_000);
}

#[test]
fn a_folder_that_is_none_is_shown_as_what_it_is() {
    let folder = |fields: &str| manifest(fields, "").replace("tests/planned", "larder/files");
    let fields = [r#"{"kind":"folder","files":{},"empty":["a"]}"#, r#"{"kind":1,"files":2}"#, "[]"];
    let larder = forged(&fields.map(folder));
    let diff = larder.diff("forged@1", "forged@2").unwrap();
    assert_eq!(told(&diff), ["changed kind", "changed files", "removed empty"]);
    assert_eq!(told(&larder.diff("forged@2", "forged@3").unwrap()), ["changed "]);
}
