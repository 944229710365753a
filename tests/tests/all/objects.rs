//! Values by name and tag, without a component type of their own.

use larder::Selection;
use larder::serializers::LarderObjects;
use std::collections::BTreeMap;

use larder::Error;
use larder::prelude::*;
use larder::serializers::Json;
use larder::store::StoreExt;
use larder_tests::errors::refused;

fn everywhere(test: impl Fn(&Larder)) {
    for scheme in ["sqlite", "fs", "memory"] {
        let here = tempfile::tempdir().unwrap();
        let place = here.path().join("larder").display().to_string();
        let place = if scheme == "memory" { "" } else { &place };
        test(&larder::open(&format!("{scheme}:{place}")).unwrap());
    }
}

fn limits(last: f64) -> BTreeMap<String, Vec<f64>> {
    BTreeMap::from([("acid".into(), vec![0.5, f64::INFINITY]), ("alcohol".into(), vec![last])])
}

#[test]
fn a_value_comes_back_by_its_tag_and_the_newest_by_latest() {
    everywhere(|larder| {
        assert!(larder.store_object("limits", "prod", &limits(1.0)).unwrap().is_created());
        assert!(larder.store_object("limits", "staging", &limits(2.0)).unwrap().is_created());
        assert_eq!(larder.load_object::<BTreeMap<_, _>>("limits", "prod").unwrap(), limits(1.0));
        assert_eq!(larder.load_object::<BTreeMap<_, _>>("limits", "staging").unwrap(), limits(2.0));
        assert_eq!(larder.load_object::<BTreeMap<_, _>>("limits", "latest").unwrap(), limits(2.0));
        assert!(!larder.store_object("limits", "prod", &limits(2.0)).unwrap().is_created());
        assert_eq!(larder.load_object::<BTreeMap<_, _>>("limits", "prod").unwrap(), limits(2.0));
        assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
    });
}

#[test]
fn latest_is_no_tag_in_any_letter_case_and_nothing_is_written() {
    everywhere(|larder| {
        for (name, tag) in [
            ("limits", "latest"),
            ("limits", "Latest"),
            ("limits", "LATEST"),
            ("limits", "../prod"),
            ("limits", "7"),
            ("limits", ""),
            ("limits", "prod\n"),
            ("../limits", "prod"),
            ("/limits", "prod"),
            ("limits:prod", "prod"),
        ] {
            let error = larder.store_object(name, tag, &1).unwrap_err();
            assert!(matches!(error, Error::InvalidName { .. }), "{name} {tag}: {error}");
        }
        assert_eq!(larder.store().records("").count(), 0);
        assert_eq!(larder.store().blobs().count(), 0);
        larder.store_object("limits", "prod", &1).unwrap();
        assert!(matches!(
            larder.load_object::<u8>("limits", "LATEST"),
            Err(Error::InvalidName { .. })
        ));
    });
}

#[test]
fn names_and_tags_that_would_meet_when_joined_do_not_meet() {
    everywhere(|larder| {
        larder.store_object("a_b", "c", &1).unwrap();
        larder.store_object("a", "b_c", &2).unwrap();
        assert_eq!(larder.load_object::<i32>("a_b", "c").unwrap(), 1);
        assert_eq!(larder.load_object::<i32>("a", "b_c").unwrap(), 2);
    });
}

#[test]
fn what_is_not_there_or_of_another_kind_is_a_clear_error() {
    everywhere(|larder| {
        larder.store_object("limits", "prod", &vec![1, 2]).unwrap();
        assert!(matches!(larder.load_object::<u8>("limits", "dev"), Err(Error::NotFound { .. })));
        assert!(matches!(larder.load_object::<u8>("limit", "prod"), Err(Error::NotFound { .. })));
        let error = larder.load_object::<String>("limits", "prod").unwrap_err();
        assert!(matches!(error, Error::Decode { .. }), "{error}");
        let error = larder.load_component("limits").unwrap_err();
        assert!(refused(&error).1.contains("`load_object`"), "{error}");
        larder.apply("files", &Tree::read("Cargo.toml").unwrap()).unwrap();
        let error = larder.load_object::<u8>("files", "latest").unwrap_err();
        assert!(matches!(error, Error::WrongType { .. }), "{error}");
    });
}

#[test]
fn a_value_is_read_by_the_serializer_that_wrote_it() {
    everywhere(|larder| {
        larder.store_object_as::<_, Json>("limits", "prod", &vec![1, 2]).unwrap();
        assert_eq!(larder.show("limits").unwrap().manifest.artifacts()[0].serializer, "json");
        assert_eq!(larder.load_object::<Vec<i32>>("limits", "prod").unwrap(), [1, 2]);
    });
}
