//! Laws of engines, which keep the rows of collections.

mod random;
mod reads;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_collections::arrow_array::cast::AsArray;
use larder_collections::arrow_array::types::Int64Type;
use larder_collections::arrow_array::{Int64Array, RecordBatch, StringArray, UInt64Array};
use larder_collections::{
    Engine, EngineVersion, Field, Fold, Key, NewCollection, RowBatch, Scan, Schema, Write,
};
use larder_core::Error;

pub use random::{many_writers_lose_nothing, random_writes_match_a_model};
pub use reads::{
    a_delta_says_what_changed_and_compaction_changes_nothing, equal_rows_are_told_apart,
    filters_and_projections_are_those_of_all_rows, folds_divide_the_rows,
};

/// Opens another handle on the collection of a name at every call.
pub type OpenEngine<'a> = dyn Fn(&str) -> Arc<dyn Engine> + Sync + 'a;

/// Checks every law of engines on those that `open` returns. Every law uses a name of its own.
///
/// # Panics
/// If a law is broken.
pub fn all_engine_laws(open: &OpenEngine<'_>) {
    a_collection_is_created_once(open);
    each_write_is_a_version_and_versions_never_change(open);
    ids_are_stable_and_never_used_twice(open);
    a_write_of_nothing_is_no_version(open);
    appends_merge_and_two_edits_of_one_row_conflict(open);
    writes_that_began_together_are_committed_in_turn(open);
    inserts_that_follow_a_write_are_versions_of_their_own(open);
    a_strict_write_is_on_the_newest_version(open);
    keys_are_unique(open);
    a_delta_says_what_changed_and_compaction_changes_nothing(open);
    equal_rows_are_told_apart(open);
    filters_and_projections_are_those_of_all_rows(open);
    folds_divide_the_rows(open);
    many_writers_lose_nothing(open);
    random_writes_match_a_model(open);
}

/// A name that no other law uses.
fn fresh(law: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let process = std::process::id();
    format!("laws/{law}-{process}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn schema() -> Schema {
    let field =
        |name: &str, kind: &str| Field::new(name, kind.parse().unwrap_or_else(|_| unreachable!()));
    let text = |name| field(name, "text").nullable();
    let fields = [field("id", "int64"), text("text"), text("more")];
    Schema::new(fields).unwrap_or_else(|error| panic!("the schema of the laws: {error}"))
}

fn batch(ids: impl IntoIterator<Item = i64>, text: &str) -> RecordBatch {
    let ids: Vec<i64> = ids.into_iter().collect();
    let texts = StringArray::from(vec![Some(text); ids.len()]);
    // An engine may keep small rows in another way than large ones.
    let more = "more ".repeat(500);
    let more = StringArray::from_iter(ids.iter().map(|id| (id % 3 == 0).then_some(&more)));
    let columns =
        vec![Arc::new(Int64Array::from(ids)) as _, Arc::new(texts) as _, Arc::new(more) as _];
    RecordBatch::try_new(Arc::clone(schema().arrow()), columns)
        .unwrap_or_else(|error| panic!("a batch of the laws: {error}"))
}

fn insert(ids: impl IntoIterator<Item = i64>, text: &str) -> Write<'static> {
    let rows = batch(ids, text);
    Write { inserts: Some(Box::new(std::iter::once(Ok(rows)))), ..Write::default() }
}

fn update(row: u64, key: i64, text: &str) -> Write<'static> {
    let ids = UInt64Array::from(vec![row]);
    Write { updates: vec![RowBatch { ids, rows: batch([key], text) }], ..Write::default() }
}

fn delete(row: u64) -> Write<'static> {
    Write { deletes: vec![row], ..Write::default() }
}

fn create(engine: &dyn Engine, ids: impl IntoIterator<Item = i64>) -> Arc<dyn EngineVersion> {
    let new = NewCollection::new(schema()).with_key("id");
    sound(engine.create(new, insert(ids, "first")))
}

