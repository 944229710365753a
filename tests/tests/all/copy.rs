//! Copying versions from one larder to another, whatever stores they are in.

use larder::Selection;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use larder::bytes::Bytes;
use larder::maintenance::{CopyOptions, CopyOutcome};
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::store::{Corruption, Remedy, StoreExt, VersionNumber};
use larder::{Error, Identifier, Reference};
use tempfile::TempDir;

mod bounded;
mod broken;
mod mirror;

const STORES: [&str; 3] = ["memory:", "sqlite:larder.db", "fs:shelf"];

/// A larder in a folder of its own.
pub(crate) struct Place {
    pub(crate) larder: Larder,
    _folder: TempDir,
}

pub(crate) fn place(store: &str) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = match store.split_once(':').unwrap() {
        ("memory", _) => store.to_owned(),
        (scheme, path) => format!("{scheme}:{}", folder.path().join(path).display()),
    };
    let clock = || SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
    Place { larder: larder::open(&url).unwrap().with_clock(clock), _folder: folder }
}

/// Runs `test` from every store to every store.
fn everywhere(test: impl Fn(&Larder, &Larder)) {
    for from in STORES {
        for to in STORES {
            let (from, to) = (place(from), place(to));
            test(&from.larder, &to.larder);
        }
    }
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/weights")]
pub(crate) struct Weights {
    layer: u64,
    shared: Artifact<Bytes, RawBytes>,
    pub(crate) own: Artifact<Bytes, RawBytes>,
}

/// A version with a large blob that all share, and a small one of its own.
pub(crate) fn weights(layer: u64) -> Weights {
    Weights {
        layer,
        shared: Artifact::new(Bytes::from(vec![7; 300_000])),
        own: Artifact::new(Bytes::from(vec![layer as u8; 1_000])),
    }
}

/// `net` in three versions, of which the second is removed, `other/net` in one; two tags.
pub(crate) fn stocked(larder: &Larder) {
    for layer in 1..=3 {
        larder.apply("net", &weights(layer)).unwrap();
    }
    larder.apply("other/net", &weights(9)).unwrap();
    larder.tag("net@1", "prod").unwrap();
    larder.tag("other/net", "new").unwrap();
    larder.remove("net@2").unwrap();
}

fn options() -> CopyOptions {
    CopyOptions::new()
}

fn references(texts: &[&str]) -> Vec<Reference> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The outcome of each version, as `net@3 -> v3 copied`.
fn told(copied: &larder::maintenance::CopyReport) -> Vec<String> {
    let told = |it: &larder::maintenance::CopiedVersion| {
        format!("{} -> {} {:?}", it.version.reference(), it.to, it.outcome).to_lowercase()
    };
    copied.versions.iter().map(told).collect()
}

pub(crate) fn records(larder: &Larder) -> Vec<(RecordKey, Bytes)> {
    let records = larder.store().records("").map(|found| found.unwrap());
    records.map(|(key, record)| (key, record.value)).collect()
}

#[test]
fn a_whole_larder_arrives_with_tags_and_times_and_without_what_was_removed() {
    everywhere(|from, to| {
        stocked(from);
        let copied = from.maintenance().copy(Selection::All, to, &options()).unwrap();
        assert_eq!(
            told(&copied),
            ["net@1 -> v1 copied", "net@3 -> v3 copied", "other/net@1 -> v1 copied"]
        );
        assert_eq!((copied.blobs, copied.tags.len()), (7, 2));
        assert_eq!(from.versions("net").unwrap(), to.versions("net").unwrap());
        assert_eq!(from.tags().of("net").unwrap(), to.tags().of("net").unwrap());
        assert_eq!(to.load::<Weights>("net:prod").unwrap().layer, 1);
        assert_eq!(to.load::<Weights>("net").unwrap().own.get().unwrap()[0], 3);
        assert_eq!(to.maintenance().verify(Selection::All).unwrap().findings, []);
        // The number of the removed version is not given again.
        assert!(matches!(to.show("net@2"), Err(Error::NotFound { .. })));
        assert_eq!(to.apply("net", &weights(4)).unwrap().version().version.get(), 4);
    });
}

#[test]
fn a_second_copy_finds_everything_there_and_writes_nothing() {
    everywhere(|from, to| {
        stocked(from);
        from.maintenance().copy(Selection::All, to, &options()).unwrap();
        let before = records(to);
        let again = from.maintenance().copy(Selection::All, to, &options()).unwrap();
        assert!(again.versions.iter().all(|it| it.outcome == CopyOutcome::Present));
        assert!(again.tags.iter().all(|tag| tag.present));
        assert_eq!((again.blobs, again.bytes), (0, 0));
        assert_eq!(records(to), before);
    });
}

#[test]
fn a_reference_brings_its_version_alone_and_only_the_blobs_that_are_lacking() {
    everywhere(|from, to| {
        stocked(from);
        let copied = from.maintenance().copy(references(&["net@3"]), to, &options()).unwrap();
        assert_eq!(told(&copied), ["net@3 -> v3 copied"]);
        assert_eq!((copied.blobs, copied.tags.len()), (3, 0));

        // The first version keeps its number, although a higher one is there, and does not become the newest.
        let copied = from.maintenance().copy(references(&["net:prod"]), to, &options()).unwrap();
        assert_eq!(told(&copied), ["net@1 -> v1 copied"]);
        assert_eq!((copied.blobs, copied.bytes < 10_000), (2, true), "the large one is there");
        assert_eq!(copied.tags[0].tag.as_str(), "prod");
        assert_eq!(to.show("net").unwrap().version.version.get(), 3);

        let copied = from.maintenance().copy(references(&["other/net"]), to, &options()).unwrap();
        assert_eq!(copied.versions.len(), 1);
        assert_eq!(records(to).len(), records(from).len() - 1, "but for the removed one");
    });
}

#[test]
fn all_versions_of_a_name_come_only_when_asked_for() {
    let (from, to) = (place("memory:"), place("memory:"));
    stocked(&from.larder);
    let all = options().all_versions(true);
    let copied = from.larder.maintenance().copy(references(&["net"]), &to.larder, &all).unwrap();
    assert_eq!(told(&copied), ["net@1 -> v1 copied", "net@3 -> v3 copied"]);
}

#[test]
fn what_is_taken_there_is_renumbered_in_its_order() {
    everywhere(|from, to| {
        stocked(from);
        from.apply("net", &weights(5)).unwrap();
        to.apply("net", &weights(77)).unwrap();
        let copied = from.maintenance().copy(Selection::All, to, &options()).unwrap();
        assert_eq!(
            told(&copied),
            [
                "net@1 -> v2 renumbered",
                "net@3 -> v3 copied",
                "net@4 -> v4 copied",
                "other/net@1 -> v1 copied"
            ]
        );
        let layers: Vec<_> = (1..=4)
            .map(|number| to.load::<Weights>(format!("net@{number}")).unwrap().layer)
            .collect();
        assert_eq!(layers, [77, 1, 3, 5]);
        assert_eq!(to.load::<Weights>("net:prod").unwrap().layer, 1, "the tag follows");
        let again = from.maintenance().copy(Selection::All, to, &options()).unwrap();
        assert_eq!(told(&again)[..2], ["net@1 -> v2 present", "net@3 -> v3 present"]);
        assert_eq!(to.maintenance().verify(Selection::All).unwrap().findings, []);
    });
}

#[test]
fn versions_that_are_alike_stay_apart() {
    let (from, to) = (place("memory:"), place("memory:"));
    for layer in [1, 2, 1] {
        from.larder.apply("net", &weights(layer)).unwrap();
    }
    let copied = from.larder.maintenance().copy(Selection::All, &to.larder, &options()).unwrap();
    assert_eq!(copied.versions.len(), 3);
    assert!(copied.versions.iter().all(|it| it.outcome == CopyOutcome::Copied));
    assert_eq!(to.larder.load::<Weights>("net").unwrap().layer, 1, "the newest is the newest");
    assert_eq!(records(&from.larder), records(&to.larder));
}

#[test]
fn a_tag_that_would_move_refuses_the_copy_before_anything_is_written() {
    everywhere(|from, to| {
        stocked(from);
        to.apply("net", &weights(77)).unwrap();
        to.tag("net@1", "prod").unwrap();
        let before = records(to);
        let error = from.maintenance().copy(Selection::All, to, &options()).unwrap_err();
        assert!(matches!(error, Error::Blocked { remedy: Remedy::Overwrite, .. }), "{error:?}");
        assert!(error.to_string().contains("net:prod from v1 to v2"), "{error}");
        let dry = options().dry_run(true);
        assert!(matches!(
            from.maintenance().copy(Selection::All, to, &dry),
            Err(Error::Blocked { remedy: Remedy::Overwrite, .. })
        ));
        assert_eq!(records(to), before);
        assert_eq!(to.store().blobs().count(), 3);

        let overwrite = options().overwrite(true);
        let copied = from.maintenance().copy(Selection::All, to, &overwrite).unwrap();
        assert_eq!(copied.tags[0].moved_from, VersionNumber::new(1));
        assert_eq!(to.load::<Weights>("net:prod").unwrap().layer, 1);
    });
}

#[test]
fn a_dry_run_tells_what_a_copy_does_and_writes_nothing() {
    everywhere(|from, to| {
        stocked(from);
        to.apply("net", &weights(77)).unwrap();
        let before = (records(to), to.store().blobs().count());
        let dry = options().dry_run(true);
        let planned = from.maintenance().copy(Selection::All, to, &dry).unwrap();
        assert_eq!((records(to), to.store().blobs().count()), before);
        assert_eq!(planned, from.maintenance().copy(Selection::All, to, &options()).unwrap());
    });
}

#[test]
fn what_is_not_there_is_named() {
    let (from, to) = (place("memory:"), place("memory:"));
    stocked(&from.larder);
    for gone in ["net@2", "nothing", "net:old"] {
        let error = from
            .larder
            .maintenance()
            .copy(references(&[gone]), &to.larder, &options())
            .unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error}");
    }
}

