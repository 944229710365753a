//! Removal of used components, and loading without removed ones.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::store::Remedy;
use larder::versions::RemoveOptions;
use std::sync::Barrier;
use std::thread;

use super::*;

#[test]
fn what_is_used_is_removed_by_force_only_and_its_users_are_named() {
    everywhere(|larder| {
        larder.apply("pipeline", &diamond("english")).unwrap();
        for remove in [
            larder.remove("words@1").map(drop),
            larder.remove_all("words", &RemoveOptions::new()).map(drop),
        ] {
            let error = remove.unwrap_err();
            let Error::Blocked { action, reason, remedy: Remedy::Force } = &error else {
                panic!("{error:?}")
            };
            assert_eq!(action, "remove words");
            assert!(reason.contains("encoder@1, pipeline@1"), "{reason}");
        }
        // A version of the same content serves as well.
        larder.apply("words", &words("french", 1)).unwrap();
        larder.apply("words", &words("english", 100_000)).unwrap();
        larder.remove("words@1").unwrap();
        let error = larder.remove("words@3").unwrap_err();
        let Error::Blocked { reason, .. } = &error else { panic!("{error:?}") };
        assert!(reason.contains("encoder@1, pipeline@1"), "{reason}");
        larder.remove("words@2").unwrap();

        // Users first, then what they used; nothing is left behind.
        larder.remove("pipeline@1").unwrap();
        larder.remove("encoder@1").unwrap();
        larder.remove("words@3").unwrap();
        larder.remove("more@1").unwrap();
        assert_eq!(larder.store().records("users/").count(), 0);

        // And back: what is used before its users.
        let error = larder.maintenance().restore("encoder@1").unwrap_err();
        let Error::Removed { reference, needed_by } = &error else { panic!("{error:?}") };
        assert_eq!((&**reference, &**needed_by), ("words@3", "encoder@1"));
        larder.maintenance().restore("words@3").unwrap();
        larder.maintenance().restore("encoder@1").unwrap();
        assert_eq!(pins(&larder.used_by("words@3").unwrap()), ["encoder@1"]);
        assert!(larder.remove("words@3").is_err());
        let encoder: Encoder = larder.load("encoder").unwrap();
        assert_eq!(encoder.words.get().unwrap().language, "english");
    });
}

#[test]
fn a_user_of_what_was_removed_by_force_says_so_until_it_is_restored() {
    let here = tempfile::tempdir().unwrap();
    let larder = larder::open(&format!("fs:{}", here.path().join("larder").display())).unwrap();
    larder.apply("pipeline", &diamond("english")).unwrap();
    larder.remove_with("words@1", &RemoveOptions::new().force(true)).unwrap();
    let encoder: Encoder = larder.load("encoder").unwrap();
    let error = encoder.words.get().map(drop).unwrap_err();
    let Error::Removed { reference, needed_by } = &error else { panic!("{error:?}") };
    assert_eq!((&**reference, &**needed_by), ("words@1", "encoder@1"));
    let uses = larder.uses("encoder").unwrap();
    assert_eq!(uses[0].version, None);
    let findings = larder.maintenance().verify(Selection::All).unwrap().findings;
    let is_found = findings.iter().any(|it| it.what == "encoder@1" && it.fault.contains("words@1"));
    assert!(is_found, "{findings:?}");

    // Garbage collection leaves its bytes, because it is used.
    let options = larder::maintenance::GcOptions::new().grace(std::time::Duration::from_secs(1));
    for _ in 0..3 {
        larder.maintenance().gc(&options).unwrap();
        thread::sleep(std::time::Duration::from_millis(1_100));
    }
    larder.maintenance().gc(&options).unwrap();
    larder.maintenance().restore("words@1").unwrap();
    assert_eq!(encoder.words.get().unwrap().list.get().unwrap().len(), 100_000);
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);

    // Or the same is applied again, and what was removed is written anew.
    larder.remove_with("words@1", &RemoveOptions::new().force(true)).unwrap();
    assert!(!larder.apply("pipeline", &diamond("english")).unwrap().is_created());
    assert_eq!(numbers(&larder, "words"), [2]);
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[test]
fn a_removal_and_a_new_user_exclude_each_other() {
    everywhere(|larder| {
        for round in 0..20 {
            let name = &*format!("words/{round}");
            larder.apply(name, &words("english", 10)).unwrap();
            let start = Barrier::new(2);
            let pin = &*format!("{name}@1");
            let (removed, used) = thread::scope(|scope| {
                let removed = scope.spawn(|| {
                    start.wait();
                    larder.remove(pin)
                });
                let used = scope.spawn(|| {
                    let user = encoder(Ref::to(pin).unwrap());
                    start.wait();
                    larder.apply(format!("encoder/{round}").as_str(), &user)
                });
                (removed.join().unwrap(), used.join().unwrap())
            });
            match (&removed, &used) {
                (Ok(_), Err(Error::Removed { .. } | Error::NotFound { .. }))
                | (Err(Error::Blocked { .. }), Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    });
}
