//! Batches that are inserted as versions in a row.
#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::Cell;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use larder_collections::{Insert, LarderCollections, Scan, UntypedCollection};
use larder_core::{Error, Registry};
use larder_store_fs as _;

fn batch(ids: std::ops::Range<i64>, text: &str) -> RecordBatch {
    let texts = StringArray::from_iter_values(ids.clone().map(|id| format!("{text} {id}")));
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(ids));
    RecordBatch::try_from_iter([("id", ids), ("text", Arc::new(texts) as ArrayRef)]).unwrap()
}

/// Runs a test on a collection in memory and on one in a folder, where large files are written ahead.
fn on_each_store(test: impl Fn(UntypedCollection)) {
    let folder = tempfile::tempdir().unwrap();
    for url in ["memory:".to_owned(), format!("fs:{}", folder.path().display())] {
        let larder = Registry::linked().unwrap().open(url.as_str()).unwrap();
        test(larder.untyped_collection("shop/rows").unwrap());
    }
}

fn ids(collection: &UntypedCollection) -> Vec<u64> {
    let version = collection.latest().unwrap();
    let batches = version.scan(&Scan::new()).unwrap();
    batches.flat_map(|batch| batch.unwrap().ids.values().to_vec()).collect()
}

#[test]
fn each_batch_is_a_version_in_its_order() {
    on_each_store(|shop| {
        let sizes = [1, 9_000, 3, 9_000, 9_000, 1, 1, 9_000, 20];
        let starts = sizes.iter().scan(0, |next, size| {
            *next += size;
            Some(*next - size)
        });
        let ranges: Vec<_> = starts.zip(sizes).map(|(start, size)| start..start + size).collect();
        let batches = ranges.iter().map(|range| Ok(batch(range.clone(), "row")));
        let inserted = shop.insert_versions(batches, Insert::new().key("id"));
        let inserted: Vec<_> = inserted.collect::<Result<_, _>>().unwrap();
        assert_eq!(inserted.len(), sizes.len());
        for ((at, inserted), range) in inserted.iter().enumerate().zip(&ranges) {
            assert_eq!(inserted.version.info().version.get(), at as u64 + 1);
            assert_eq!(inserted.inserted, (range.end - range.start) as u64);
            assert_eq!(inserted.version.rows(), range.end as u64);
        }
        let all = ranges.last().unwrap().end as u64;
        assert_eq!(ids(&shop), (0..all).collect::<Vec<_>>());
        assert_eq!(shop.versions().unwrap().len(), sizes.len());
    });
}

#[test]
fn a_batch_that_fails_leaves_those_before_it_and_ends() {
    on_each_store(|shop| {
        // The third repeats a key of the second, which is not committed when the third is encoded.
        let ranges = [0..9_000, 9_000..18_000, 17_999..18_005, 30_000..30_001];
        let batches = ranges.into_iter().map(|range| Ok(batch(range, "row")));
        let mut inserted = shop.insert_versions(batches, Insert::new().key("id"));
        assert_eq!(inserted.next().unwrap().unwrap().version.rows(), 9_000);
        assert_eq!(inserted.next().unwrap().unwrap().version.rows(), 18_000);
        let error = inserted.next().unwrap().unwrap_err();
        assert!(error.to_string().contains("17999"), "{error}");
        assert!(inserted.next().is_none());
        assert_eq!(shop.versions().unwrap().len(), 2);

        // An error of the source comes after the versions before it.
        let stopped = || Error::Refused { action: "read".into(), reason: "the end".into() };
        let batches = [Ok(batch(40_000..40_009, "row")), Err(stopped()), Ok(batch(0..1, "row"))];
        let mut inserted = shop.insert_versions(batches, Insert::new());
        assert_eq!(inserted.next().unwrap().unwrap().inserted, 9);
        assert!(inserted.next().unwrap().unwrap_err().to_string().contains("the end"));
        assert!(inserted.next().is_none());
        assert_eq!(shop.latest().unwrap().rows(), 18_009);
    });
}

