//! Rows that are found by the outputs of listeners.

use larder_collections::{Cursor, Filter, Find, LarderCollections, RowBatches, Scan};
use serde_json::{Value, json};

use super::tests::{attach, insert, shop, work};
use super::*;
use crate::index::{Like, SearchQuery};
use crate::nearest::Measure;

fn filter(text: &str) -> Filter {
    text.parse().unwrap()
}

fn rows_of(batches: RowBatches) -> Vec<u64> {
    batches.flat_map(|batch| batch.unwrap().ids.values().to_vec()).collect()
}

fn found(listeners: &Listeners, text: &str) -> Vec<u64> {
    rows_of(listeners.find_rows(&Find::default().filter(filter(text))).unwrap())
}

#[test]
fn rows_are_found_by_outputs_and_by_their_status() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum:prod", &["x"], "total");
    insert(&rows, [json!({ "id": 4, "x": [4.0, 0.5], "y": 4.0, "name": "n" })]);
    // The totals are 1.5, 2.5, 3.5, and missing.
    for (text, expected) in [
        ("_outputs.total > 2", &[1, 2][..]),
        ("_outputs.total > 2 and id < 3", &[1]),
        ("id < 3 and not _outputs.total > 2", &[0]),
        ("_outputs.total > 2 or id = 1", &[0, 1, 2]),
        ("not _outputs.total > 2", &[0, 3]),
        ("has _outputs.total", &[0, 1, 2]),
        ("_status.total = 'missing'", &[3]),
        ("_status.total != 'ok' or _outputs.total = 2.5", &[1, 3]),
        ("_outputs.total > 100", &[]),
    ] {
        assert_eq!(found(&listeners, text), expected, "{text}");
    }
    insert(&rows, [json!({ "id": 2, "x": [9.0, 0.5], "y": 2.0, "name": "n" })]);
    assert_eq!(found(&listeners, "_status.total = 'stale' and _outputs.total = 2.5"), [1]);
    work(&larder);
    assert_eq!(found(&listeners, "_outputs.total > 4"), [1, 3]);
    let batches = listeners.find_rows(&Find::default().filter(filter("_outputs.total = 9.5")));
    let batch = batches.unwrap().next().unwrap().unwrap();
    let row = larder_collections::row_of(&batch.rows, 0);
    assert_eq!((&row["id"], &row["_outputs"]), (&json!(2), &json!({ "total": 9.5 })));
}

#[test]
fn rows_are_sorted_projected_and_paged_by_outputs() {
    let (_, rows, listeners) = shop();
    attach(&listeners, "sum:prod", &["x"], "total");
    insert(&rows, [json!({ "id": 4, "x": [4.0, 0.5], "y": 4.0, "name": "n" })]);
    let by_total = Find::default().order("-_outputs.total".parse().unwrap());
    assert_eq!(rows_of(listeners.find_rows(&by_total).unwrap()), [2, 1, 0, 3], "nulls last");
    let two = by_total.clone().limit(2);
    assert_eq!(rows_of(listeners.find_rows(&two).unwrap()), [2, 1]);

    let columns = Scan::new().columns(["_status.total", "id", "_outputs.total"]);
    let batches = listeners.find_rows(&columns.filter(filter("id > 2")).into()).unwrap();
    let batches: Vec<_> = batches.map(Result::unwrap).collect();
    let rows_of = |batch: &larder_collections::RowBatch| -> Vec<Value> {
        let rows = 0..batch.rows.num_rows();
        rows.map(|at| Value::Object(larder_collections::row_of(&batch.rows, at))).collect()
    };
    let rows_found: Vec<_> = batches.iter().flat_map(rows_of).collect();
    let expected = [
        json!({ "_status.total": "ok", "id": 3, "_outputs.total": 3.5 }),
        json!({ "_status.total": "missing", "id": 4, "_outputs.total": null }),
    ];
    assert_eq!(rows_found, expected);
    let names: Vec<_> =
        batches[0].rows.schema_ref().fields().iter().map(|it| it.name().clone()).collect();
    assert_eq!(names, ["_status.total", "id", "_outputs.total"]);

    let version = listeners.with_outputs(&rows.latest().unwrap()).unwrap();
    let mut after: Option<Cursor> = None;
    let mut pages = Vec::new();
    loop {
        let page = version.page(&by_total.clone().limit(3), after.as_ref()).unwrap();
        pages.push(page.rows.ids.values().to_vec());
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!(pages, [vec![2, 1, 0], vec![3]]);
    let scan = Scan::new().filter(filter("_outputs.total >= 2.5"));
    assert_eq!(version.count(&scan).unwrap(), 2);
    // Computed fields are read if they are named.
    let batch = version.take(&[0], None).unwrap();
    assert!(batch.rows.schema_ref().fields().iter().all(|it| !it.name().starts_with('_')));
}

#[test]
fn names_of_no_listener_are_refused_with_near_ones() {
    let (larder, rows, listeners) = shop();
    larder.apply("embed", &super::tests::Embed { turn: false }).unwrap();
    larder.apply("any", &super::tests::Any {}).unwrap();
    let paused = |name| AttachOptions::new().name(name).paused(true);
    listeners.attach("embed", &["y"], &paused("angle")).unwrap();
    listeners.attach("any", &["*"], &paused("kind")).unwrap();
    attach(&listeners, "sum:prod", &["x"], "total");
    let refused = |text: &str| {
        let found = listeners.find_rows(&Find::default().filter(filter(text)));
        found.map(drop).unwrap_err().to_string()
    };
    let error = refused("_outputs.totl > 1 and id = 1");
    assert!(error.contains("did you mean `_outputs.total`"), "{error}");
    let error = refused("id = 1 and _status.totals = 'ok'");
    assert!(error.contains("`_status.total`"), "{error}");
    assert!(refused("_outputs.total = 'text'").contains("a number"));
    let error = refused("_outputs.kind > 1");
    assert!(error.contains("`kind`") && error.contains("none yet"), "{error}");
    // The type of the outputs is known before the first one where the model says it.
    let error = refused("_outputs.angle > 1");
    assert!(error.contains("list<float32>: only `has`"), "{error}");
    assert_eq!(found(&listeners, "_status.angle = 'missing' and not has _outputs.angle").len(), 3);
    // Without listeners, a version has stored fields alone.
    let scan = Scan::new().filter(filter("_outputs.total > 1"));
    let error = rows.latest().unwrap().scan(&scan).map(drop).unwrap_err().to_string();
    assert!(error.contains("no such field"), "{error}");
    let _ = larder.untyped_collection("shop/rows").unwrap();
}

#[test]
fn what_is_near_is_found_among_rows_with_an_output() {
    let (larder, _, listeners) = shop();
    attach(&listeners, "sum:prod", &["x"], "total");
    let indexed = listeners.index("x", &IndexOptions::new().measure(Measure::L2)).unwrap();
    larder.jobs().wait(&indexed.applied).unwrap();
    let near = SearchQuery::new(Like::Vector(vec![3.0, 0.5]), 2);
    let near = near.filter(filter("_outputs.total < 3 and id > 0"));
    let hits = listeners.search("x", &near).unwrap().found;
    assert_eq!(hits.iter().map(|hit| hit.row).collect::<Vec<_>>(), [1, 0]);
}
