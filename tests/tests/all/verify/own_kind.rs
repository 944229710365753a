//! A kind of record that a crate outside Larder adds: one entry, and everything that walks the table knows it.

use larder::extend::record::{Document, known_version, misnamed, parts_of, put, read};
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::prelude::*;
use larder::store::{
    Action, Change, Committed, CopyRule, Expected, Record, RecordKey, RecordKind, RecordLink,
    StoreExt, VersionNumber, kind,
};
use larder::{Identifier, Result, Selection};

/// A review of a version.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewRecord {
    larder: u64,
    stars: u8,
}

impl Document for ReviewRecord {
    fn format(&self) -> u64 {
        self.larder
    }
}

kind!(
    RecordKind::new(
        "review",
        "reviews/NAME/@N",
        "reviews/",
        |key| review_in(key).map(|(name, _)| Some(name)),
        |key, found| match read::<ReviewRecord>(key, found)?.stars {
            1..=5 => Ok(()),
            _ => Err(misnamed(key, "`stars` is not from 1 to 5")),
        },
    )
    .links(version_of)
    .copied(CopyRule::WithVersion(review_key))
    .access(Action::Read, Action::Annotate)
);

fn version_of(key: &RecordKey, _: &Record) -> Result<Vec<RecordLink>> {
    let (name, number) = review_in(key)?;
    Ok(vec![known_version(&name, number)?])
}

fn review_key(name: &Identifier, number: VersionNumber) -> Result<RecordKey> {
    RecordKey::new(&format!("reviews/{name}/@{:010}", number.get()))
}

fn review_in(key: &RecordKey) -> Result<(Identifier, VersionNumber)> {
    let (name, part) = parts_of(key, "reviews/")?;
    let number = part.parse().ok().and_then(VersionNumber::new);
    match number {
        Some(number) if review_key(&name, number)? == *key => Ok((name, number)),
        _ => Err(misnamed(key, "its key ends in no version number")),
    }
}

fn commit(larder: &Larder, change: Change) {
    assert_eq!(larder.store().commit(&[change]).unwrap(), Committed::All);
}

/// Reviews the first version of `name`.
pub(super) fn review(larder: &Larder, name: &str) {
    let key = review_key(&Identifier::new(name).unwrap(), VersionNumber::FIRST).unwrap();
    let review = ReviewRecord { larder: 1, stars: 5 };
    commit(larder, put(key, &review, Expected::Absent).unwrap());
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/kinds/reviewed")]
struct Reviewed(u64);

fn reviewed() -> Larder {
    let larder = larder::open("memory:").unwrap();
    larder.apply("wine", &Reviewed(1)).unwrap();
    review(&larder, "wine");
    larder
}

#[test]
fn its_own_check_decides_what_is_sound() {
    let larder = reviewed();
    let key = RecordKey::new("reviews/wine/@0000000001").unwrap();
    let six = ReviewRecord { larder: 1, stars: 6 };
    commit(&larder, put(key, &six, Expected::Anything).unwrap());
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].fault.contains("`stars`"), "{findings:?}");
}

#[test]
fn a_copy_takes_it_along_under_the_number_in_the_target() {
    let (larder, target) = (reviewed(), larder::open("memory:").unwrap());
    target.apply("wine", &Reviewed(0)).unwrap();
    larder.maintenance().copy(Selection::All, &target, &CopyOptions::default()).unwrap();
    let copied = RecordKey::new("reviews/wine/@0000000002").unwrap();
    assert!(target.store().get_record(&copied).unwrap().is_some());
    assert!(target.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn a_removed_record_is_no_fault_of_its_version() {
    let larder = reviewed();
    let key = RecordKey::new("reviews/wine/@0000000001").unwrap();
    commit(&larder, Change::RemoveRecord { key, expected: Expected::Anything });
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}
