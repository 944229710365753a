//! Every kind of record in the table: `verify` finds one that is damaged, missing or foreign.

use std::collections::BTreeSet;
use std::time::Duration;

use larder::Selection;
use larder::jobs::{JobStatus, JobsQuery, LarderJobs};
use larder::maintenance::{CopyOptions, GcOptions, LarderMaintenance};
use larder::prelude::*;
use larder::search::{LarderSearch, Query};
use larder::serving::LarderDeployments;
use larder::store::{Change, Committed, Expected, RecordKey, RecordKind, StoreExt};

use super::samples::{Sample, jobs, key, sample, versions};

fn commit(larder: &Larder, change: Change) {
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

fn put(larder: &Larder, key: &RecordKey, value: &str) {
    let (key, value) = (key.clone(), value.to_owned().into());
    commit(larder, Change::PutRecord { key, value, expected: Expected::Anything });
}

fn remove(larder: &Larder, key: &RecordKey) {
    commit(larder, Change::RemoveRecord { key: key.clone(), expected: Expected::Anything });
}

/// The findings of `verify` and `health`, as `what: fault`.
fn found(larder: &Larder) -> [Vec<String>; 2] {
    let verified = larder.maintenance().verify(Selection::All).unwrap().findings;
    let damaged = larder.maintenance().health().unwrap().damaged;
    [verified, damaged]
        .map(|all| all.iter().map(|it| format!("{}: {}", it.what, it.fault)).collect())
}

fn is_named(findings: &[String], key: &RecordKey) -> bool {
    let what = format!("the record {key}: ");
    findings.iter().any(|finding| finding.starts_with(&what))
}

#[test]
fn every_kind_is_registered() {
    let names: BTreeSet<_> = RecordKind::all().iter().map(RecordKind::name).collect();
    let expected = [
        "about",
        "annotations",
        "cron",
        "deployment",
        "digest",
        "draft",
        "exclusive",
        "garbage",
        "job",
        "joined",
        "log",
        "made",
        "move",
        "name",
        "queue",
        "review",
        "tag",
        "user",
        "version",
    ];
    assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
}

#[test]
fn a_sound_record_of_every_kind_passes() {
    for kind in RecordKind::all() {
        let Sample { larder, key, .. } = sample(kind);
        assert_eq!(found(&larder).concat(), [""; 0], "{kind:?}");
        assert_eq!(RecordKind::of(&key).unwrap().name(), kind.name());
        let owner = kind.owner(&key).unwrap();
        assert!(owner.is_none_or(|name| key.as_str().contains(name.as_str())), "{kind:?}");
    }
}

#[test]
fn a_damaged_record_of_every_kind_is_found() {
    for kind in RecordKind::all() {
        for bad in ["", "{", "[]", "{\"larder\":1,\"unknown\":true}", "{\"larder\":2}"] {
            let Sample { larder, key, .. } = sample(kind);
            put(&larder, &key, bad);
            for findings in found(&larder) {
                assert!(is_named(&findings, &key), "{kind:?} {bad:?}: {findings:?}");
            }
        }
    }
}

#[test]
fn a_missing_record_is_found_where_another_requires_it() {
    for kind in RecordKind::all() {
        let Sample { larder, key, is_missed, .. } = sample(kind);
        remove(&larder, &key);
        let [findings, _] = found(&larder);
        let names_it = |finding: &String| {
            finding.contains(&format!("there is no record {key}"))
                || finding.contains(&format!("has no record {key}"))
                || finding.contains("which is not there")
        };
        assert_eq!(findings.iter().any(names_it), is_missed, "{kind:?}: {findings:?}");
        assert_eq!(findings.is_empty(), !is_missed, "{kind:?}: {findings:?}");
    }
}

#[test]
fn a_foreign_record_of_every_kind_is_found() {
    for kind in RecordKind::all() {
        let Sample { larder, key: own, foreign, .. } = sample(kind);
        let value = larder.store().get_record(&own).unwrap().unwrap().value;
        for foreign in foreign {
            let foreign = key(&foreign);
            put(&larder, &foreign, std::str::from_utf8(&value).unwrap());
            for findings in found(&larder) {
                assert!(is_named(&findings, &foreign), "{kind:?} {foreign}: {findings:?}");
                assert_eq!(findings.len(), 1, "{kind:?} {foreign}: {findings:?}");
            }
            remove(&larder, &foreign);
        }
    }
}

/// Everything that readers tell of a larder, errors included.
fn told(larder: &Larder) -> Vec<String> {
    let mut told = Vec::new();
    let names: Vec<_> = larder.list().collect();
    told.push(format!("{names:?}"));
    for name in ["held", "holder", "zone", "a", "b"] {
        told.push(format!("{:?}", larder.versions(name)));
        told.push(format!("{:?}", larder.maintenance().removed(name)));
        told.push(format!("{:?}", larder.show(name)));
        told.push(format!("{:?}", larder.tags().of(name)));
        told.push(format!("{:?}", larder.tags().history(name, "prod")));
        told.push(format!("{:?} {:?}", larder.uses(name), larder.used_by(name)));
        let digest = larder.show(name).map(|shown| shown.version.digest.to_string());
        let by_digest = digest.map(|digest| larder.show(format!("{name}@{digest:.20}")));
        told.push(format!("{by_digest:?}"));
    }
    let tagged = Query::new().all_versions().filter("tag = 'prod'".parse().unwrap());
    for query in [Query::new(), Query::new().all_versions(), tagged] {
        told.push(format!("{:?}", larder.search(&query).map(Iterator::collect::<Vec<_>>)));
    }
    for query in [JobsQuery::new(), JobsQuery::new().status(JobStatus::Pending)] {
        let jobs: Vec<_> = larder.jobs().list(&query).collect();
        for job in jobs.iter().flatten() {
            told.push(format!("{:?}", larder.jobs().log(&job.id)));
        }
        told.push(format!("{jobs:?}"));
    }
    told.push(format!("{:?}", larder.deployments()));
    let to = larder::open("memory:").unwrap();
    let copied = larder.maintenance().copy(Selection::All, &to, &CopyOptions::new());
    told.push(format!("{copied:?}"));
    told
}

#[test]
fn a_foreign_record_of_every_kind_is_ignored_by_every_reader() {
    for kind in RecordKind::all() {
        let Sample { larder, key: own, foreign, .. } = sample(kind);
        let before = told(&larder);
        let value = larder.store().get_record(&own).unwrap().unwrap().value;
        for foreign in foreign {
            let foreign = key(&foreign);
            for value in [std::str::from_utf8(&value).unwrap(), "no JSON"] {
                put(&larder, &foreign, value);
                for (before, after) in before.iter().zip(told(&larder)) {
                    assert_eq!(*before, after, "{kind:?} {foreign}");
                }
            }
            remove(&larder, &foreign);
        }
    }
}

#[test]
fn a_record_of_no_kind_is_found() {
    let larder = versions();
    for foreign in ["memos/held", "name/held", "x"].map(key) {
        put(&larder, &foreign, "{\"larder\":1}");
        for findings in found(&larder) {
            assert!(is_named(&findings, &foreign), "{findings:?}");
        }
        remove(&larder, &foreign);
    }
}

#[test]
fn what_belongs_to_a_version_that_is_not_there_is_found() {
    for (record, copy) in [
        ("notes/held/@0000000001", "notes/held/@0000000077"),
        ("tags/held/@prod", "tags/other/@prod"),
        ("moves/held/@prod/@0000000001", "moves/other/@prod/@0000000001"),
    ] {
        let larder = versions();
        let value = larder.store().get_record(&key(record)).unwrap().unwrap().value;
        put(&larder, &key(copy), std::str::from_utf8(&value).unwrap());
        let [findings, _] = found(&larder);
        assert!(is_named(&findings, &key(copy)), "{findings:?}");
    }
    let larder = jobs();
    for prefix in ["jobs/", "logs/", "made/"] {
        let (own, found_there) = larder.store().list_records(prefix, None, 1).unwrap().remove(0);
        let copy = key(&own.as_str().replacen("/a/", "/other/", 1));
        put(&larder, &copy, std::str::from_utf8(&found_there.value).unwrap());
        let [findings, _] = found(&larder);
        assert!(is_named(&findings, &copy), "{findings:?}");
    }
}

/// Removes the records of every kind that keeps blobs but `kept`, and collects at once.
fn collect_but(larder: &Larder, kept: Option<&RecordKind>) {
    for kind in RecordKind::all().iter().filter(|kind| kind.list_roots().is_some()) {
        if kept.is_some_and(|kept| kept.name() == kind.name()) {
            continue;
        }
        let records: Result<Vec<_>, _> = larder.store().records(kind.prefix()).collect();
        records.unwrap().iter().for_each(|(key, _)| remove(larder, key));
    }
    let at_once = GcOptions::new().grace(Duration::ZERO).exclusive(true);
    for _ in 0..2 {
        larder.maintenance().gc(&at_once).unwrap();
    }
}

#[test]
fn each_kind_that_keeps_blobs_keeps_them_without_the_others() {
    let mut kinds = 0;
    for kind in RecordKind::all() {
        let Some(list_roots) = kind.list_roots() else { continue };
        kinds += 1;
        let larder = sample(kind).larder;
        let records: Result<Vec<_>, _> = larder.store().records(kind.prefix()).collect();
        let roots =
            records.unwrap().into_iter().flat_map(|(key, it)| list_roots(&key, &it).unwrap());
        let live: Vec<_> =
            roots.filter(|root| root.removed.is_none()).map(|root| root.manifest).collect();
        assert!(!live.is_empty(), "{kind:?}");
        collect_but(&larder, Some(kind));
        assert!(larder.store().stat_blobs(&live).unwrap().iter().all(Option::is_some), "{kind:?}");
        collect_but(&larder, None);
        assert!(larder.store().stat_blobs(&live).unwrap().iter().all(Option::is_none), "{kind:?}");
    }
    assert!(kinds >= 3);
}
