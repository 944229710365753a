//! Stores that make a commit change by change, and stop after any.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::sync::Arc;

use larder::Registry;
use larder::store::{MemoryStore, Store};
use larder_tests::stepwise::Stepwise;

use super::*;

fn on(store: &MemoryStore, left: usize) -> Larder {
    let store: Arc<dyn Store> = Arc::new(Stepwise::stopping_after(left, store));
    Larder::new(store, Registry::linked().unwrap())
}

/// Runs `step` on stores that stop after any number of changes; gives how many it takes.
fn at_every_stop(
    prepare: impl Fn(&Larder),
    step: impl Fn(&Larder) -> larder::Result<()>,
    check: impl Fn(&Larder),
) -> usize {
    for left in 0..500 {
        let store = MemoryStore::new();
        let whole = on(&store, usize::MAX);
        prepare(&whole);
        let stopped = step(&on(&store, left));
        // Whatever was made refers to nothing that is not there.
        assert_eq!(
            whole.maintenance().verify(Selection::All).unwrap().findings,
            [],
            "after {left} changes"
        );
        for version in whole.list() {
            let name = version.unwrap().identifier;
            for child in whole.uses(name.as_str()).unwrap() {
                assert!(child.version.is_some(), "after {left} changes: {name} uses {child:?}");
            }
        }
        if stopped.is_ok() {
            check(&whole);
            return left;
        }
        // And the same again completes it.
        step(&whole).unwrap();
        check(&whole);
        assert_eq!(
            whole.maintenance().verify(Selection::All).unwrap().findings,
            [],
            "after {left} changes"
        );
    }
    panic!("it takes more than 500 changes");
}

#[test]
fn an_apply_that_stops_after_any_change_leaves_nothing_dangling_and_is_completed() {
    let taken = at_every_stop(
        |larder| drop(larder.apply("more", &words("any", 10)).unwrap()),
        |larder| larder.apply("pipeline", &diamond("english")).map(drop),
        |larder| {
            let pipeline: Pipeline = larder.load("pipeline").unwrap();
            let [Stage::Encode(encoder), ..] = &pipeline.stages[..] else { panic!("{pipeline:?}") };
            assert_eq!(encoder.get().unwrap().words.get().unwrap().language, "english");
            assert!(larder.remove("words:latest").is_err());
        },
    );
    assert!(taken > 15, "{taken} changes");
}

#[test]
fn a_removal_and_a_restoration_that_stop_after_any_change_leave_nothing_dangling() {
    at_every_stop(
        |larder| drop(larder.apply("pipeline", &diamond("english")).unwrap()),
        |larder| match larder.remove("pipeline@1") {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        },
        |larder| {
            larder.remove("encoder@1").unwrap();
            larder.remove("words@1").unwrap();
        },
    );
    at_every_stop(
        |larder| {
            larder.apply("pipeline", &diamond("english")).unwrap();
            larder.remove("pipeline@1").unwrap();
        },
        |larder| larder.maintenance().restore("pipeline@1").map(drop),
        |larder| {
            assert_eq!(pins(&larder.used_by("encoder").unwrap()), ["pipeline@1"]);
            assert!(larder.remove("encoder@1").is_err());
        },
    );
}

#[test]
fn a_copy_that_stops_after_any_change_leaves_nothing_dangling_and_is_completed() {
    let source = larder::open("memory:").unwrap();
    source.apply("pipeline", &diamond("english")).unwrap();
    source.apply("pipeline", &diamond("french")).unwrap();
    for selection in [Selection::All, ["pipeline".parse::<larder::Reference>().unwrap()].into()] {
        at_every_stop(
            |_| {},
            |larder| {
                source.maintenance().copy(selection.clone(), larder, &CopyOptions::new()).map(drop)
            },
            |larder| {
                let pipeline: Pipeline = larder.load("pipeline").unwrap();
                let [Stage::Encode(encoder), ..] = &pipeline.stages[..] else { panic!() };
                assert_eq!(encoder.get().unwrap().words.get().unwrap().language, "french");
                assert!(larder.remove("words:latest").is_err());
            },
        );
    }
}