fn head(engine: &dyn Engine) -> Arc<dyn EngineVersion> {
    sound(engine.head()).unwrap_or_else(|| panic!("{} has a newest version", engine.name()))
}

/// Compacts in steps of one part.
fn compacted(engine: &dyn Engine) -> Arc<dyn EngineVersion> {
    loop {
        let step = sound(engine.compact(1));
        if step.left == 0 {
            return step.version;
        }
    }
}

fn sound<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// The rows of a scan, by their row ids: key and text.
fn rows(version: &dyn EngineVersion, scan: &Scan) -> BTreeMap<u64, (i64, String)> {
    let mut rows = BTreeMap::new();
    let mut last = None;
    for batch in sound(version.scan(scan)) {
        let batch = sound(batch);
        let keys = batch.rows.column(0).as_primitive::<Int64Type>();
        let texts = batch.rows.column(1).as_string::<i32>();
        for at in 0..batch.ids.len() {
            let id = batch.ids.value(at);
            assert!(last.is_none_or(|last| last < id), "rows come in the order of their ids");
            last = Some(id);
            rows.insert(id, (keys.value(at), texts.value(at).to_owned()));
        }
    }
    rows
}

fn all(version: &dyn EngineVersion) -> BTreeMap<u64, (i64, String)> {
    let rows = rows(version, &Scan::new());
    assert_eq!(rows.len() as u64, version.rows(), "a version knows the number of its rows");
    rows
}

/// A name without a collection has no newest version; creating it twice is a conflict.
pub fn a_collection_is_created_once(open: &OpenEngine<'_>) {
    let name = fresh("created");
    let (one, two) = (open(&name), open(&name));
    assert!(sound(one.head()).is_none(), "nothing is there before it is created");
    let new = || NewCollection::new(schema()).with_key("id");
    let made = sound(one.create(new(), Write::default()));
    assert_eq!((made.rows(), made.key()), (0, Some("id")));
    assert!(all(&*made).is_empty());
    assert!(two.create(new(), Write::default()).is_err(), "a collection is created once");
    assert_eq!(head(&*two).info().digest, made.info().digest);
}

/// A version that was read before reads the same afterwards, by any handle.
pub fn each_write_is_a_version_and_versions_never_change(open: &OpenEngine<'_>) {
    let name = fresh("versions");
    let engine = open(&name);
    let mut versions = vec![create(&*engine, 0..10)];
    let mut states = vec![all(&*versions[0])];
    for write in
        [insert(10..15, "second"), update(3, 3, "changed"), delete(4), insert([20], "last")]
    {
        let version = sound(engine.write(&versions[versions.len() - 1], write));
        assert!(version.info().version > versions[versions.len() - 1].info().version);
        states.push(all(&*version));
        versions.push(version);
    }
    assert_eq!(states[2][&3], (3, "changed".to_owned()));
    assert!(!states[3].contains_key(&4));
    let other = open(&name);
    for (version, state) in versions.iter().zip(&states) {
        assert_eq!(all(&**version), *state);
        assert_eq!(all(&*sound(other.at(version.info().version))), *state);
    }
}

/// An update keeps the id of a row, and the id of a deleted row is not used again.
pub fn ids_are_stable_and_never_used_twice(open: &OpenEngine<'_>) {
    let engine = open(&fresh("ids"));
    let first = create(&*engine, 0..5);
    let second = sound(engine.write(&first, update(2, 2, "new")));
    assert_eq!(all(&*second)[&2], (2, "new".to_owned()));
    let third = sound(engine.write(&second, delete(4)));
    let fourth = sound(engine.write(&third, insert([9], "after")));
    assert_eq!(all(&*fourth)[&5], (9, "after".to_owned()));
    assert_eq!(all(&*compacted(&*engine)), all(&*fourth));
    let taken = sound(fourth.take(&[5, 4, 0], None));
    assert_eq!(
        taken.ids.values().to_vec(),
        [5, 0],
        "in the order of the ids, without deleted ones"
    );
}

