//! Notes: descriptions, labels, metrics.

use std::mem;
use std::sync::{Arc, Mutex};

use larder::store::{Change, MemoryStore};
use larder::versions::{Annotations, AnnotationsChange};
use larder::{ApplyOptions, Error, Larder, Registry};
use larder_tests::{Doubler, stepwise::Stepwise};

use super::{THREADS, apply, assert_refused, everywhere, larder, race, record, set_record};

fn change() -> AnnotationsChange {
    AnnotationsChange::new()
}

#[test]
fn notes_are_set_and_removed_one_by_one_and_the_version_stays_as_it_is() {
    let larder = larder();
    apply(&larder, "wine", 2);
    let version = record(&larder, "versions/wine/@0000000001");
    assert_eq!(larder.annotations("wine@1").unwrap(), Annotations::default());
    larder
        .annotate(
            "wine@1",
            &change()
                .description("first")
                .label("team", "cellar")
                .metric("f1", 0.5)
                .metric("n", 3.0),
        )
        .unwrap();
    let notes = larder
        .annotate("wine@1", &change().label("team", "press").label("a/b", "").remove_metric("n"))
        .unwrap();
    assert_eq!(larder.annotations("wine@1").unwrap(), notes);
    assert_eq!(
        record(&larder, "notes/wine/@0000000001").unwrap(),
        r#"{"larder":1,"description":"first","labels":{"a/b":"","team":"press"},"metrics":{"f1":0.5}}"#
    );
    larder.annotate("wine@1", &change().remove_description().remove_label("none")).unwrap();
    assert_eq!(larder.annotations("wine@1").unwrap().description, None);
    assert_eq!(
        larder.annotations("wine@2").unwrap(),
        Annotations::default(),
        "each version has its own"
    );
    assert_eq!(larder.show("wine@1").unwrap().annotations.labels["team"], "press");
    assert_eq!(record(&larder, "versions/wine/@0000000001"), version);
}

#[test]
fn an_apply_annotates_its_version_in_the_same_commit() {
    let store = MemoryStore::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let stepwise = Stepwise::new(&store, move |_, changes, at| {
        if at == 0 {
            told.lock().unwrap().push(changes.to_vec());
        }
        Ok(true)
    });
    let larder = Larder::new(Arc::new(stepwise), Registry::linked().unwrap());
    let apply = |factor, change| {
        let options = ApplyOptions::new().annotate(change);
        larder.apply_with("wine", &Doubler { factor }, &options)
    };
    apply(1.0, change().description("first").metric("f1", 0.5)).unwrap();
    let commits = mem::take(&mut *seen.lock().unwrap());
    let keys = |changes: &[Change]| -> Vec<String> {
        let key = |change: &Change| match change {
            Change::PutRecord { key, .. } => Some(key.to_string()),
            _ => None,
        };
        changes.iter().filter_map(key).collect()
    };
    let keys: Vec<Vec<String>> = commits.iter().map(|changes| keys(changes)).collect();
    let [keys] = &*keys else { panic!("{keys:?}") };
    let place = |key: &str| keys.iter().position(|it| it == key).unwrap();
    let (version, notes) = (place("versions/wine/@0000000001"), place("notes/wine/@0000000001"));
    assert!(version < notes && notes < place("names/wine"), "{keys:?}");
    assert_eq!(larder.annotations("wine@1").unwrap().metrics["f1"], 0.5);

    // The same content again: its version gets the rest.
    let again = apply(1.0, change().label("team", "cellar")).unwrap();
    assert!(!again.is_created());
    let notes = larder.annotations("wine@1").unwrap();
    assert_eq!((notes.description.as_deref(), &*notes.labels["team"]), (Some("first"), "cellar"));

    let error = apply(2.0, change().metric("loss", f64::NAN)).unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error:?}");
    let many = (0..65).fold(change(), |change, at| change.metric(format!("m{at}"), 1.0));
    assert_refused(apply(2.0, many), "65 metrics");
    assert_eq!(larder.versions("wine").unwrap().len(), 1, "nothing was written");
}

