//! Outputs whose inputs are kept as fingerprints, and those that name a version of the collection.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, FixedSizeBinaryArray, Float64Array, RecordBatch, StringArray, UInt8Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema};
use larder_collections::{ArrowFile, Key, LarderCollections, UntypedCollection};
use larder_core::Artifact;
use larder_core::versions::RemoveOptions;
use larder_store_fs as _;
use larder_store_sqlite as _;
use serde_json::json;

use super::inputs::{ChunkInputs, Rows, fingerprints};
use super::outputs::{OutputFragment, OutputStatus, Outputs, RowState};
use super::source::Source;
use super::tests::{Sum, attach, insert, shop, work};
use super::*;

/// The newest outputs of the only listener.
fn stored(listeners: &Listeners) -> (VersionInfo, Outputs) {
    listeners.outputs_of(&listeners.all().unwrap()[0]).unwrap().unwrap()
}

fn names(fragment: &OutputFragment) -> Vec<String> {
    let batch = fragment.data.get().unwrap().batch().unwrap();
    batch.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn last_report(larder: &Larder) -> FillReport {
    let job = larder.jobs().list(&larder_jobs::JobsQuery::new()).last().unwrap().unwrap();
    serde_json::from_str(job.output.unwrap().get()).unwrap()
}

fn touch(rows: &UntypedCollection, id: i64, x: f64, name: &str) {
    insert(rows, [json!({ "id": id, "x": [x, 0.5], "y": 1.0, "name": name })]);
}

#[test]
fn columns_that_follow_from_others_are_not_written() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    let (_, outputs) = stored(&listeners);
    assert_eq!(names(&outputs.fragments[0]), ["value"]);
    assert_eq!(outputs.fragments[0].seen, Some(1));
    // A row that was deleted leaves a gap once the fragments are merged.
    rows.delete_keys(&[Key::from(2_i64)]).unwrap();
    work(&larder);
    let (_, outputs) = stored(&listeners);
    assert_eq!(names(&outputs.fragments[0]), ["status", "value"]);
    assert_eq!((outputs.ok, outputs.fragments[0].rows), (2, 3));
    let read: Outputs = larder.load("shop/rows.outputs/total").unwrap();
    assert_eq!(read.fragments[0].seen, Some(2));
}

#[test]
fn rows_whose_input_stayed_are_not_computed_again() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    touch(&rows, 1, 1.0, "another");
    touch(&rows, 2, 7.0, "n");
    work(&larder);
    let report = last_report(&larder);
    assert_eq!((report.computed, report.unchanged), (1, 1));
    assert!(stored(&listeners).1.fragments.iter().all(|it| it.seen.is_some()));
    // And again, after fragments with and without fingerprints were merged.
    touch(&rows, 1, 1.0, "a third");
    touch(&rows, 2, 7.0, "another");
    touch(&rows, 3, 8.0, "n");
    work(&larder);
    let report = last_report(&larder);
    assert_eq!((report.computed, report.unchanged), (1, 2));
}

#[test]
fn without_the_version_that_had_their_inputs_rows_are_computed_again() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    touch(&rows, 1, 1.0, "another");
    let options = RemoveOptions::new().force(true);
    larder.remove_with("shop/rows@1", &options).unwrap();
    work(&larder);
    let report = last_report(&larder);
    assert_eq!((report.computed, report.unchanged), (3, 0));
    let (_, outputs) = stored(&listeners);
    assert_eq!((outputs.ok, outputs.fill_from), (3, None));
    assert!(outputs.fragments.iter().all(|it| it.seen.is_none_or(|seen| seen == 2)));
}

