//! Every step of a collector with everything that can happen there: its death, and a writer's whole work; and every
//! step of a writer with a whole collection.

use larder::maintenance::LarderMaintenance;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use larder::store::{Change, Committed, Expected};
use larder::store::{MemoryStore, Store, StoreExt};
use larder::{ApplyOptions, Error, Larder, Result};
use larder_tests::Parcel;

use super::scripted::{
    HOUR, SIZES, Step, assert_collects_to_the_end, assert_loads, assert_whole, dying, gc, on,
    parcel, pass, ripe, scripted,
};

/// The action of a writer.
type Work<'a> = &'a dyn Fn(&Larder) -> Result<()>;

/// A hook that calls `event` before step `at`, once.
fn once_at(
    at: usize,
    mut event: impl FnMut() -> Result<()> + Send + 'static,
) -> (Arc<AtomicBool>, impl FnMut(Step) -> Result<()> + Send + 'static) {
    let happened = Arc::new(AtomicBool::new(false));
    let (mut step, told) = (0, Arc::clone(&happened));
    let hook = move |_| {
        step += 1;
        if step - 1 == at {
            told.store(true, Ordering::SeqCst);
            return event();
        }
        Ok(())
    };
    (happened, hook)
}

/// Runs `test` for every step number until one is not reached any more.
fn at_every_step(mut test: impl FnMut(usize) -> bool) -> usize {
    let steps = (0..500).take_while(|at| test(*at)).count();
    assert!((3..400).contains(&steps), "{steps} steps");
    steps
}

#[test]
fn a_collector_that_dies_at_any_step_loses_nothing_and_the_next_completes() {
    for atomic in [true, false] {
        at_every_step(|at| {
            let store = ripe(100);
            let dies = || Err(Error::store("go on", "the process was killed"));
            let (died, hook) = once_at(at, dies);
            let collected = scripted(&store, atomic, hook)
                .maintenance()
                .gc(&larder::maintenance::GcOptions::new().grace(HOUR));
            assert_eq!(collected.is_err(), died.load(Ordering::SeqCst));
            assert_whole(&store);
            assert_loads(&store, "stays", 1, 100);
            assert_collects_to_the_end(&store);
            assert_eq!(store.blobs().count(), 2);
            died.load(Ordering::SeqCst)
        });
    }
}

