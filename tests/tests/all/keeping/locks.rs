//! Locks: of a version, and of a name with all of it.

use larder::Error;
use larder::store::Remedy;
use larder::versions::AnnotationsChange;
use larder::versions::RemoveOptions;
use larder_tests::Doubler;

use super::{apply, assert_blocked, everywhere, larder, race, record};

#[test]
fn a_locked_version_is_not_removed_nor_annotated_until_it_is_unlocked() {
    let larder = larder();
    apply(&larder, "wine", 3);
    let label = AnnotationsChange::new().label("team", "cellar");
    larder.annotate("wine@2", &label).unwrap();
    larder.locks().lock_version("wine@2").unwrap();
    larder.locks().lock_version("wine@2").unwrap();
    assert_eq!(
        larder.annotations("wine@2").unwrap().locked.unwrap().to_string(),
        "2027-01-15T08:00:00.123Z"
    );
    assert_blocked(larder.remove("wine@2"), Remedy::Unlock);
    assert_blocked(larder.remove_all("wine", &RemoveOptions::new()), Remedy::Unlock);
    let other = AnnotationsChange::new().remove_label("team");
    assert_blocked(larder.annotate("wine@2", &other), Remedy::Unlock);
    assert_eq!(larder.versions("wine").unwrap().len(), 3, "nothing was removed");
    larder.tag("wine@2", "prod").unwrap();
    larder.untag("wine", "prod").unwrap();
    larder.remove("wine@1").unwrap();

    larder.locks().unlock_version("wine@2").unwrap();
    larder.locks().unlock_version("wine@2").unwrap();
    assert_eq!(larder.annotations("wine@2").unwrap().labels["team"], "cellar");
    larder.remove("wine@2").unwrap();
    for result in [larder.locks().lock_version("wine@2"), larder.locks().unlock_version("wine@9")] {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    }
}

#[test]
fn under_a_locked_name_nothing_changes_until_it_is_unlocked() {
    let larder = larder();
    apply(&larder, "wine", 2);
    larder.tag("wine@1", "prod").unwrap();
    larder.locks().lock_name("wine").unwrap();
    let before = larder.store().list_records("", None, 100).unwrap();
    let blobs = larder.store().list_blobs(None, 100).unwrap();
    larder.locks().lock_name("wine").unwrap();
    assert_blocked(larder.apply("wine", &Doubler { factor: 9.0 }), Remedy::Unlock);
    assert_blocked(larder.remove("wine@2"), Remedy::Unlock);
    assert_blocked(larder.remove_all("wine", &RemoveOptions::new()), Remedy::Unlock);
    assert_blocked(larder.tag("wine@2", "prod"), Remedy::Unlock);
    assert_blocked(larder.tag("wine@2", "new"), Remedy::Unlock);
    assert_blocked(larder.untag("wine", "prod"), Remedy::Unlock);
    assert_blocked(
        larder.annotate("wine@1", &AnnotationsChange::new().label("a", "b")),
        Remedy::Unlock,
    );
    let same = larder.apply("wine", &Doubler { factor: 1.0 }).unwrap();
    assert!(!same.is_created(), "what is there already may be applied again");
    larder.tag("wine@1", "prod").unwrap();
    assert_eq!(larder.store().list_records("", None, 100).unwrap(), before);
    assert_eq!(larder.store().list_blobs(None, 100).unwrap(), blobs);
    assert!(larder.show("wine").unwrap().name_locked.is_some());
    apply(&larder, "wine/white", 1);

    larder.locks().unlock_name("wine").unwrap();
    larder.locks().unlock_name("wine").unwrap();
    assert!(larder.show("wine").unwrap().name_locked.is_none());
    larder.tag("wine@2", "prod").unwrap();
    larder.remove("wine@1").unwrap();
    assert!(larder.apply("wine", &Doubler { factor: 9.0 }).unwrap().is_created());
    for result in [larder.locks().lock_name("beer"), larder.locks().unlock_name("beer")] {
        assert!(matches!(result, Err(Error::NotFound { .. })), "{result:?}");
    }
}

#[test]
fn what_was_never_locked_or_tagged_is_written_as_it_always_was() {
    let larder = larder();
    apply(&larder, "wine", 1);
    larder.locks().lock_name("wine").unwrap();
    larder.locks().unlock_name("wine").unwrap();
    let name = record(&larder, "names/wine").unwrap();
    let version = record(&larder, "versions/wine/@0000000001").unwrap();
    assert_eq!(name, format!(r#"{{"larder":1,"next":2,"latest":{version}}}"#));
}

#[test]
fn a_version_is_locked_or_removed_and_never_both() {
    everywhere(|open| {
        apply(&open(), "wine", 21);
        let ends = race(2, |thread| {
            let larder = open();
            let each = |number: u64| match thread {
                0 => larder.locks().lock_version(format!("wine@{number}")).map(drop),
                _ => larder.remove(format!("wine@{number}")).map(drop),
            };
            (1..=20).map(each).collect::<Vec<_>>()
        });
        for (number, (locked, removed)) in (1..).zip(ends[0].iter().zip(&ends[1])) {
            match (locked, removed) {
                (Ok(()), Err(Error::Blocked { .. })) | (Err(Error::NotFound { .. }), Ok(())) => {}
                other => panic!("version {number}: {other:?}"),
            }
        }
        let left = open().versions("wine").unwrap().len();
        assert_eq!(left, 1 + ends[0].iter().filter(|locked| locked.is_ok()).count());
    });
}

#[test]
fn once_a_name_is_locked_no_writer_that_had_begun_before_adds_anything() {
    everywhere(|open| {
        apply(&open(), "wine", 1);
        let counts = race(4, |thread| {
            let larder = open();
            if thread == 0 {
                std::thread::sleep(std::time::Duration::from_millis(30));
                larder.locks().lock_name("wine").unwrap();
                return (larder.versions("wine").unwrap().len(), larder.count_tags("wine"));
            }
            for round in 0.. {
                let factor = (thread * 1_000_000 + round) as f64;
                let result = match round % 2 {
                    0 => larder.apply("wine", &Doubler { factor }).map(drop),
                    _ => larder.tag("wine", format!("tag-{thread}-{round}")).map(drop),
                };
                match result {
                    Ok(()) => {}
                    Err(Error::Blocked { .. }) => break,
                    Err(error) => panic!("{error:?}"),
                }
            }
            (0, 0)
        });
        let larder = open();
        let now = (larder.versions("wine").unwrap().len(), larder.count_tags("wine"));
        assert_eq!(counts[0], now, "as it was when it was locked");
    });
}

/// Number of tags of a name.
trait CountTags {
    fn count_tags(&self, name: &str) -> usize;
}

impl CountTags for larder::Larder {
    fn count_tags(&self, name: &str) -> usize {
        self.tags().of(name).unwrap().len()
    }
}
