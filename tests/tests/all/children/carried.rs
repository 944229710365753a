//! Children follow their parents: into other larders, and past the collector.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::versions::RemoveOptions;
use std::time::Duration;

use larder::archive::{Form, Limits};
use larder::maintenance::{GcOptions, MirrorOptions};

use super::*;

#[test]
fn a_copy_of_a_parent_takes_its_children_along() {
    everywhere(|larder| {
        larder.apply("other", &words("other", 1)).unwrap();
        larder.apply("words", &words("first", 1)).unwrap(); // so that numbers differ
        larder.apply("pipeline", &diamond("english")).unwrap();
        let target = larder::open("memory:").unwrap();
        target.apply("words", &words("own", 1)).unwrap();
        target.apply("words", &words("own", 2)).unwrap();
        let copied = larder
            .maintenance()
            .copy(["pipeline".parse().unwrap()], &target, &CopyOptions::new())
            .unwrap();
        let names: Vec<_> =
            copied.versions.iter().map(|it| it.version.identifier.to_string()).collect();
        assert_eq!(names, ["words", "encoder", "more", "pipeline"]); // children first
        let pipeline: Pipeline = target.load("pipeline").unwrap();
        let [Stage::Encode(encoder), ..] = &pipeline.stages[..] else { panic!() };
        assert_eq!(encoder.get().unwrap().words.get().unwrap().list.get().unwrap().len(), 100_000);
        assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
        assert_eq!(pins(&target.used_by("words:latest").unwrap()), ["encoder@1", "pipeline@1"]);
        assert!(target.remove("words:latest").is_err());
        let again = larder
            .maintenance()
            .copy(["pipeline".parse().unwrap()], &target, &CopyOptions::new())
            .unwrap();
        assert_eq!(again.bytes, 0);

        let all = larder::open("memory:").unwrap();
        larder.maintenance().copy(Selection::All, &all, &CopyOptions::new()).unwrap();
        assert_eq!(all.list().count(), 5);
        assert_eq!(records(&all).len(), records(larder).len());
    });
}

#[test]
fn names_that_refer_to_each_other_in_turn_are_copied() {
    everywhere(|larder| {
        let on = |reference: &str| Pipeline {
            others: vec![Ref::to(reference).unwrap()],
            stages: vec![],
        };
        larder.apply("a", &Pipeline::default()).unwrap();
        larder.apply("b", &on("a@1")).unwrap();
        larder.apply("a", &on("b@1")).unwrap();
        larder.apply("b", &on("a@2")).unwrap();
        for selection in [Selection::All, ["b".parse::<larder::Reference>().unwrap()].into()] {
            let target = larder::open("memory:").unwrap();
            larder.maintenance().copy(selection, &target, &CopyOptions::new()).unwrap();
            assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
            assert_eq!((numbers(&target, "a"), numbers(&target, "b")), (vec![1, 2], vec![1, 2]));
            assert!(target.remove("a@1").is_err());
        }
    });
}

#[test]
fn an_archive_holds_the_children_of_what_is_exported() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("pipeline", &diamond("english")).unwrap();
    let here = tempfile::tempdir().unwrap();
    let path = here.path().join("pipeline.tar");
    let only = ["pipeline".parse().unwrap()];
    let outline = larder.maintenance().outline(&only, false).unwrap();
    assert_eq!(outline.records.keys().filter(|key| key.as_str().starts_with("names/")).count(), 4);
    larder::archive::export(&larder, &only, false, &path, Form::of(&path).unwrap()).unwrap();
    let target = larder::open("memory:").unwrap();
    let opened = larder::archive::open(&path, &Limits::default()).unwrap();
    opened.larder().maintenance().copy(Selection::All, &target, &CopyOptions::new()).unwrap();
    let encoder: Encoder = target.load("encoder").unwrap();
    assert_eq!(encoder.words.get().unwrap().language, "english");
    assert_eq!(target.maintenance().verify(Selection::All).unwrap().findings, []);
    assert!(target.remove("words@1").is_err());
}