#[test]
fn an_output_of_a_later_version_is_not_compared_with_an_earlier_one() {
    let (larder, _, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    let listener = listeners.all().unwrap().remove(0);
    let source = Source::open(&larder, &listener).unwrap().unwrap();
    let chunk = source.take(&listener, &[0, 1]).unwrap();
    let state =
        |input, seen| RowState { status: Some(OutputStatus::Ok), input, seen, is_current: true };
    let is_same = |known, state: RowState| {
        ChunkInputs::new(&source, &listener, &chunk, known).is_same(1, &state).unwrap()
    };
    assert!(is_same(Rows::ChangedAfter(1), state(None, 1)));
    // Computed while changes were handled that were never finished: from what, is not known.
    assert!(!is_same(Rows::ChangedAfter(1), state(None, 2)));
    assert!(!is_same(Rows::ChangedAfter(1), state(None, 0)));
    assert!(is_same(Rows::Unchanged, state(None, 2)));
    assert!(!is_same(Rows::Unchanged, state(None, 0)));
    let known = fingerprints(&chunk.columns, 2).unwrap();
    assert!(is_same(Rows::ChangedAfter(1), state(Some(known[1]), 0)));
    assert!(!is_same(Rows::Unchanged, state(Some(known[0]), 0)));
}

/// Replaces the outputs by a fragment with all columns, as they were always written before.
fn write_all_columns(larder: &Larder, listeners: &Listeners, inputs: &[[u8; 16]]) {
    let (version, mut outputs) = stored(listeners);
    let inputs = FixedSizeBinaryArray::try_from_iter(inputs.iter()).unwrap();
    let columns: [(&str, DataType, bool, ArrayRef); 5] = [
        ("row", DataType::UInt64, false, Arc::new(UInt64Array::from(vec![0, 1, 2]))),
        ("status", DataType::UInt8, false, Arc::new(UInt8Array::from(vec![0; 3]))),
        ("input", DataType::FixedSizeBinary(16), false, Arc::new(inputs)),
        ("error", DataType::Utf8, true, Arc::new(StringArray::new_null(3))),
        ("value", DataType::Float64, true, Arc::new(Float64Array::from(vec![1.5, 2.5, 3.5]))),
    ];
    let fields = columns.iter().map(|(name, kind, null, _)| Field::new(*name, kind.clone(), *null));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|column| column.3).collect();
    let file = ArrowFile::of(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    outputs.fragments = vec![OutputFragment {
        rows: 3,
        first: 0,
        last: 2,
        bytes: file.size(),
        data: Artifact::new(file),
        model: outputs.digest(),
        seen: None,
    }];
    larder.apply(version.identifier, &outputs).unwrap();
}

#[test]
fn outputs_with_all_columns_stay_up_to_date() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    let listener = listeners.all().unwrap().remove(0);
    let source = Source::open(&larder, &listener).unwrap().unwrap();
    let chunk = source.take(&listener, &[0, 1, 2]).unwrap();
    let inputs = fingerprints(&chunk.columns, 3).unwrap();
    let text: String = inputs[0].iter().map(|byte| format!("{byte:02x}")).collect();
    // Stored by all releases: another value would make all outputs stale.
    assert_eq!(text, "ca5bbaecba6dd6a72305cf6111c15a84");
    write_all_columns(&larder, &listeners, &inputs);
    touch(&rows, 1, 1.0, "another");
    touch(&rows, 2, 7.0, "n");
    work(&larder);
    let report = last_report(&larder);
    assert_eq!((report.computed, report.unchanged), (1, 1));
    // All rows are compared if the version that had their inputs is gone.
    touch(&rows, 3, 8.0, "n");
    for version in 1..=3 {
        let options = RemoveOptions::new().force(true);
        let _ = larder.remove_with(&*format!("shop/rows@{version}"), &options);
    }
    work(&larder);
    let report = last_report(&larder);
    assert_eq!(report.computed + report.unchanged, 3);
    let found = listeners.rows(&[0, 1, 2]).unwrap();
    let totals: Vec<_> = found.iter().map(|row| row["_outputs"]["total"].clone()).collect();
    assert_eq!(totals, [json!(1.5), json!(7.5), json!(8.5)]);
}

#[test]
fn a_fragment_that_claims_rows_without_bytes_is_refused() {
    let (larder, _, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    let (version, mut outputs) = stored(&listeners);
    let schema = Schema::new(vec![Field::new("value", DataType::Null, true)]);
    let nulls = arrow_array::new_null_array(&DataType::Null, 3);
    let file = ArrowFile::of(&RecordBatch::try_new(Arc::new(schema), vec![nulls]).unwrap());
    outputs.fragments[0].data = Artifact::new(file.unwrap());
    larder.apply(version.identifier, &outputs).unwrap();
    let error = listeners.rows(&[0]).unwrap_err();
    assert!(error.to_string().contains("its columns are not those of outputs"), "{error}");
}

#[test]
fn outputs_that_are_written_ahead_of_their_commit_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    for url in
        ["fs", "sqlite"].map(|store| format!("{store}:{}", folder.path().join(store).display()))
    {
        let larder = larder_core::Registry::linked().unwrap().open(url.as_str()).unwrap();
        larder.apply("sum", &Sum { times: 2.0 }).unwrap();
        let rows = larder.untyped_collection("rows").unwrap();
        let row = |id: i64| json!({ "id": id, "x": vec![id as f64; 40] });
        insert(&rows, (0..1_000).map(row));
        let listeners = larder.listeners("rows").unwrap();
        let report = attach(&listeners, "sum", &["x"], "total");
        assert_eq!((report.computed, report.failed, report.left), (1_000, 0, 0));
        let found = listeners.rows(&[0, 149, 150, 511, 999]).unwrap();
        let totals: Vec<_> = found.iter().map(|row| row["_outputs"]["total"].clone()).collect();
        assert_eq!(totals, [0, 149, 150, 511, 999].map(|id| json!(f64::from(id) * 80.0)));
        let (_, outputs) = stored(&listeners);
        assert_eq!((outputs.ok, outputs.fill_from), (1_000, None));
        assert_eq!(outputs.fragments.iter().map(|it| it.rows).sum::<u64>(), 1_000);
    }
}