#[test]
fn a_writer_that_dies_at_any_step_leaves_what_was_there_whole() {
    for atomic in [true, false] {
        for size in SIZES {
            let write = |larder: &Larder| larder.apply("again", &parcel(2, size)).map(drop);
            let restore = |larder: &Larder| larder.maintenance().restore("goes@1").map(drop);
            let works: [Work<'_>; 2] = [&write, &restore];
            for work in works {
                at_every_step(|at| {
                    let store = ripe(size);
                    let (died, hook) =
                        once_at(at, || Err(Error::store("go on", "the process was killed")));
                    let worked = work(&scripted(&store, atomic, hook));
                    assert_eq!(worked.is_err(), died.load(Ordering::SeqCst));
                    gc(&on(&store));
                    assert_whole(&store);
                    assert_collects_to_the_end(&store);
                    assert_whole(&store);
                    died.load(Ordering::SeqCst)
                });
            }
        }
    }
}

#[test]
fn a_version_keeps_the_blobs_of_the_one_it_follows_wherever_its_writer_dies() {
    for size in SIZES {
        let mut left = 0;
        loop {
            let store = ripe(size);
            let writer = dying(&store, left);
            let first = writer.show("stays").unwrap().version;
            let parcel = Parcel { round: 2, ..writer.load("stays").unwrap() };
            let options = ApplyOptions::new().onto(first.digest);
            let is_written = writer.apply_with("stays", &parcel, &options).is_ok();
            let other = on(&store);
            other.remove("stays@1").unwrap();
            assert_collects_to_the_end(&store);
            assert_whole(&store);
            let has_version = store.records("versions/stays/@0000000002").count() == 1;
            assert!(has_version || !is_written, "after {left} changes");
            if has_version {
                assert_loads(&store, "stays@2", 2, size);
            }
            if is_written {
                break;
            }
            left += 1;
        }
        assert!(left > 2, "{left} changes");
    }
}

#[test]
fn a_whole_collection_at_any_step_of_a_writer_takes_nothing_from_it() {
    let swept = AtomicUsize::new(0);
    for atomic in [true, false] {
        for size in SIZES {
            at_every_step(|at| {
                let store = ripe(size);
                let larder = on(&store);
                let log = Arc::new(Mutex::new(0));
                let (place, counted) = (store.clone(), Arc::clone(&log));
                let (happened, hook) = once_at(at, move || {
                    *counted.lock().unwrap() = gc(&on(&place)).deleted.len();
                    Ok(())
                });
                scripted(&store, atomic, hook).apply("again", &parcel(2, size)).unwrap();
                swept.fetch_add(*log.lock().unwrap(), Ordering::SeqCst);
                assert_loads(&store, "again", 2, size);
                assert_whole(&store);
                drop(larder);
                assert_collects_to_the_end(&store);
                assert_loads(&store, "again", 2, size);
                happened.load(Ordering::SeqCst)
            });
        }
    }
    assert!(swept.into_inner() > 20, "collectors were often first");
}

#[test]
fn a_whole_collection_at_any_step_of_a_restoration_is_before_or_after_it() {
    let (mut refused, mut restored) = (0, 0);
    for atomic in [true, false] {
        for size in SIZES {
            at_every_step(|at| {
                let store = ripe(size);
                let place = store.clone();
                let (happened, hook) = once_at(at, move || {
                    gc(&on(&place));
                    Ok(())
                });
                match scripted(&store, atomic, hook).maintenance().restore("goes@1") {
                    Ok(_) => {
                        restored += 1;
                        assert_loads(&store, "goes", 2, size);
                    }
                    Err(Error::Blocked { .. }) => refused += 1,
                    Err(error) => panic!("{error:?}"),
                }
                assert_whole(&store);
                assert_collects_to_the_end(&store);
                assert_whole(&store);
                happened.load(Ordering::SeqCst)
            });
        }
    }
    assert!(refused > 4 && restored > 4, "{refused} refused, {restored} restored");
}

#[test]
fn a_writer_at_any_step_of_a_collection_gets_what_it_wrote() {
    for atomic in [true, false] {
        for size in SIZES {
            at_every_step(|at| {
                let store = ripe(size);
                let writer = Arc::new(Mutex::new(None));
                let (place, started) = (store.clone(), Arc::clone(&writer));
                let (happened, hook) = once_at(at, move || {
                    let place = place.clone();
                    let thread = thread::spawn(move || {
                        on(&place).apply("again", &parcel(2, size)).map(drop)
                    });
                    // If it waits for this collector, it must not be waited for.
                    for _ in 0..100 {
                        if thread.is_finished() {
                            break;
                        }
                        thread::sleep(Duration::from_millis(1));
                    }
                    *started.lock().unwrap() = Some(thread);
                    Ok(())
                });
                gc(&scripted(&store, atomic, hook));
                let writer = writer.lock().unwrap().take();
                if let Some(writer) = writer {
                    writer.join().unwrap().unwrap();
                    assert_loads(&store, "again", 2, size);
                }
                assert_whole(&store);
                assert_collects_to_the_end(&store);
                assert_whole(&store);
                happened.load(Ordering::SeqCst)
            });
        }
    }
}

#[test]
fn a_collector_at_any_step_of_another_harms_nobody() {
    for atomic in [true, false] {
        at_every_step(|at| {
            let store = ripe(100);
            let place = store.clone();
            let (happened, hook) = once_at(at, move || {
                gc(&on(&place));
                Ok(())
            });
            gc(&scripted(&store, atomic, hook));
            assert_whole(&store);
            assert_collects_to_the_end(&store);
            assert_eq!(store.blobs().count(), 2);
            happened.load(Ordering::SeqCst)
        });
    }
}

/// A collector that was held up between its last look and the removal.
#[test]
fn a_collector_that_was_held_up_for_long_removes_nothing() {
    let store = ripe(100);
    let mut writes = 0;
    let collector = scripted(&store, true, move |step| {
        writes += usize::from(step == Step::Write);
        // The first write says what is being removed; the step after it comes a minute later.
        if writes == 1 && step == Step::Read {
            pass(Duration::from_secs(60));
        }
        Ok(())
    });
    assert_eq!(gc(&collector).deleted.len(), 0);
    assert_eq!(store.blobs().count(), 4);
    assert_eq!(gc(&on(&store)).pending.len(), 2, "for as long as it may be somebody's work");
    assert_collects_to_the_end(&store);
    assert_eq!(store.blobs().count(), 2);
}

/// A writer whose commit took longer than the grace period finds out, and mends it.
#[test]
fn a_writer_that_is_slower_than_the_grace_period_writes_again() {
    for size in SIZES {
        let store = MemoryStore::new();
        let larder = on(&store);
        larder.apply("goes", &parcel(2, size)).unwrap();
        larder.remove("goes@1").unwrap();
        pass(HOUR);
        let mut commits = 0;
        let place = store.clone();
        let slow = scripted(&store, true, move |step| {
            commits += usize::from(step == Step::Write);
            let is_commit = step == Step::Write && commits == if size == 100 { 1 } else { 2 };
            if is_commit {
                // It has looked at the records. Now blobs are condemned, and swept, before it commits.
                gc(&on(&place));
                pass(HOUR);
                assert_eq!(gc(&on(&place)).deleted.len(), 2);
                thread::sleep(Duration::from_millis(400));
            }
            Ok(())
        });
        slow.apply("slow", &parcel(2, size)).unwrap();
        assert_loads(&store, "slow", 2, size);
        assert_whole(&store);
    }
}

#[test]
fn a_writer_takes_back_in_one_commit_what_others_condemn_all_the_time() {
    let store = ripe(100_000);
    let larder = on(&store);
    let condemned: Vec<_> = store.records("gc/").map(|found| found.unwrap().0).collect();
    larder.apply("again", &parcel(2, 100_000)).unwrap();
    for key in condemned {
        let change = Change::RemoveRecord { key: key.clone(), expected: Expected::Absent };
        assert_eq!(store.commit(&[change]).unwrap(), Committed::All, "{key} is gone");
    }
}
