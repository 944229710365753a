//! A store in memory that calls the test before each step.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use larder::bytes::Bytes;
use larder::maintenance::{GcOptions, GcReport};
use larder::serializers::RawBytes;
use larder::store::{BlobWriter, Capabilities, Change, Committed, Record, RecordKey};
use larder::store::{Digest, MemoryStore, Store, StoreExt};
use larder::{Artifact, Larder, Registry, Result};
use larder_tests::Parcel;
use larder_tests::stepwise::Stepwise;

pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A step of somebody who works on the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Read,
    Write,
}

type Hook = Box<dyn FnMut(Step) -> Result<()> + Send>;

/// A store in memory whose commits are made change by change, or as a whole.
pub(crate) struct Scripted {
    store: MemoryStore,
    atomic: bool,
    hook: Mutex<Hook>,
}

impl Scripted {
    fn step(&self, step: Step) -> Result<()> {
        (self.hook.lock().unwrap())(step)
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

#[deny(clippy::missing_trait_methods)]
impl Store for Scripted {
    larder_tests::delegate!(store: read_blobs remove_unfinished);

    fn url(&self) -> String {
        "test:scripted".into()
    }
    fn capabilities(&self) -> Capabilities {
        let (atomic_commit, isolated_commit) = (self.atomic, self.atomic);
        Capabilities { atomic_commit, isolated_commit, ..self.store.capabilities() }
    }
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.step(Step::Write)?;
        self.store.write_blob()
    }
    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        self.step(Step::Read)?;
        self.store.stat_blobs(digests)
    }
    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.step(Step::Read)?;
        self.store.list_blobs(after, limit)
    }
    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        for digest in digests {
            self.step(Step::Write)?;
            self.store.remove_blobs(std::slice::from_ref(digest))?;
        }
        Ok(())
    }
    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.step(Step::Read)?;
        self.store.get_records(keys)
    }
    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        self.step(Step::Read)?;
        self.store.list_records(prefix, after, limit)
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        if self.atomic {
            self.step(Step::Write)?;
            return self.store.commit(changes);
        }
        for (at, change) in changes.iter().enumerate() {
            self.step(Step::Write)?;
            if self.store.commit(std::slice::from_ref(change))? != Committed::All {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}

thread_local! {
    static NOW: Cell<Duration> = const { Cell::new(Duration::from_secs(1_800_000_000)) };
}

/// Lets time pass for this thread.
pub(crate) fn pass(time: Duration) {
    NOW.set(NOW.get() + time);
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW.get()
}

/// The larder on a store, by the clock of this thread.
pub(crate) fn on(store: &MemoryStore) -> Larder {
    Larder::new(Arc::new(store.clone()), Registry::linked().unwrap()).with_clock(now)
}

/// The same, with `hook` called before each step.
pub(crate) fn scripted(
    store: &MemoryStore,
    atomic: bool,
    hook: impl FnMut(Step) -> Result<()> + Send + 'static,
) -> Larder {
    let scripted = Scripted { store: store.clone(), atomic, hook: Mutex::new(Box::new(hook)) };
    Larder::new(Arc::new(scripted), Registry::linked().unwrap()).with_clock(now)
}

/// The same, for a writer that dies after `left` changes of commits, which are made one by one, but isolated.
pub(crate) fn dying(store: &MemoryStore, left: usize) -> Larder {
    let stepwise = Stepwise::stopping_after(left, store).isolated();
    Larder::new(Arc::new(stepwise), Registry::linked().unwrap()).with_clock(now)
}

/// A small artifact travels in the commit; a large one is written before it.
pub(crate) const SIZES: [usize; 2] = [100, 100_000];

pub(crate) fn parcel(round: u64, size: usize) -> Parcel {
    let content = vec![round as u8; size];
    Parcel { round, content: Artifact::<Bytes, RawBytes>::new(content.into()) }
}

pub(crate) fn gc(larder: &Larder) -> GcReport {
    larder.maintenance().gc(&GcOptions::new().grace(HOUR)).unwrap()
}

/// Every version that is there is whole, and nothing is dangling.
#[track_caller]
pub(crate) fn assert_whole(store: &MemoryStore) {
    // Some commits were cut short: that is no fault in a store that makes them in steps.
    let stepwise = Stepwise::stopping_after(usize::MAX, store);
    let larder = Larder::new(Arc::new(stepwise), Registry::linked().unwrap());
    assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
}

#[track_caller]
pub(crate) fn assert_loads(store: &MemoryStore, reference: &str, round: u64, size: usize) {
    let parcel: Parcel = on(store).load(reference).unwrap();
    assert_eq!((parcel.round, parcel.content.get().unwrap().len()), (round, size));
}

/// After enough runs nothing is left but what versions need.
#[track_caller]
pub(crate) fn assert_collects_to_the_end(store: &MemoryStore) {
    for _ in 0..3 {
        pass(HOUR + Duration::from_secs(1));
        gc(&on(store));
    }
    assert_eq!(on(store).maintenance().verify(Selection::All).unwrap().orphans.unwrap().count, 0);
    assert_eq!(store.records("gc/").count(), 0);
}

/// A larder with a version that stays, and a removed one, whose blobs no other needs and which are condemned:
/// a collection would remove them now.
pub(crate) fn ripe(size: usize) -> MemoryStore {
    let store = MemoryStore::new();
    let larder = on(&store);
    larder.apply("stays", &parcel(1, size)).unwrap();
    larder.apply("goes", &parcel(2, size)).unwrap();
    larder.remove("goes@1").unwrap();
    pass(HOUR);
    assert_eq!(gc(&larder).marked.len(), 2);
    pass(HOUR);
    store
}
