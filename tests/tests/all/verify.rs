//! `verify` and `repair`: what they read, what they find, and how far they say they are.

mod copies;
mod kinds;
mod own_kind;
mod samples;

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::sync::{Arc, Mutex};

use larder::bytes::Bytes;
use larder::extend::progress::Progress;
use larder::serializers::RawBytes;
use larder::store::{Change, Committed, Expected, RecordKey};
use larder::store::{Digest, StoreExt};
use larder::{Artifact, Larder, Reference};
use larder_tests::Parcel;

fn memory() -> Larder {
    larder::open("memory:").unwrap()
}

fn parcel(round: u64, size: usize) -> Parcel {
    let content = vec![round as u8; size];
    Parcel { round, content: Artifact::<Bytes, RawBytes>::new(content.into()) }
}

fn content_of(larder: &Larder, reference: &str) -> Digest {
    larder.show(reference).unwrap().manifest.artifacts()[0].digest
}

fn manifest_of(larder: &Larder, reference: &str) -> Digest {
    larder.show(reference).unwrap().version.digest
}

fn faults(larder: &Larder) -> Vec<String> {
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    checked
        .findings
        .into_iter()
        .map(|finding| format!("{}: {}", finding.what, finding.fault))
        .collect()
}

#[test]
fn a_fault_that_many_versions_share_is_found_once_in_the_first() {
    let larder = memory();
    for name in ["b", "a", "c"] {
        larder.apply(name, &parcel(1, 200_000)).unwrap();
    }
    larder.store().remove_blobs(&[content_of(&larder, "a")]).unwrap();
    assert_eq!(faults(&larder), ["a@1: its bytes are missing"]);
    let references: Vec<Reference> = ["c", "b"].map(|name| name.parse().unwrap()).into();
    let checked = larder.maintenance().verify(&references).unwrap();
    assert_eq!((checked.versions, checked.blobs, checked.orphans), (2, 2, None));
    assert_eq!(checked.findings[0].what, "c@1");
}

#[test]
fn every_kind_of_damage_to_files_is_found_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let larder = larder::open(&format!("fs:{}", folder.path().display())).unwrap();
    for round in 0..40 {
        larder.apply(format!("parcel/{round:02}"), &parcel(round, 50_000)).unwrap();
    }
    let file = |round: u64| {
        let hex = content_of(&larder, &format!("parcel/{round:02}")).to_hex();
        folder.path().join("blobs").join(&hex[..2]).join(hex)
    };
    let [short, flipped, unreadable, missing] = [3, 7, 11, 15].map(file);
    for path in [&short, &flipped, &unreadable, &missing] {
        std::fs::remove_file(path).unwrap();
    }
    std::fs::write(short, vec![3; 49_999]).unwrap();
    std::fs::write(flipped, vec![8; 50_000]).unwrap();
    std::fs::create_dir(unreadable).unwrap();
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!((checked.versions, checked.blobs), (40, 80));
    let whats: Vec<_> = checked.findings.iter().map(|finding| &*finding.what).collect();
    assert_eq!(whats, ["parcel/03@1", "parcel/07@1", "parcel/11@1", "parcel/15@1"]);
    let expected = ["49999 bytes", "digest", "cannot read", "missing"];
    for (finding, expected) in checked.findings.iter().zip(expected) {
        assert!(finding.fault.contains(expected), "{finding:?}");
    }
}

#[test]
fn progress_ends_at_the_total_that_was_told_from_the_start() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let told = Arc::clone(&seen);
    let larder = memory().with_progress(move |progress| told.lock().unwrap().push(progress));
    for round in 0..20 {
        larder.apply("parcel", &parcel(round, 100_000 + round as usize)).unwrap();
    }
    seen.lock().unwrap().clear();
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    let seen = seen.lock().unwrap();
    let total = (0..20).map(|round| 100_000 + round).sum();
    let read: Vec<_> = seen.iter().filter(|progress| progress.task == "verifying").collect();
    assert_eq!(read.len(), 20);
    assert!(read.iter().all(|progress| progress.total == Some(total)));
    assert_eq!(read.iter().map(|progress| progress.done).max(), Some(total));
    assert!(checked.bytes > total, "manifests are read too");
}

#[test]
fn what_is_applied_and_loaded_is_told_to_the_last_byte() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let told = Arc::clone(&seen);
    let larder = memory().with_progress(move |progress| told.lock().unwrap().push(progress));
    larder.apply("parcel", &parcel(1, 3_000_000)).unwrap();
    let size = larder.show("parcel").unwrap().manifest.artifacts()[0].size;
    let last = seen.lock().unwrap().pop().unwrap();
    assert_eq!((last.task, last.done, last.total), ("storing", size, Some(size)));
    assert!(seen.lock().unwrap().iter().all(|progress| progress.total.is_none()));

    seen.lock().unwrap().clear();
    larder.load::<Parcel>("parcel").unwrap().content.get().unwrap();
    let last = seen.lock().unwrap().pop().unwrap();
    assert_eq!((last.task, last.done, last.total), ("reading", size, Some(size)));
}