#[test]
fn every_finite_metric_comes_back_to_the_last_bit() {
    let larder = larder();
    apply(&larder, "wine", 1);
    let metrics = [0.1 + 0.2, f64::MIN_POSITIVE / 3.0, -0.0, f64::MAX, 1.0 / 3.0];
    for (at, metric) in metrics.into_iter().enumerate() {
        larder.annotate("wine", &change().metric(format!("m{at}"), metric)).unwrap();
        let back = larder.annotations("wine").unwrap().metrics[&format!("m{at}")];
        assert_eq!(back.to_bits(), metric.to_bits());
    }
}

#[test]
fn what_notes_cannot_hold_is_refused_and_nothing_is_written() {
    let larder = larder();
    apply(&larder, "wine", 1);
    let invalid = [
        change().metric("loss", f64::NAN),
        change().metric("loss", f64::INFINITY),
        change().metric("", 1.0),
        change().label("-a", "x"),
        change().label("a b", "x"),
        change().label("größe", "x"),
        change().label("a".repeat(201), "x"),
        change().label("a", "x".repeat(1001)),
        change().description("x".repeat(4097)),
    ];
    for change in invalid {
        let error = larder.annotate("wine", &change).unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{error:?}");
    }
    let many = (0..65).fold(change(), |change, at| change.metric(format!("m{at}"), 1.0));
    assert_refused(larder.annotate("wine", &many), "65 metrics");
    assert_eq!(record(&larder, "notes/wine/@0000000001"), None);
    for gone in ["wine@2", "beer", "wine:prod"] {
        let error = larder.annotate(gone, &change().label("a", "b")).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
}

#[test]
fn notes_of_a_removed_version_stay_with_its_record() {
    let larder = larder();
    apply(&larder, "wine", 2);
    larder.annotate("wine@1", &change().label("team", "cellar")).unwrap();
    let before = record(&larder, "notes/wine/@0000000001");
    larder.remove("wine@1").unwrap();
    assert!(before.is_some() && record(&larder, "notes/wine/@0000000001") == before);
    let error = larder.annotations("wine@1").unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    larder.remove("wine@2").unwrap();
    assert_eq!(record(&larder, "notes/wine/@0000000002"), None, "a removal writes no notes");
}

#[test]
fn damaged_notes_are_an_error_that_names_them() {
    let larder = larder();
    apply(&larder, "wine", 1);
    set_record(&larder, "notes/wine/@0000000001", Some(r#"{"larder":1,"label":{}}"#));
    let error = larder.annotations("wine").unwrap_err();
    let Error::Corrupt { what, .. } = &error else { panic!("{error:?}") };
    assert!(what.contains("notes/wine/@0000000001"), "{what}");
    set_record(&larder, "notes/wine/@0000000001", Some(r#"{"larder":2,"stars":5}"#));
    let error = larder.annotations("wine").unwrap_err();
    assert!(matches!(error, Error::NewerFormat { found: 2, .. }), "{error:?}");
}

#[test]
fn many_who_set_different_labels_of_one_version_lose_none() {
    const EACH: usize = 5;
    let entry = |larder: &Larder, thread: usize, round: usize| {
        let change = change().label(format!("l{thread}-{round}"), thread.to_string());
        larder.annotate("wine", &change.metric(format!("m{thread}-{round}"), round as f64))
    };
    everywhere(|open| {
        apply(&open(), "wine", 1);
        race(THREADS, |thread| {
            let larder = open();
            for round in 0..EACH {
                entry(&larder, thread, round).unwrap();
            }
        });
        let notes = open().annotations("wine").unwrap();
        assert_eq!((notes.labels.len(), notes.metrics.len()), (THREADS * EACH, THREADS * EACH));
        assert_eq!(notes.labels["l7-4"], "7");
    });
}
