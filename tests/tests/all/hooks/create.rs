//! `on_create`: the status of a version, and what picks the newest one.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use larder::store::{MemoryStore, Remedy};
use larder::versions::{RemoveOptions, Status, TagOptions};
use larder_tests::errors::{message, refused};
use larder_tests::stepwise::Stepwise;

use super::*;

fn statuses(larder: &Larder, name: &str) -> Vec<(u64, Status)> {
    let versions = larder.versions(name).unwrap();
    versions.iter().map(|version| (version.version.get(), version.status)).collect()
}

fn latest(larder: &Larder, name: &str) -> u64 {
    larder.show(name).unwrap().version.version.get()
}

/// Applies what fails.
fn fail(larder: &Larder, name: &str, reading: f64, how: &'static str) -> Error {
    let_fail(name, "on_create", how);
    let error = larder.apply(name, &probe(name, reading)).unwrap_err();
    let_pass(name, "on_create");
    error
}

#[test]
fn a_version_whose_on_create_fails_stays_and_latest_does_not_name_it() {
    everywhere(|larder, scheme| {
        let name = &*format!("failed-{scheme}");
        larder.apply(name, &probe(name, 1.0)).unwrap();
        let error = fail(larder, name, 2.0, "the line is dead");
        let Error::Hook { component, hook: Hook::OnCreate, left, .. } = &error else {
            panic!("{error:?}")
        };
        assert_eq!(*component, format!("{name}@2"));
        assert!(left.contains("`latest`"), "{}", message(&error));
        assert_eq!(statuses(larder, name), [(1, Status::Ready), (2, Status::Failed)]);
        let failed = larder.show(format!("{name}@2").as_str()).unwrap().version;
        assert_eq!(failed.failure.as_deref(), Some("the line is dead"));
        assert_eq!(latest(larder, name), 1);
        assert_eq!(larder.list().next().unwrap().unwrap().version.get(), 1);
        assert_eq!(larder.load::<Probe>(format!("{name}@2").as_str()).unwrap().reading, 2.0);
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
        let unready = larder.maintenance().health().unwrap().unready;
        assert_eq!((unready.len(), unready[0].what.clone()), (1, format!("{name}@2")));

        // No tag comes to name it by accident.
        let at_2 = &*format!("{name}@2");
        let error = larder.tag(at_2, "prod").unwrap_err();
        assert!(matches!(error, Error::Blocked { remedy: Remedy::Force, .. }), "{error}");
        larder.tags().set(at_2, "odd", &TagOptions::new().force(true)).unwrap();
        larder.untag(name, "odd").unwrap();

        // Nor does a copy take it along.
        let copy = larder::open("memory:").unwrap();
        larder.maintenance().copy(Selection::All, &copy, &CopyOptions::new()).unwrap();
        assert_eq!(statuses(&copy, name), [(1, Status::Ready)]);
        let only = [format!("{name}@2").parse().unwrap()];
        let error = larder.maintenance().copy(&only, &copy, &CopyOptions::new()).unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");

        // The next one is the newest, and the number is not given again.
        assert_eq!(larder.apply(name, &probe(name, 3.0)).unwrap().version().version.get(), 3);
        assert_eq!(latest(larder, name), 3);
        larder.remove(format!("{name}@3").as_str()).unwrap();
        assert_eq!(latest(larder, name), 1); // and not 2, which is newer
    });
}

#[test]
fn the_same_applied_again_tries_again_and_writes_no_other_version() {
    everywhere(|larder, scheme| {
        let name = &*format!("again-{scheme}");
        for how in ["error", "panic"] {
            fail(larder, name, 1.0, how);
            assert_eq!(statuses(larder, name), [(1, Status::Failed)]);
        }
        let error = larder.show(name).unwrap_err();
        let Error::NotFound { similar, .. } = &error else { panic!("{error}") };
        assert_eq!(similar, &[format!("{name}@1")]);
        events(name);
        let applied = larder.apply(name, &probe(name, 1.0)).unwrap();
        assert!(applied.is_created());
        assert_eq!(applied.version().version.get(), 1);
        assert_eq!(events(name), ["post_init", "on_create 1 failed false"]);
        assert_eq!(statuses(larder, name), [(1, Status::Ready)]);
        assert!(larder.show(name).unwrap().version.failure.is_none());
        let by_digest = format!("{name}@{}", applied.version().digest);
        larder.load::<Probe>(by_digest.as_str()).unwrap();

        // An older one is not made the newest: that would be another order than the one of applying.
        fail(larder, name, 2.0, "error");
        larder.apply(name, &probe(name, 3.0)).unwrap();
        assert_eq!(larder.apply(name, &probe(name, 2.0)).unwrap().version().version.get(), 4);
        let failed = (2, Status::Failed);
        let ready = |number| (number, Status::Ready);
        assert_eq!(statuses(larder, name), [ready(1), failed, ready(3), ready(4)]);
    });
}