#[test]
fn orphans_are_counted_and_are_no_fault() {
    let larder = memory();
    larder.apply("parcel", &parcel(1, 1_000)).unwrap();
    larder.apply("parcel", &parcel(2, 1_000)).unwrap();
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().orphans.unwrap().count, 0);
    larder.remove("parcel@1").unwrap();
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    let orphans = checked.orphans.unwrap();
    assert_eq!((orphans.count, checked.findings.len()), (2, 0));
    assert!(orphans.bytes > 1_000 && orphans.bytes < 1_500, "{orphans:?}");

    larder.store().remove_blobs(&[manifest_of(&larder, "parcel")]).unwrap();
    assert_eq!(
        larder.maintenance().verify(Selection::All).unwrap().orphans,
        None,
        "what is needed is not known"
    );
}

#[test]
fn a_record_that_leads_nowhere_is_found() {
    let larder = memory();
    larder.apply("parcel", &parcel(1, 10)).unwrap();
    larder.apply("parcel", &parcel(2, 10)).unwrap();
    larder.tag("parcel@1", "prod").unwrap();
    let digest = manifest_of(&larder, "parcel@1");
    let key = |text: &str| RecordKey::new(text).unwrap();
    let remove = |text: &str| {
        let change = Change::RemoveRecord { key: key(text), expected: Expected::Anything };
        assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
    };
    assert_eq!(faults(&larder), [""; 0]);
    remove("versions/parcel/@0000000001");
    let digest_key = format!("digests/parcel/@{}-0000000001", digest.to_hex());
    let fault = "it leads to parcel@1, which is not there";
    let expected = [digest_key.as_str(), "tags/parcel/@prod"];
    let mut expected: Vec<_> =
        expected.iter().map(|key| format!("the record {key}: {fault}")).collect();
    let its_move =
        "the record moves/parcel/@prod/@0000000001: it is of parcel@1, which is not there";
    expected.insert(1, its_move.into());
    assert_eq!(faults(&larder), expected);

    larder.untag("parcel", "prod").unwrap();
    remove(&digest_key);
    let second = key("versions/parcel/@0000000002");
    let value = larder.store().get_record(&second).unwrap().unwrap().value;
    let other = String::from_utf8(value.to_vec())
        .unwrap()
        .replace(&manifest_of(&larder, "parcel@2").to_string(), &digest.to_string());
    let change =
        Change::PutRecord { key: second, value: other.into(), expected: Expected::Anything };
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
    let mut found = faults(&larder);
    assert_eq!(found.remove(1), its_move);
    let no_digest = found.pop().unwrap();
    let (record, missing) = ("versions/parcel/@0000000002", "digests/");
    assert!(no_digest.contains(record) && no_digest.contains(missing), "{no_digest}");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|fault| fault.contains("digest")), "{found:?}");
}

#[test]
fn a_repair_follows_manifests_and_leaves_what_is_sound() {
    let (larder, twin) = (memory(), memory());
    for larder in [&larder, &twin] {
        larder.apply("small", &parcel(1, 100)).unwrap();
        larder.apply("large", &parcel(2, 300_000)).unwrap();
    }
    larder.apply("own", &parcel(3, 100)).unwrap();
    let lost = [
        manifest_of(&larder, "small"),
        content_of(&larder, "small"),
        content_of(&larder, "large"),
        content_of(&larder, "own"),
    ];
    larder.store().remove_blobs(&lost).unwrap();
    // The other larder is damaged too.
    twin.store().remove_blobs(&[content_of(&twin, "large")]).unwrap();
    let checked = larder.maintenance().verify(Selection::All).unwrap();
    assert_eq!(checked.findings.len(), 3, "what a lost manifest lists is not known");
    let repaired = larder.maintenance().repair(&checked, &**twin.store()).unwrap();
    let digests = |findings: &[larder::maintenance::Finding]| {
        findings.iter().map(|finding| finding.digest.unwrap()).collect::<Vec<_>>()
    };
    let mut found = digests(&repaired.repaired);
    found.sort();
    let mut expected = lost[..2].to_vec();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(digests(&repaired.not_found), [lost[2], lost[3]]);
    assert_eq!(larder.load::<Parcel>("small").unwrap().content.get().unwrap().len(), 100);
    assert_eq!(faults(&larder).len(), 2);

    let again = larder.maintenance().repair(&checked, &**twin.store()).unwrap();
    assert_eq!(again.repaired.len(), 1, "it is sound already: {again:?}");
    assert_eq!(again.not_found.len(), 2);
}