/// A write that changes nothing returns the newest version.
pub fn a_write_of_nothing_is_no_version(open: &OpenEngine<'_>) {
    let engine = open(&fresh("nothing"));
    let first = create(&*engine, 0..3);
    let same = sound(engine.write(&first, Write::default()));
    assert_eq!(same.info().version, first.info().version);
}

/// Writes on an old base succeed, unless they edit a row that was edited since; the error names the row.
pub fn appends_merge_and_two_edits_of_one_row_conflict(open: &OpenEngine<'_>) {
    let name = fresh("merge");
    let (one, two) = (open(&name), open(&name));
    let base = create(&*one, 0..4);
    let same_base = head(&*two);
    sound(one.write(&base, insert([10], "one")));
    sound(two.write(&same_base, insert([11], "two")));
    sound(one.write(&base, update(0, 0, "one")));
    sound(two.write(&same_base, update(1, 1, "two")));
    let error = two.write(&same_base, update(0, 0, "two")).err();
    let error = error.unwrap_or_else(|| panic!("two edits of one row conflict"));
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert!(error.to_string().contains("id = 0"), "it names the row: {error}");
    assert!(one.write(&base, delete(1)).is_err(), "an edit and a deletion conflict too");
    let rows = all(&*head(&*one));
    assert_eq!(rows.len(), 6);
    assert_eq!((&*rows[&0].1, &*rows[&1].1), ("one", "two"));
}

/// To a write that began, those that are committed before it are those of other writers. One that is dropped is no version.
pub fn writes_that_began_together_are_committed_in_turn(open: &OpenEngine<'_>) {
    let engine = open(&fresh("begun"));
    let base = create(&*engine, 0..3);
    let one = sound(engine.begin(&base, insert([10, 11], "one")));
    let two = sound(engine.begin(&base, insert([20], "two")));
    let same_key = sound(engine.begin(&base, insert([11], "three")));
    drop(sound(engine.begin(&base, insert([30], "dropped"))));
    // Ids are those of the commits.
    sound(two.commit());
    let newest = sound(one.commit());
    assert!(same_key.commit().is_err(), "its key was inserted after it began");
    let rows = all(&*head(&*engine));
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), (0..6).collect::<Vec<_>>());
    assert_eq!((rows[&3].0, rows[&4].0, rows[&5].0), (20, 10, 11));
    assert_eq!(head(&*engine).info().version, newest.info().version);
}

