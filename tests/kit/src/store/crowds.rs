//! Laws of concurrent use. Every thread opens its own handle.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use larder_core::store::{Committed, Expected, RecordKey};
use larder_core::store::{Digest, Store, StoreExt, record};

use super::{
    Open, commit, fresh_bytes, fresh_name, get, get_blob, json, key, list, ok, put, put_blob,
    remove, write_blob,
};

/// Number of threads that use a store at once.
const THREADS: usize = 6;

/// Parses the number in a record.
#[track_caller]
fn number(store: &dyn Store, key: &RecordKey) -> Option<u64> {
    let text = get(store, key).map(|record| String::from_utf8_lossy(&record.value).into_owned())?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("{key} holds {text:?}, which was never written"),
    }
}

/// Concurrent increments, each conditional on the revision read, lose no update.
pub fn no_update_is_lost(open: &Open<'_>) {
    const STEPS: u64 = 20;
    let counter = key(&fresh_name("counter"));
    commit(&*open(), &[put(&counter, &"0".into(), Expected::Absent)]);
    let step = |store: &dyn Store| {
        loop {
            let Some(now) = get(store, &counter) else { panic!("{counter} is gone") };
            let text = String::from_utf8_lossy(&now.value);
            let next = text.parse::<u64>().map(|number| (number + 1).to_string());
            let Ok(next) = next else {
                panic!("{counter} holds {text:?}, which was never written")
            };
            let change = put(&counter, &next.into(), Expected::Revision(now.revision));
            if ok(store.commit(&[change]), "commit") == Committed::All {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let store = open();
                (0..STEPS).for_each(|_| step(&*store));
            });
        }
    });
    let expected = THREADS as u64 * STEPS;
    assert_eq!(number(&*open(), &counter), Some(expected), "steps that were not lost");
}

/// Of many threads that create one record, exactly one succeeds, and the others get a conflict.
pub fn one_of_many_is_the_first(open: &Open<'_>) {
    const ROUNDS: usize = 10;
    let name = fresh_name("race");
    let start = Barrier::new(THREADS);
    let run = |thread: usize| {
        let store = open();
        let won = |round: usize| {
            start.wait();
            let key = key(&format!("{name}/{round}"));
            let changes = [put_blob(&fresh_bytes(10)), put(&key, &json(thread), Expected::Absent)];
            match ok(store.commit(&changes), "commit") {
                Committed::All => true,
                Committed::Conflict { at, .. } => {
                    assert_eq!(at, 1, "the change that failed");
                    false
                }
            }
        };
        (0..ROUNDS).filter(|round| won(*round)).collect::<Vec<_>>()
    };
    let run = &run;
    let won: Vec<Vec<usize>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        threads.into_iter().map(|thread| joined(thread.join())).collect()
    });
    let store = open();
    for round in 0..ROUNDS {
        let winners: Vec<_> = (0..THREADS).filter(|thread| won[*thread].contains(&round)).collect();
        let [winner] = winners[..] else { panic!("{winners:?} all put the first record") };
        let found = get(&*store, &key(&format!("{name}/{round}"))).map(|record| record.value);
        assert_eq!(found, Some(json(winner)), "the content of the one that won");
    }
}

/// Many threads may write one blob at once, by a writer or a commit. All succeed, and the blob is whole.
pub fn many_may_write_one_blob(open: &Open<'_>) {
    for size in [50, 300_000] {
        let bytes = fresh_bytes(size);
        let digest = Digest::of(&bytes);
        let start = Barrier::new(THREADS);
        let run = |thread: usize| {
            let store = open();
            start.wait();
            match thread % 2 {
                0 => drop(write_blob(&*store, &bytes)),
                _ => commit(&*store, &[put_blob(&bytes)]),
            }
            let found = get_blob(&*store, &digest);
            assert!(found.as_ref() == Some(&bytes), "a blob written by many at once");
        };
        let run = &run;
        thread::scope(|scope| {
            for thread in 0..THREADS {
                scope.spawn(move || run(thread));
            }
        });
        assert!(get_blob(&*open(), &digest) == Some(bytes), "a blob written by many at once");
    }
}

/// Runs `write` in this thread, and `watch` repeatedly in another until `write` has ended.
fn while_writing(write: impl FnOnce(), watch: impl Fn() + Sync) {
    /// Ends the watching even if the writer panics.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                watch();
            }
        });
        let end = End(&ended);
        write();
        drop(end);
        joined(watcher.join());
    });
}

fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A record changes as a whole. Readers see the old content or the new.
pub fn nobody_sees_half_a_record(open: &Open<'_>) {
    let key = key(&fresh_name("whole"));
    let contents = ["a", "b"].map(|letter| json(letter.repeat(50_000)));
    let (writer, reader) = (open(), open());
    commit(&*writer, &[put(&key, &contents[0], Expected::Absent)]);
    while_writing(
        || {
            for n in 0..30 {
                commit(&*writer, &[put(&key, &contents[n % 2], Expected::Anything)]);
            }
        },
        || {
            let found = get(&*reader, &key).map(|record| record.value);
            let whole = found.is_some_and(|found| contents.contains(&found));
            assert!(whole, "a reader saw half of a record, or none");
        },
    );
}

/// A reader that sees a record also sees the blobs before it in the same commit.
pub fn a_record_is_never_seen_before_its_blobs(open: &Open<'_>) {
    let key = key(&fresh_name("points"));
    let (writer, reader) = (open(), open());
    let next = |expected| {
        let bytes = fresh_bytes(1_000);
        let value = format!("\"{}\"", Digest::of(&bytes).to_hex()).into();
        commit(&*writer, &[put_blob(&bytes), put(&key, &value, expected)]);
    };
    next(Expected::Absent);
    while_writing(
        || (0..30).for_each(|_| next(Expected::Anything)),
        || {
            let Some(found) = get(&*reader, &key) else { panic!("{key} is gone") };
            let text = String::from_utf8_lossy(&found.value).replace('"', "");
            let digest = ok(Digest::from_hex(&text), "read the digest in a record");
            let there = get_blob(&*reader, &digest).map(|bytes| Digest::of(&bytes));
            assert_eq!(there, Some(digest), "the blob that a record points to");
        },
    );
}

/// While records are written and removed, a listing returns every other record exactly once.
pub fn a_listing_misses_nothing_while_others_write(open: &Open<'_>) {
    let name = fresh_name("busy");
    let (writer, reader) = (open(), open());
    let stays: Vec<_> = (0..40).map(|n| format!("{name}/{n:03}-stays")).collect();
    let changes: Vec<_> =
        stays.iter().map(|text| put(&key(text), &json("stays"), Expected::Absent)).collect();
    commit(&*writer, &changes);
    while_writing(
        || {
            for n in 0..40 {
                let comes = key(&format!("{name}/{:03}", (n * 7) % 40));
                commit(&*writer, &[put(&comes, &json("comes"), Expected::Anything)]);
                if n % 2 == 0 {
                    commit(&*writer, &[remove(&comes, Expected::Anything)]);
                }
            }
        },
        || {
            // `list` checks the order, so no key occurs twice.
            let mut found = list(&*reader, &name, 7);
            found.retain(|key| key.ends_with("-stays"));
            assert_eq!(found, stays, "records that were not changed");
        },
    );
    assert!(ok(reader.get_record(&key(&stays[0])), "get a record").is_some());
}

/// A record that is rewritten all the time is in every listing.
///
/// Some file systems list neither file if a file is renamed over another while the folder is read.
pub fn a_listing_shows_what_is_written_anew(open: &Open<'_>) {
    let name = fresh_name("anew");
    let (writer, reader) = (open(), open());
    let all: Vec<_> = (0..200).map(|n| format!("{name}/{n:03}")).collect();
    let changes: Vec<_> =
        all.iter().map(|text| put(&key(text), &json("first"), Expected::Absent)).collect();
    commit(&*writer, &changes);
    while_writing(
        || {
            for n in 0..200 {
                let anew = key(&all[(n * 7) % all.len()]);
                commit(&*writer, &[put(&anew, &json(n), Expected::Anything)]);
            }
        },
        || assert_eq!(list(&*reader, &name, 1_000), all, "records that are rewritten"),
    );
}

/// Of two commits, each of which depends on a record that the other changes, one is made at most.
pub fn commits_do_not_cross(open: &Open<'_>) {
    const ROUNDS: usize = 20;
    let store = open();
    if !store.capabilities().isolated_commit {
        return;
    }
    for round in 0..ROUNDS {
        let name = fresh_name("cross");
        let keys = [key(&format!("{name}/@a")), key(&format!("{name}/@b"))];
        // Half of the rounds depend on presence, half on absence.
        if round % 2 == 0 {
            commit(&*store, &keys.each_ref().map(|key| put(key, &json(0), Expected::Absent)));
        }
        let found = keys.each_ref().map(|key| get(&*store, key));
        let barrier = Barrier::new(2);
        let cross = |own: usize| {
            let (store, other) = (open(), 1 - own);
            let depend = record::unchanged(keys[other].clone(), found[other].as_ref());
            let change = put(&keys[own], &json(1), record::expect(found[own].as_ref()));
            barrier.wait();
            ok(store.commit(&[depend, change]), "commit")
        };
        let made = thread::scope(|scope| {
            let others = [0, 1].map(|own| scope.spawn(move || cross(own)));
            others.map(|other| joined(other.join()))
        });
        assert_ne!(made, [Committed::All; 2], "{}: both of two crossing commits", store.url());
    }
}