/// A program that ended while `on_create` ran left this.
fn cut_short(larder: &Larder, name: &str, reading: f64) {
    fail(larder, name, reading, "error");
    let number = larder.versions(name).unwrap().last().unwrap().version.get();
    let key = larder::store::RecordKey::new(&format!("versions/{name}/@{number:010}")).unwrap();
    let found = larder.store().get_record(&key).unwrap().unwrap();
    let mut record: serde_json::Value = serde_json::from_slice(&found.value).unwrap();
    record["status"] = "preparing".into();
    record.as_object_mut().unwrap().remove("failure");
    let change = larder::store::Change::PutRecord {
        key,
        value: serde_json::to_vec(&record).unwrap().into(),
        expected: larder::store::Expected::Revision(found.revision),
    };
    assert_eq!(larder.store().commit(&[change]).unwrap(), larder::store::Committed::All);
}

#[test]
fn a_version_that_a_dead_program_left_preparing_is_completed_removed_and_restored() {
    everywhere(|larder, scheme| {
        let name = &*format!("cut-{scheme}");
        larder.apply(name, &probe(name, 1.0)).unwrap();
        cut_short(larder, name, 2.0);
        assert_eq!(statuses(larder, name), [(1, Status::Ready), (2, Status::Preparing)]);
        assert_eq!(latest(larder, name), 1);
        assert!(larder.apply(name, &probe(name, 2.0)).unwrap().is_created());
        assert_eq!(latest(larder, name), 2);

        cut_short(larder, name, 3.0);
        larder.remove(format!("{name}@3").as_str()).unwrap();
        assert_eq!(latest(larder, name), 2);
        larder.maintenance().restore(format!("{name}@3").as_str()).unwrap();
        assert_eq!(latest(larder, name), 2);
        assert_eq!(statuses(larder, name)[2], (3, Status::Preparing));
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
        larder.remove_all(name, &RemoveOptions::new()).unwrap();
        assert!(matches!(larder.versions(name), Err(Error::NotFound { .. })));
    });
}

/// Removes its own version while it is created.
#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/moth", hooks)]
struct Moth {
    number: u32,
}

impl Hooks for Moth {
    fn on_create(&self, context: &HookContext) -> HookResult {
        let pin = context.version.reference();
        match self.number {
            0 => drop(context.larder.remove(pin)?),
            // Another is faster.
            1 => drop(context.larder.apply(context.identifier().as_str(), &Moth { number: 2 })?),
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn a_hook_may_use_the_larder_and_the_newest_version_stays_the_newest() {
    everywhere(|larder, _| {
        let error = larder.apply("moth", &Moth { number: 0 }).unwrap_err();
        let (action, reason) = refused(&error);
        assert!(action.contains("moth@1") && reason.contains("removed"), "{error}");
        let applied = larder.apply("moth", &Moth { number: 1 }).unwrap();
        assert_eq!(applied.version().version.get(), 2);
        assert_eq!(latest(larder, "moth"), 3);
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
    });
}

#[test]
fn a_store_that_stops_after_any_change_has_no_half_made_version_and_goes_on() {
    for stop in 0.. {
        let store = MemoryStore::new();
        let on = |store: Arc<dyn Store>| Larder::new(store, Registry::linked().unwrap());
        let whole = on(Arc::new(Stepwise::stopping_after(usize::MAX, &store)));
        whole.apply("steps", &probe("steps", 1.0)).unwrap();
        let stopping = on(Arc::new(Stepwise::stopping_after(stop, &store)));
        let done = stopping.apply("steps", &probe("steps", 2.0));
        // Whatever was made is whole, and the newest version is one that is ready.
        assert_eq!(whole.maintenance().verify(Selection::All).unwrap().findings, []);
        assert!(whole.show("steps").unwrap().version.status.is_ready());
        match done {
            Ok(applied) => {
                assert_eq!(applied.version().version.get(), 2);
                assert!((5..20).contains(&stop), "{stop} changes");
                break;
            }
            Err(error) => assert!(matches!(error, Error::Store { .. }), "{error}"),
        }
        whole.apply("steps", &probe("steps", 2.0)).unwrap();
        assert_eq!(whole.load::<Probe>("steps").unwrap().reading, 2.0);
        whole.remove("steps:latest").unwrap();
        // It may have become ready without being the newest: then it is written anew, and stays.
        assert!(whole.show("steps").unwrap().version.status.is_ready());
        assert_eq!(whole.maintenance().verify(Selection::All).unwrap().findings, []);
    }
}
