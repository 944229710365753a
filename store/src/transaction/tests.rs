use super::*;
use crate::name::VersionNumber;
use crate::{MemoryStore, StoreExt};

/// A record of one number.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct NumberRecord {
    larder: u64,
    version: VersionNumber,
}

impl NumberRecord {
    fn new(version: VersionNumber) -> Self {
        Self { larder: 1, version }
    }
}

crate::documents!(NumberRecord);

fn key(text: &str) -> RecordKey {
    RecordKey::new(text).unwrap()
}

fn number(number: u64) -> NumberRecord {
    NumberRecord::new(VersionNumber::new(number).unwrap())
}

fn stored(store: &MemoryStore, text: &str) -> Option<u64> {
    let found = store.get_record(&key(text)).unwrap()?;
    Some(record::read::<NumberRecord>(&key(text), &found).unwrap().version.get())
}

/// Another writer.
fn write(store: &MemoryStore, text: &str, value: u64) {
    let mut other = Transaction::new(store);
    other.put_any(key(text), &number(value)).unwrap();
    other.commit_unconditional().unwrap();
}

#[test]
fn a_conflict_is_tried_again_with_what_the_other_writer_wrote() {
    let store = MemoryStore::new();
    let attempts = transact(&store, "a", |tx| {
        let found: Option<NumberRecord> = tx.read(&key("a"))?;
        if tx.attempt() < 2 {
            write(&store, "a", u64::from(tx.attempt()) + 10);
        }
        let next = found.map_or(1, |found| found.version.get() + 1);
        tx.put(key("a"), &number(next))?;
        Ok(Outcome::Commit(tx.attempt() + 1))
    });
    assert_eq!(attempts.unwrap(), 3);
    assert_eq!(stored(&store, "a"), Some(12));
}

#[test]
fn conflicts_without_end_are_an_error_that_names_what_was_to_be_written() {
    let store = MemoryStore::new();
    let mut attempts = Vec::new();
    let done: Result<()> = transact_up_to(4, &store, format_args!("the tag {}", "prod"), |tx| {
        attempts.push((tx.attempt(), tx.is_last_attempt()));
        tx.get(&key("a"))?;
        write(&store, "a", u64::from(tx.attempt()) + 10);
        tx.put(key("a"), &number(1))?;
        Ok(Outcome::Commit(()))
    });
    assert!(matches!(done, Err(Error::Conflict { what }) if what == "the tag prod"));
    assert_eq!(attempts, [(0, false), (1, false), (2, false), (3, true)]);
    assert_eq!(stored(&store, "a"), Some(13));

    let done: Result<()> = transact_up_to(4, &store, "a", |_| Ok(Outcome::Retry));
    assert!(matches!(done, Err(Error::Conflict { .. })));
}

#[test]
fn an_attempt_that_is_done_or_fails_writes_nothing() {
    let store = MemoryStore::new();
    let done = transact(&store, "a", |tx| {
        tx.put_new(key("a"), &number(1))?;
        Ok(Outcome::Done(7))
    });
    assert_eq!(done.unwrap(), 7);
    let failed: Result<()> = transact(&store, "a", |tx| {
        tx.put_new(key("a"), &number(1))?;
        Err(Error::Refused { action: "do it".into(), reason: "no".into() })
    });
    assert!(matches!(failed, Err(Error::Refused { .. })));
    assert_eq!(stored(&store, "a"), None);
}

#[test]
fn changes_are_committed_in_the_order_in_which_they_were_added() {
    let store = MemoryStore::new();
    write(&store, "b", 1);
    let mut tx = Transaction::new(&store);
    tx.get_each([&key("b"), &key("d")]).unwrap();
    tx.put_new(key("a"), &number(1)).unwrap();
    tx.require(key("b")).unwrap();
    tx.remove_any(key("c"));
    tx.require(key("d")).unwrap();
    tx.put_any(key("e"), &number(1)).unwrap();
    assert_eq!(tx.len(), 5);
    write(&store, "d", 1);
    assert_eq!(tx.commit_once().unwrap(), Committed::Conflict { at: 3, made: 0 });
    assert_eq!(stored(&store, "a"), None);
}

#[test]
fn reads_are_repeatable_and_a_change_expects_the_first() {
    let store = MemoryStore::new();
    let mut tx = Transaction::new(&store);
    assert!(tx.get(&key("a")).unwrap().is_none());
    write(&store, "a", 5);
    assert!(tx.get(&key("a")).unwrap().is_none());
    tx.remove(key("a")).unwrap();
    assert_eq!(tx.commit_once().unwrap(), Committed::Conflict { at: 0, made: 0 });
    assert_eq!(stored(&store, "a"), Some(5));
}

#[test]
fn a_change_of_a_record_that_was_not_read_is_refused() {
    let store = MemoryStore::new();
    let mut tx = Transaction::new(&store);
    assert!(matches!(tx.put(key("a"), &number(1)), Err(Error::Internal { .. })));
    assert!(matches!(tx.remove(key("a")), Err(Error::Internal { .. })));
    assert!(matches!(tx.require(key("a")), Err(Error::Internal { .. })));
}

#[test]
fn pauses_are_bounded_and_differ() {
    let mut backoff = Backoff::default();
    let mut bound = FIRST_PAUSE;
    let mut pauses = Vec::new();
    for _ in 0..100 {
        let pause = backoff.next_pause();
        assert!(pause <= bound, "{pause:?} of {bound:?}");
        bound = MAX_PAUSE.min(bound * 2);
        pauses.push(pause);
    }
    assert!(pauses[50..].iter().any(|pause| *pause > MAX_PAUSE / 4));
    pauses.sort_unstable();
    pauses.dedup();
    assert!(pauses.len() > 50, "{pauses:?}");
}
