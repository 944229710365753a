//! `cleanup`: what keeps a version from being removed.

use larder::maintenance::LarderMaintenance;
use larder::versions::RemoveOptions;
use larder_tests::errors::message;

use super::*;

#[test]
fn a_cleanup_that_fails_keeps_the_version_unless_it_is_forced() {
    everywhere(|larder, scheme| {
        let name = &*format!("kept-{scheme}");
        let pin = &*format!("{name}@1");
        larder.apply(name, &probe(name, 1.0)).unwrap();
        let before = content(larder);
        for how in ["error", "panic"] {
            let_fail(name, "cleanup", how);
            for error in [
                larder.remove(pin).unwrap_err(),
                larder.remove_all(name, &RemoveOptions::new()).unwrap_err(),
            ] {
                let Error::Hook { component, hook: Hook::Cleanup, left, .. } = &error else {
                    panic!("{error:?}")
                };
                assert!(component == pin && left.contains("force"), "{}", message(&error));
            }
            assert_eq!(content(larder), before);
        }
        larder.load::<Probe>(pin).unwrap();
        events(name);
        larder.remove_with(pin, &RemoveOptions::new().force(true)).unwrap();
        assert_eq!(events(name), ["post_init", "cleanup 1"]);
        assert!(matches!(larder.load::<Probe>(pin), Err(Error::NotFound { .. })));
    });
}

#[test]
fn what_may_not_be_removed_anyway_is_not_cleaned_up() {
    everywhere(|larder, scheme| {
        let name = &*format!("tagged-{scheme}");
        larder.apply(name, &probe(name, 1.0)).unwrap();
        larder.apply(name, &probe(name, 2.0)).unwrap();
        larder.tag(format!("{name}@1").as_str(), "prod").unwrap();
        larder.locks().lock_version(format!("{name}@2").as_str()).unwrap();
        events(name);
        for number in [1, 2] {
            let error = larder.remove(format!("{name}@{number}").as_str()).unwrap_err();
            assert!(matches!(error, Error::Blocked { .. }), "{error}");
        }
        assert_eq!(events(name), [""; 0]);
        larder.untag(name, "prod").unwrap();
        larder.locks().unlock_version(format!("{name}@2").as_str()).unwrap();
        assert_eq!(larder.remove_all(name, &RemoveOptions::new()).unwrap().len(), 2);
        assert_eq!(events(name), ["post_init", "cleanup 1", "post_init", "cleanup 2"]);
    });
}

#[test]
fn a_type_with_hooks_that_is_not_linked_in_is_removed_by_force_only() {
    let store: Arc<dyn Store> = Arc::new(larder::store::MemoryStore::new());
    let linked = Larder::new(Arc::clone(&store), Registry::linked().unwrap());
    linked.apply("unlinked", &probe("unlinked", 1.0)).unwrap();
    linked.apply("plain", &Plain { number: 1 }).unwrap();
    let unlinked = Larder::new(store, Registry::new());
    let error = unlinked.remove("unlinked@1").unwrap_err();
    let Error::NotLinked { needed_by, hint, .. } = &error else { panic!("{error:?}") };
    assert_eq!(needed_by, "the `cleanup` of unlinked@1");
    assert!(hint.contains("force"), "{hint}");
    unlinked.remove_with("unlinked@1", &RemoveOptions::new().force(true)).unwrap();
    unlinked.remove("plain@1").unwrap(); // it has no hooks, and nobody need know its type
}

#[test]
fn a_mirror_that_removes_versions_cleans_up_nothing() {
    let (from, to) = (larder::open("memory:").unwrap(), larder::open("memory:").unwrap());
    from.apply("mirrored", &probe("mirrored", 1.0)).unwrap();
    let options = larder::maintenance::MirrorOptions::new().delete(true);
    from.maintenance().mirror(&to, &options).unwrap();
    from.remove("mirrored@1").unwrap();
    assert_eq!(events("mirrored").last().unwrap(), "cleanup 1");
    assert_eq!(from.maintenance().mirror(&to, &options).unwrap().removed.len(), 1);
    assert_eq!(events("mirrored"), [""; 0]);
}