#[test]
fn only_a_few_batches_are_read_before_their_turn_and_none_without_use() {
    on_each_store(|shop| {
        let read = Cell::new(0);
        let batches = || {
            (0..100).map(|at| {
                read.set(read.get() + 1);
                Ok(batch(at * 10..at * 10 + 10, "row"))
            })
        };
        drop(shop.insert_versions(batches(), Insert::new().key("id")));
        assert_eq!(read.get(), 0);
        assert!(shop.head().unwrap().is_none());
        for (at, inserted) in shop.insert_versions(batches(), Insert::new().key("id")).enumerate() {
            inserted.unwrap();
            // Those that are committed with it, and the next ones.
            assert!(read.get() <= at + 33, "{} batches were read for {at}", read.get());
        }
        assert_eq!(read.get(), 100);
        assert_eq!(shop.latest().unwrap().rows(), 1_000);
    });
}

#[test]
fn rows_that_replace_those_of_the_batch_before_are_updates() {
    on_each_store(|shop| {
        let batches = [0..4, 2..6, 5..6].map(|range| Ok(batch(range, "row")));
        let inserted = shop.insert_versions(batches, Insert::new().key("id").upsert());
        let counts = inserted.map(|it| it.map(|it| (it.inserted, it.updated)));
        let counts: Vec<_> = counts.collect::<Result<_, _>>().unwrap();
        assert_eq!(counts[1..], [(2, 2), (0, 1)]);
        assert_eq!(shop.latest().unwrap().rows(), 6);
    });
}

#[test]
fn files_that_were_just_written_are_merged() {
    // Few rows, whose files are too large to wait for the commit.
    let text = "long ".repeat(4_000);
    on_each_store(|shop| {
        let batches = (0..40).map(|at| Ok(batch(at * 8..at * 8 + 8, &text)));
        let inserted = shop.insert_versions(batches, Insert::new().key("id"));
        assert_eq!(inserted.filter(Result::is_ok).count(), 40);
        let version = shop.latest().unwrap();
        assert!(version.layout().fragments < 20, "{:?}", version.layout());
        assert_eq!(ids(&shop), (0..320).collect::<Vec<_>>());
    });
}

#[test]
fn rows_of_a_type_with_a_new_field_are_inserted_as_versions() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Before {
        id: u64,
    }
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Now {
        id: u64,
        stars: Option<u8>,
    }
    on_each_store(|shop| {
        let larder = shop.larder();
        let before = larder.collection::<Before>("shop/rows").unwrap().with_key("id");
        before.insert(&[Before { id: 0 }]).unwrap();
        let now = larder.collection::<Now>("shop/rows").unwrap().with_key("id");
        let rows = (0..3).map(|batch| {
            let ids = 1 + batch * 5_000..1 + (batch + 1) * 5_000;
            ids.map(|id| Now { id, stars: Some(batch as u8) }).collect::<Vec<_>>()
        });
        let inserted = now.insert_versions(rows).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(inserted.last().unwrap().version.info().version.get(), 4);
        assert_eq!(now.count(None).unwrap(), 15_001);
        for (id, stars) in [(0, None), (1, Some(0)), (5_001, Some(1)), (15_000, Some(2))] {
            assert_eq!(now.get(id as u64).unwrap().unwrap().stars, stars, "{id}");
        }
        // A key that is there ends the iterator; what comes before stays.
        let rows = [vec![Now { id: 20_000, stars: None }], vec![Now { id: 7, stars: None }]];
        let mut inserted = now.insert_versions(rows).unwrap();
        assert!(inserted.next().unwrap().is_ok());
        assert!(matches!(inserted.next().unwrap(), Err(Error::Refused { .. })));
        assert!(inserted.next().is_none());
        assert_eq!(now.count(None).unwrap(), 15_002);
    });
}
