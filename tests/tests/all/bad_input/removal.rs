//! Removals that would lose something, and numbers that are never given again.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::versions::RemoveOptions;
use std::ops::RangeInclusive;

use larder::store::{Remedy, StoreExt};
use larder::{Applied, Error, Larder};

use super::{Plain, larder};

fn apply(larder: &Larder, number: u32) -> u64 {
    match larder.apply("wine", &Plain { number }).unwrap() {
        Applied::Created(version) => version.version.get(),
        Applied::Unchanged(version) => panic!("{:?} is unchanged", version.version),
    }
}

fn apply_all(larder: &Larder, numbers: RangeInclusive<u32>) {
    for number in numbers {
        apply(larder, number);
    }
}

fn numbers(larder: &Larder) -> Vec<u64> {
    larder.versions("wine").unwrap().iter().map(|version| version.version.get()).collect()
}

#[test]
fn a_tagged_version_is_not_removed() {
    let (larder, _) = larder();
    apply_all(&larder, 1..=3);
    larder.tag("wine@2", "prod").unwrap();
    larder.tag("wine@2", "audit").unwrap();
    for error in [
        larder.remove("wine@2").unwrap_err(),
        larder.remove("wine:prod").unwrap_err(),
        larder.remove_all("wine", &RemoveOptions::new()).unwrap_err(),
    ] {
        let Error::Blocked { action, reason, remedy: Remedy::Untag } = &error else {
            panic!("{error:?}")
        };
        assert!(action.starts_with("remove wine"), "{action}");
        assert!(
            reason.contains("audit") && reason.contains("prod"),
            "the tags are named: {reason}"
        );
    }
    assert_eq!(numbers(&larder), [1, 2, 3], "nothing was removed");
    assert_eq!(larder.load::<Plain>("wine:prod").unwrap().number, 2);
    larder.untag("wine", "prod").unwrap();
    larder.untag("wine", "audit").unwrap();
    larder.remove("wine@2").unwrap();
    assert_eq!(numbers(&larder), [1, 3]);
}

#[test]
fn removing_the_newest_moves_latest_back_and_its_number_is_never_given_again() {
    let (larder, _) = larder();
    apply_all(&larder, 1..=3);
    assert_eq!(larder.remove("wine@2").unwrap().version.get(), 2);
    assert_eq!(larder.remove("wine").unwrap().version.get(), 3);
    assert_eq!(
        larder.load::<Plain>("wine").unwrap().number,
        1,
        "latest is the newest that is left"
    );
    assert_eq!(larder.load::<Plain>("wine:latest").unwrap().number, 1);
    let listed: Vec<_> = larder.list().map(|version| version.unwrap().version.get()).collect();
    assert_eq!(listed, [1]);
    for gone in ["wine@2", "wine@3"] {
        let error = larder.load::<Plain>(gone).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
        let error = larder.remove(gone).unwrap_err();
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
    assert_eq!(apply(&larder, 3), 4, "the same content gets a number of its own");
    assert_eq!(numbers(&larder), [1, 4]);
    assert!(larder.maintenance().verify(Selection::All).unwrap().findings.is_empty());
}

#[test]
fn a_name_whose_versions_are_all_removed_is_gone_but_its_numbers_are_not() {
    let (larder, _) = larder();
    apply_all(&larder, 1..=2);
    let digest = larder.show("wine").unwrap().version.digest;
    assert_eq!(larder.remove_all("wine", &RemoveOptions::new()).unwrap().len(), 2);
    assert_eq!(larder.list().count(), 0);
    for error in [
        larder.load::<Plain>("wine").unwrap_err(),
        larder.versions("wine").unwrap_err(),
        larder.remove_all("wine", &RemoveOptions::new()).unwrap_err(),
        larder.load::<Plain>(format!("wine@{digest}")).unwrap_err(),
        larder.tag("wine@1", "prod").unwrap_err(),
    ] {
        assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    }
    assert_eq!(apply(&larder, 2), 3);
    assert_eq!(larder.load::<Plain>("wine").unwrap().number, 2);
}

#[test]
fn the_bytes_of_a_removed_version_that_another_needs_stay() {
    let (larder, _) = larder();
    apply(&larder, 1);
    larder.apply("copy", &Plain { number: 1 }).unwrap();
    let before = larder.store().blobs().count();
    larder.remove("wine@1").unwrap();
    assert_eq!(larder.store().blobs().count(), before, "only a collection takes bytes away");
    assert_eq!(larder.load::<Plain>("copy").unwrap().number, 1);
}

#[test]
fn many_threads_that_apply_and_remove_leave_no_double_and_no_hole() {
    let (larder, _) = larder();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let larder = &larder;
            scope.spawn(move || apply_all(larder, thread * 100..=thread * 100 + 9));
        }
    });
    assert_eq!(numbers(&larder), (1..=40).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let larder = &larder;
            scope.spawn(move || {
                for number in (1..=40).filter(|number| number % 4 == thread && number % 10 != 0) {
                    larder.remove(format!("wine@{number}")).unwrap();
                }
            });
        }
    });
    assert_eq!(numbers(&larder), [10, 20, 30, 40]);
    larder.remove("wine@40").unwrap();
    assert_eq!(larder.show("wine").unwrap().version.version.get(), 30);
    assert_eq!(apply(&larder, 999), 41);
}