/// Inserts that were added to a write that began are versions after its own, on top of what others wrote meanwhile. The first that
/// is refused ends them, and those before it stay.
pub fn inserts_that_follow_a_write_are_versions_of_their_own(open: &OpenEngine<'_>) {
    let name = fresh("following");
    let (engine, other) = (open(&name), open(&name));
    let base = create(&*engine, 0..3);
    let rows = |ids: std::ops::Range<i64>| Box::new(std::iter::once(Ok(batch(ids, "following"))));
    let mut begun = sound(engine.begin(&base, update(1, 1, "changed")));
    sound(begun.add(rows(10..12)));
    sound(begun.add(rows(20..9_020)));
    sound(other.write(&base, insert([30_000], "other")));
    sound(begun.add(rows(10_000..10_001)));
    let mut done = Vec::new();
    sound(begun.commit_all(&mut done));
    let [one, two, three, four] = &done[..] else { panic!("four versions, not {done:?}") };
    let order = done.windows(2).all(|pair| pair[0].info().version < pair[1].info().version);
    assert!(order, "{done:?}");
    assert_eq!([one, two, three, four].map(|version| version.rows()), [4, 6, 9_006, 9_007]);
    assert_eq!(all(&**one)[&1].1, "changed");
    // Ids follow each other, also those of rows in between.
    let added = |version: &Arc<dyn EngineVersion>, before: &Arc<dyn EngineVersion>| {
        sound(version.delta(&**before)).inserted
    };
    assert_eq!(added(two, one), [4, 5]);
    assert_eq!(added(three, two), (6..9_006).collect::<Vec<_>>());
    assert_eq!(added(four, three), [9_006]);
    for version in &done {
        let read = sound(other.at(version.info().version));
        assert_eq!(all(&*read), all(&**version), "another handle reads the same");
    }

    let mut begun = sound(engine.begin(four, insert([40_000], "first")));
    sound(begun.add(rows(40_001..40_002)));
    // This key is of a row that is added before, and is found at the commit.
    sound(begun.add(rows(40_000..40_003)));
    sound(begun.add(rows(50_000..50_001)));
    assert!(begun.add(rows(20..21)).is_err(), "its key is there");
    let mut done = Vec::new();
    assert!(begun.commit_all(&mut done).is_err(), "a key is inserted once");
    assert_eq!(done.iter().map(|version| version.rows()).collect::<Vec<_>>(), [9_008, 9_009]);
    assert_eq!(head(&*other).rows(), 9_009, "nothing of what follows is there");

    let newest = head(&*engine);
    let mut begun = sound(engine.begin(&newest, insert([60_000], "first")));
    sound(begun.add(rows(60_001..60_003)));
    sound(begun.add(rows(60_003..60_004)));
    sound(other.write(&newest, insert([60_002], "other")));
    // This handle knows of the other's row.
    head(&*engine);
    let mut done = Vec::new();
    assert!(begun.commit_all(&mut done).is_err(), "a key that another one inserted meanwhile");
    assert_eq!(done.iter().map(|version| version.rows()).collect::<Vec<_>>(), [9_011]);
    assert_eq!(all(&*head(&*other)).values().filter(|row| row.0 >= 60_000).count(), 2);
}

/// A strict write on an older version is a conflict, and leaves nothing. What an engine has seen may be older than the newest.
pub fn a_strict_write_is_on_the_newest_version(open: &OpenEngine<'_>) {
    let name = fresh("strict");
    let (one, two) = (open(&name), open(&name));
    let strict = |key| Write { strict: true, ..insert([key], "strict") };
    let first = create(&*one, 0..3);
    let second = sound(one.write(&first, strict(10)));
    let base = head(&*two);
    sound(one.write(&second, insert([11], "one")));
    if let Some(seen) = two.seen() {
        assert!(seen.info().version <= head(&*one).info().version);
    }
    let error = two.write(&base, strict(12)).err();
    assert!(matches!(error, Some(Error::Conflict { .. })), "{error:?}");
    let begun = sound(two.begin(&head(&*two), strict(13)));
    sound(one.write(&base, insert([14], "one")));
    let error = begun.commit().err();
    assert!(matches!(error, Some(Error::Conflict { .. })), "{error:?}");
    let keys: Vec<i64> = all(&*head(&*two)).into_values().map(|row| row.0).collect();
    assert_eq!(keys, [0, 1, 2, 10, 11, 14]);
}

/// A key that is there, or twice in one write, refuses all of it.
pub fn keys_are_unique(open: &OpenEngine<'_>) {
    let engine = open(&fresh("keys"));
    let base = create(&*engine, [5, 1, 3]);
    assert!(engine.write(&base, insert([7, 3], "known")).is_err());
    assert!(engine.write(&base, insert([8, 9, 8], "twice")).is_err());
    let found = sound(base.find_keys(&[Key::from(3i64), Key::from(4i64), Key::from(5i64)]));
    assert_eq!(found, [Some(2), None, Some(0)]);
    let after = sound(engine.write(&base, insert([7], "new")));
    assert!(engine.write(&base, insert([7], "since then")).is_err(), "also on an old base");
    let deleted = sound(engine.write(&after, delete(2)));
    assert_eq!(sound(deleted.find_keys(&[Key::from(3i64)])), [None]);
    sound(engine.write(&deleted, insert([3], "again")));
}
