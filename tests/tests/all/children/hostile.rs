//! Manifests and records that were made to harm.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::store::Digest;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::versions::RemoveOptions;
use larder_tests::errors::message;

use super::*;

/// Puts a manifest where that of the only version of `name` is, with another digest.
fn forge(larder: &Larder, name: &str, forge: impl FnOnce(String) -> String) {
    let old = larder.show(name).unwrap().version.digest;
    let json = larder.store().get_blob(&old).unwrap().unwrap();
    let forged: Bytes = forge(String::from_utf8(json.to_vec()).unwrap()).into();
    let digest = Digest::of(&forged);
    let mut changes = vec![Change::PutBlob { digest, bytes: forged.clone() }];
    for found in larder.store().records("").collect::<Vec<_>>() {
        let (key, record) = found.unwrap();
        let text = std::str::from_utf8(&record.value).unwrap().to_owned();
        let size = |bytes: &Bytes| format!("\"size\":{}", bytes.len());
        let value = text.replace(&old.to_string(), &digest.to_string());
        let value = value.replace(&size(&json), &size(&forged));
        if key.as_str().starts_with(&format!("digests/{name}/")) {
            let to = key.as_str().replace(&old.to_hex(), &digest.to_hex());
            changes.push(put(&to, value));
        } else if text.contains(&old.to_string()) {
            changes.push(put(key.as_str(), value));
        }
    }
    assert_eq!(larder.store().commit(&changes).unwrap(), Committed::All);
}

fn put(key: &str, value: String) -> Change {
    let key = RecordKey::new(key).unwrap();
    Change::PutRecord { key, value: value.into(), expected: Expected::Anything }
}

fn one_user() -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("words", &words("english", 10)).unwrap();
    larder.apply("encoder", &encoder(Ref::to("words").unwrap())).unwrap();
    larder
}

#[test]
fn a_reference_that_its_manifest_does_not_list_is_corrupt() {
    let larder = one_user();
    forge(&larder, "encoder", |json| {
        let at = json.find(r#","children""#).unwrap();
        format!("{}}}", &json[..at])
    });
    let error = larder.load::<Encoder>("encoder").unwrap_err();
    assert!(message(&error).contains("not list"), "{error:?}");
}

#[test]
fn a_list_that_names_what_is_not_there_is_found_and_harms_nothing() {
    let larder = one_user();
    let none = Digest::of(b"none");
    forge(&larder, "encoder", |json| {
        let more = format!(r#""children":[{{"name":"nobody","manifest":"{none}"}},"#);
        json.replace(r#""children":["#, &more)
    });
    let loaded: Encoder = larder.load("encoder").unwrap();
    assert_eq!(loaded.words.get().unwrap().language, "english");
    let uses = larder.uses("encoder").unwrap();
    assert_eq!((uses[0].name.as_str(), uses[0].version), ("nobody", None));
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    assert!(findings.iter().any(|it| it.fault.contains("nobody")), "{findings:?}");
    larder.maintenance().gc(&larder::maintenance::GcOptions::new()).unwrap();
    let target = larder::open("memory:").unwrap();
    let only = ["encoder".parse().unwrap()];
    let error = larder.maintenance().copy(&only, &target, &CopyOptions::new()).unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    assert_eq!(records(&target), [""; 0]);
}

#[test]
fn keys_and_values_of_children_that_cannot_be_are_refused() {
    for (from, to) in [
        (r#""name":"words""#, r#""name":"../words""#),
        (r#""name":"words""#, r#""name":"words","size":1"#),
        (r#""manifest":"b3:"#, r#""manifest":"B3:"#),
        (r#"{"$component":"words","#, r#"{"$component":"words","more":1,"#),
        (r#"{"$component":"words","#, r#"{"$component":"words/other","#),
    ] {
        let larder = one_user();
        forge(&larder, "encoder", |json| {
            assert!(json.contains(from), "{json}");
            json.replace(from, to)
        });
        let error = larder.load::<Encoder>("encoder").unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. } | Error::Decode { .. }), "{to}: {error}");
    }
}

#[test]
fn forged_users_keep_nothing_from_being_removed_and_lists_of_users_are_checked() {
    let larder = one_user();
    let words = larder.show("words").unwrap().version.digest;
    let key = |name: &str, number: u64| {
        let user = larder::store::Digest::of(name.as_bytes()).to_hex();
        format!("users/words/@{}-{user:.32}-{number:010}", words.to_hex())
    };
    let user = |name: &str, number: u64| {
        format!(r#"{{"larder":1,"name":"{name}","version":{number},"manifest":"{}"}}"#, words)
    };
    // Of a version that is another, and of one that its name has gone past.
    larder.apply("other", &Pipeline::default()).unwrap();
    let changes =
        [put(&key("other", 1), user("other", 1)), put(&key("words", 1), user("words", 1))];
    assert_eq!(larder.store().commit(&changes).unwrap(), Committed::All);
    assert_eq!(pins(&larder.used_by("words").unwrap()), ["encoder@1", "words@1"]);
    larder.remove("encoder@1").unwrap();
    larder.remove("words@1").unwrap();

    // One that cannot be read, or is of another key, is found, and keeps what it is about.
    for damaged in ["{}".to_owned(), user("other", 3)] {
        let larder = one_user();
        let damaged = [put(&key("words", 3), damaged)];
        assert_eq!(larder.store().commit(&damaged).unwrap(), Committed::All);
        assert!(matches!(larder.used_by("words"), Err(Error::Corrupt { .. })));
        assert_eq!(larder.maintenance().health().unwrap().damaged.len(), 1);
        assert!(larder.remove("words@1").is_err());
        larder.remove_with("words@1", &RemoveOptions::new().force(true)).unwrap();
    }
}

#[test]
fn a_chain_of_a_thousand_versions_is_followed_without_recursion() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("chain", &Pipeline::default()).unwrap();
    for _ in 0..1_000 {
        let on = Pipeline { others: vec![Ref::to("chain").unwrap()], stages: vec![] };
        larder.apply("chain", &on).unwrap();
    }
    let only = ["chain".parse().unwrap()];
    assert_eq!(larder.maintenance().verify(&only).unwrap().findings, []);
    larder.maintenance().gc(&larder::maintenance::GcOptions::new()).unwrap();
    let target = larder::open("memory:").unwrap();
    larder.maintenance().copy(&only, &target, &CopyOptions::new()).unwrap();
    assert_eq!(numbers(&target, "chain").len(), 1_001);
}
