//! Copies that end half-way, and stores that lie.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder::bytes::Bytes;
use larder::maintenance::CopyOptions;
use larder::store::{Blob, BlobWriter, Capabilities, Change, Committed, Store};
use larder::store::{Corruption, Digest, MemoryStore};
use larder::{Error, Larder, Registry, Result};

use super::{Weights, place, records, stocked, weights};

/// A store in memory that keeps no commit whole, gives up after so many changes, and may hand out a blob with
/// another byte in it.
#[derive(Debug)]
struct Frail {
    inner: MemoryStore,
    left: AtomicUsize,
    flips: Option<Digest>,
}

impl Frail {
    fn new(inner: MemoryStore, changes: usize) -> Self {
        Self { inner, left: AtomicUsize::new(changes), flips: None }
    }

    fn spend(&self) -> Result<()> {
        let spent =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        spent.map(drop).map_err(|_| Error::store("write", "the cable was pulled"))
    }
}

impl Store for Frail {
    larder_tests::delegate!(
        inner: stat_blobs list_blobs remove_blobs remove_unfinished get_records list_records
    );

    fn url(&self) -> String {
        "frail:".into()
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_commit: false,
            isolated_commit: false,
            inline_blob: 2_000,
            is_remote: false,
        }
    }
    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        self.spend()?;
        self.inner.write_blob()
    }
    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        let mut blobs = self.inner.read_blobs(digests)?;
        for (digest, blob) in digests.iter().zip(&mut blobs) {
            if let (true, Some(found)) = (self.flips == Some(*digest), &blob) {
                let mut flipped = found.bytes()?.to_vec();
                flipped[0] ^= 1;
                *blob = Some(Bytes::from(flipped).into());
            }
        }
        Ok(blobs)
    }
    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        for (at, change) in changes.iter().enumerate() {
            self.spend()?;
            if let Committed::Conflict { .. } = self.inner.commit(std::slice::from_ref(change))? {
                return Ok(Committed::Conflict { at, made: at });
            }
        }
        Ok(Committed::All)
    }
}

fn larder(store: Frail) -> Larder {
    Larder::new(Arc::new(store), Registry::linked().unwrap())
}

/// The records, but for those that count the moves of tags: a move that broke off is made again, and a line that is
/// missing in a history is known from the tag.
fn settled(larder: &Larder) -> Vec<(String, String)> {
    let records = records(larder).into_iter().map(|(key, value)| {
        let value = String::from_utf8(value.to_vec()).unwrap();
        (key.to_string(), value)
    });
    let uncounted = |(key, value): (String, String)| match value.split_once(",\"moves\":") {
        Some((rest, _)) if key.starts_with("names/") => (key, format!("{rest}}}")),
        _ => (key, value),
    };
    records.filter(|(key, _)| !key.starts_with("moves/")).map(uncounted).collect()
}

#[test]
fn a_copy_that_ended_after_any_change_is_whole_so_far_and_completed_by_another() {
    let from = place("memory:");
    stocked(&from.larder);
    let whole = place("memory:");
    from.larder.maintenance().copy(Selection::All, &whole.larder, &CopyOptions::new()).unwrap();

    let mut broke_off = 0;
    for changes in 0.. {
        let inner = MemoryStore::new();
        let frail = larder(Frail::new(inner.clone(), changes));
        let first = from.larder.maintenance().copy(Selection::All, &frail, &CopyOptions::new());
        let after = larder(Frail::new(inner, usize::MAX));
        assert_eq!(
            after.maintenance().verify(Selection::All).unwrap().findings,
            [],
            "after {changes} changes"
        );
        for version in after.list() {
            after.load::<Weights>(version.unwrap().reference()).unwrap();
        }
        if first.is_ok() {
            break;
        }
        broke_off += 1;
        from.larder.maintenance().copy(Selection::All, &after, &CopyOptions::new()).unwrap();
        assert_eq!(settled(&after), settled(&whole.larder), "after {changes} changes");
        let applied = after.apply("net", &weights(50)).unwrap();
        assert_eq!(applied.version().version.get(), 4);
    }
    assert!(broke_off > 15, "it broke off {broke_off} times");
}

#[test]
fn a_copy_of_many_versions_that_ended_between_commits_is_completed_by_another() {
    let from = place("memory:");
    for layer in 0..70 {
        from.larder.apply("net", &weights(layer)).unwrap();
    }
    from.larder.remove("net@70").unwrap();
    let whole = place("memory:");
    from.larder.maintenance().copy(Selection::All, &whole.larder, &CopyOptions::new()).unwrap();
    for changes in (0..300).step_by(17) {
        let inner = MemoryStore::new();
        let frail = larder(Frail::new(inner.clone(), changes));
        let first = from.larder.maintenance().copy(Selection::All, &frail, &CopyOptions::new());
        let after = larder(Frail::new(inner, usize::MAX));
        from.larder.maintenance().copy(Selection::All, &after, &CopyOptions::new()).unwrap();
        assert_eq!(first.is_ok(), changes > 280, "{changes}");
        assert_eq!(records(&after), records(&whole.larder), "after {changes} changes");
    }
}

#[test]
fn a_version_on_its_way_out_is_not_taken_for_one_that_is_there() {
    let from = place("memory:");
    stocked(&from.larder);
    for changes in 2..5 {
        let inner = MemoryStore::new();
        let to = larder(Frail::new(inner.clone(), usize::MAX));
        stocked(&to);
        // The remover died after so many of its four changes; the first only asks whether there are notes.
        assert_eq!(larder(Frail::new(inner, changes)).remove("net@3").is_ok(), changes == 4);
        let copied =
            from.larder.maintenance().copy(Selection::All, &to, &CopyOptions::new()).unwrap();
        assert_eq!(copied.versions[1].to.get(), 4, "after {changes} changes");
        assert_eq!(to.load::<Weights>("net").unwrap().own.get().unwrap()[0], 3);
        assert_eq!(to.show("net").unwrap().version.version.get(), 4);
    }
}

#[test]
fn a_blob_with_a_flipped_bit_is_not_copied_whether_small_or_large() {
    let inner = MemoryStore::new();
    stocked(&larder(Frail::new(inner.clone(), usize::MAX)));
    let shown = larder(Frail::new(inner.clone(), usize::MAX)).show("net").unwrap();
    for entry in shown.manifest.artifacts() {
        let mut source = Frail::new(inner.clone(), usize::MAX);
        source.flips = Some(entry.digest);
        let to = place("fs:shelf");
        let error = larder(source)
            .maintenance()
            .copy(Selection::All, &to.larder, &CopyOptions::new())
            .unwrap_err();
        assert!(
            matches!(error, Error::Corrupt { fault: Corruption::Digest { .. }, .. }),
            "{error}"
        );
        let there = to.larder.store().stat_blobs(&[entry.digest]).unwrap();
        assert_eq!(there, [None]);
        assert_eq!(to.larder.maintenance().verify(Selection::All).unwrap().findings, []);
    }
}