#[test]
fn what_was_loaded_from_one_larder_is_applied_to_another_with_its_children() {
    let (from, to) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    from.apply("pipeline", &diamond("english")).unwrap();
    let loaded: Pipeline = from.load("pipeline").unwrap();
    to.apply("elsewhere", &loaded).unwrap();
    assert_eq!(to.list().count(), 4);
    let digest = |larder: &Larder, name: &str| larder.show(name).unwrap().version.digest;
    assert_eq!(digest(&from, "pipeline"), digest(&to, "elsewhere"));
    assert_eq!(to.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn the_collector_keeps_what_is_used_and_takes_the_rest() {
    let larder = larder::open("memory:").unwrap();
    larder.apply("pipeline", &diamond("english")).unwrap();
    larder.apply("words", &words("french", 70_000)).unwrap();
    larder.remove_with("words@1", &RemoveOptions::new().force(true)).unwrap();
    larder.remove("words@2").unwrap();
    let before = larder.store().blobs().count();
    let options = GcOptions::new().grace(Duration::from_secs(1));
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(1_100));
        larder.maintenance().gc(&options).unwrap();
    }
    assert_eq!(larder.store().blobs().count(), before - 2); // the French list and its manifest
    larder.maintenance().restore("words@1").unwrap();
    let encoder: Encoder = larder.load("encoder").unwrap();
    assert_eq!(encoder.words.get().unwrap().list.get().unwrap().len(), 100_000);
    assert!(matches!(larder.maintenance().restore("words@2"), Err(Error::Blocked { .. })));
}

#[test]
fn verify_of_a_parent_reads_its_children_and_repair_takes_good_copies_of_them() {
    let (larder, copy) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    larder.apply("pipeline", &diamond("english")).unwrap();
    larder.maintenance().copy(Selection::All, &copy, &CopyOptions::new()).unwrap();
    let only = ["pipeline".parse().unwrap()];
    let sound = larder.maintenance().verify(&only).unwrap();
    assert_eq!((sound.versions, sound.blobs, sound.findings.len()), (1, 6, 0));
    let list = larder.show("words").unwrap().manifest.artifacts()[0].digest;
    let words = larder.show("words").unwrap().version.digest;
    larder.store().remove_blobs(&[list, words]).unwrap();
    let checked = larder.maintenance().verify(&only).unwrap();
    assert_eq!(checked.findings.len(), 1, "{checked:?}"); // the manifest; the list stands in it
    let repaired = larder.maintenance().repair(&checked, &**copy.store()).unwrap();
    assert_eq!((repaired.repaired.len(), repaired.not_found.len()), (2, 0));
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn a_mirror_removes_users_before_what_they_use_and_restores_the_other_way_around() {
    let (from, to) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    from.apply("pipeline", &diamond("english")).unwrap();
    let options = MirrorOptions::new().delete(true);
    from.maintenance().mirror(&to, &options).unwrap();
    for gone in ["pipeline@1", "encoder@1", "words@1"] {
        to.remove(gone).unwrap();
    }
    assert_eq!(from.maintenance().mirror(&to, &options).unwrap().restored.len(), 3);
    assert_eq!(to.maintenance().verify(Selection::All).unwrap().findings, []);
    assert_eq!(pins(&to.used_by("words").unwrap()), ["encoder@1", "pipeline@1"]);
    for gone in ["pipeline@1", "encoder@1", "words@1"] {
        from.remove(gone).unwrap();
    }
    assert_eq!(from.maintenance().mirror(&to, &options).unwrap().removed.len(), 3);
    assert_eq!(to.list().count(), 1);
}

#[test]
fn a_plan_counts_the_bytes_of_children_and_writes_and_pins_nothing() {
    let larder = larder::open("memory:").unwrap();
    let pipeline = diamond("english");
    let plan = larder.plan("pipeline", &pipeline).unwrap();
    assert!(plan.created && plan.stored > 100_000, "{plan:?}");
    assert_eq!((records(&larder), larder.store().blobs().count()), (vec![], 0));
    let Stage::Look { up: Some(words) } = &pipeline.stages[1] else { panic!() };
    assert_eq!(words.digest(), None);
    larder.apply("pipeline", &pipeline).unwrap();
    assert!(words.digest().is_some());
    assert!(!larder.plan("pipeline", &pipeline).unwrap().created);
}
