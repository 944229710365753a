//! Rules for readers of a folder.

use std::fs;

use larder::maintenance::LarderMaintenance;
use larder::prelude::*;
use larder::store::{Digest, StoreExt};
use larder::{Error, Selection};
use larder_tests::Doubler;

#[test]
fn refuses_a_folder_of_a_newer_format() {
    let here = tempfile::tempdir().unwrap();
    let url = format!("fs:{}", here.path().display());
    larder::open(&url).unwrap().apply("a", &Doubler { factor: 2.0 }).unwrap();
    fs::write(here.path().join("larder.json"), r#"{"larder":2,"store":"fs","more":true}"#).unwrap();
    let error = larder::open(&url).unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn ignores_what_is_not_of_the_layout_of_a_folder() {
    let here = tempfile::tempdir().unwrap();
    let url = format!("fs:{}", here.path().display());
    let larder = larder::open(&url).unwrap();
    larder.apply("a", &Doubler { factor: 2.0 }).unwrap();
    let all = |larder: &Larder| {
        let records: Vec<_> = larder.store().records("").map(|found| found.unwrap().0).collect();
        let blobs: Vec<_> = larder.store().blobs().map(Result::unwrap).collect();
        (records, blobs)
    };
    let before = all(&larder);
    let hex = Digest::of(b"x").to_hex();
    for path in [
        "README".to_owned(),
        "tmp/half".into(),
        "blobs/tmp/half".into(),
        "blobs/README".into(),
        format!("blobs/{hex}"),
        format!("blobs/00/{hex}"),
        format!("blobs/{}/{}", &hex[..2], &hex[..63]),
        format!("blobs/{}/{}", &hex[..2], hex.to_uppercase()),
        "records/names/b".into(),
        "records/names/B.json".into(),
        "records/names/.b.json".into(),
        "records/names/b.json~".into(),
        "records/names/b.json/c.json".into(),
        "records/names/b%/c.json".into(),
        "records/.hidden/b.json".into(),
        "records/names/two words.json".into(),
    ] {
        let path = here.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    let larder = larder::open(&url).unwrap();
    assert_eq!(all(&larder), before);
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}