#[test]
fn notes_come_along_where_there_are_none() {
    everywhere(|from, to| {
        stocked(from);
        to.apply("net", &weights(77)).unwrap();
        put(from, "notes/net/@0000000001", r#"{"larder":1,"description":"good"}"#);
        put(from, "notes/net/@0000000003", r#"{"larder":1,"description":"better"}"#);
        put(to, "notes/net/@0000000003", r#"{"larder":1,"description":"theirs"}"#);
        from.maintenance().copy(Selection::All, to, &options()).unwrap();
        let note = |key| {
            let key = RecordKey::new(key).unwrap();
            let record = to.store().get_record(&key).unwrap();
            record.map(|record| String::from_utf8(record.value.to_vec()).unwrap())
        };
        assert_eq!(note("notes/net/@0000000001"), None);
        assert!(note("notes/net/@0000000002").unwrap().contains("good"), "it follows its version");
        assert!(note("notes/net/@0000000003").unwrap().contains("theirs"));

        put(from, "notes/other/net/@0000000001", r#"{"larder":2}"#);
        let error = from.maintenance().copy(Selection::All, to, &options()).unwrap_err();
        assert!(matches!(error, Error::NewerFormat { found: 2, .. }), "{error}");
    });
}

#[test]
fn progress_ends_where_the_bytes_do() {
    let (from, to) = (place("fs:shelf"), place("sqlite:larder.db"));
    stocked(&from.larder);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let larder = from.larder.with_progress(move |progress| watch.lock().unwrap().push(progress));
    let copied = larder.maintenance().copy(Selection::All, &to.larder, &options()).unwrap();
    let last = *seen.lock().unwrap().last().unwrap();
    assert_eq!((last.task, last.done, last.total), ("copying", copied.bytes, Some(copied.bytes)));
}

#[test]
fn a_damaged_source_is_refused_and_leads_to_nothing() {
    everywhere(|from, to| {
        stocked(from);
        let gone = from.show("net@3").unwrap().manifest.artifacts()[1].digest;
        from.store().remove_blobs(&[gone]).unwrap();
        let error = from.maintenance().copy(Selection::All, to, &options()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { fault: Corruption::Missing, .. }), "{error}");
        assert_eq!((records(to).len(), to.store().blobs().count()), (0, 0));
    });
}

#[test]
fn a_source_whose_records_lie_is_refused_and_leads_to_nothing() {
    let lies = [
        ("versions/net/@0000000001", r#""version":1"#, r#""version":2"#),
        ("versions/net/@0000000001", r#""type":"test/weights""#, r#""type":"test/other""#),
        ("versions/net/@0000000001", r#""size":"#, r#""size":1"#),
        ("versions/net/@0000000001", r#""larder":1"#, r#""larder":2"#),
        ("names/net", r#""larder":1"#, r#""larder":2"#),
        ("tags/net/@prod", r#""version":1"#, r#""version":0"#),
    ];
    for (key, truth, lie) in lies {
        let (from, to) = (place("memory:"), place("memory:"));
        stocked(&from.larder);
        let record = from.larder.store().get_record(&RecordKey::new(key).unwrap()).unwrap();
        let text = String::from_utf8(record.unwrap().value.to_vec()).unwrap();
        assert!(text.contains(truth), "{text}");
        put(&from.larder, key, &text.replacen(truth, lie, 1));
        let error =
            from.larder.maintenance().copy(Selection::All, &to.larder, &options()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. } | Error::NewerFormat { .. }), "{error}");
        assert_eq!(records(&to.larder), []);
    }
}

#[test]
fn a_version_with_an_enormous_number_does_not_use_up_the_numbers() {
    let (from, to) = (place("memory:"), place("memory:"));
    from.larder.apply("net", &weights(1)).unwrap();
    for (key, record) in records(&from.larder) {
        let huge = "18446744073709551615";
        let text = String::from_utf8(record.to_vec()).unwrap();
        let text = text
            .replace(r#""version":1"#, &format!(r#""version":{huge}"#))
            .replace(r#""next":2"#, &format!(r#""next":{huge}"#));
        let moved = key.as_str().replace("0000000001", huge);
        let expected = Expected::Anything;
        let remove = Change::RemoveRecord { key, expected };
        assert_eq!(from.larder.store().commit(&[remove]).unwrap(), Committed::All);
        put(&from.larder, &moved, &text);
    }
    let copied = from.larder.maintenance().copy(Selection::All, &to.larder, &options()).unwrap();
    assert_eq!(told(&copied), ["net@18446744073709551615 -> v1 renumbered"]);
    assert_eq!(to.larder.apply("net", &weights(2)).unwrap().version().version.get(), 2);
}

#[test]
fn copies_and_applies_at_once_lose_nothing_and_double_nothing() {
    for store in STORES {
        let to = place(store);
        let sources: Vec<_> = (0..3).map(|_| place("memory:")).collect();
        for (source, base) in sources.iter().zip([10, 20, 30]) {
            for layer in 0..5 {
                source.larder.apply("net", &weights(base + layer)).unwrap();
            }
        }
        let applied = AtomicU64::new(0);
        thread::scope(|scope| {
            for source in &sources {
                scope.spawn(|| {
                    source
                        .larder
                        .maintenance()
                        .copy(Selection::All, &to.larder, &options())
                        .unwrap()
                });
            }
            scope.spawn(|| {
                for layer in 100..110 {
                    to.larder.apply("net", &weights(layer)).unwrap();
                    applied.fetch_add(1, Ordering::SeqCst);
                }
            });
        });
        assert_eq!(applied.into_inner(), 10);
        let versions = to.larder.versions("net").unwrap();
        let mut layers: Vec<_> = versions
            .iter()
            .map(|version| to.larder.load::<Weights>(version.reference()).unwrap().layer)
            .collect();
        layers.sort_unstable();
        let wanted: Vec<u64> = (10..15).chain(20..25).chain(30..35).chain(100..110).collect();
        assert_eq!(layers, wanted, "{store}");
        let newest = versions.last().unwrap().version;
        assert_eq!(to.larder.show("net").unwrap().version.version, newest);
        let name = Identifier::new("net").unwrap();
        assert_eq!(to.larder.maintenance().verify([name.into()]).unwrap().findings, []);
    }
}

pub(crate) fn put(larder: &Larder, key: &str, json: &str) {
    let change = Change::PutRecord {
        key: RecordKey::new(key).unwrap(),
        value: Bytes::from(json.to_owned()),
        expected: Expected::Anything,
    };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}
