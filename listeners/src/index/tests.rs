//! Indexes on a larder in memory.

use larder_collections::Key;
use larder_jobs::LarderJobs;
use serde_json::json;

use crate::index::{Like, SearchQuery, Unindexed};
use crate::listeners::tests::{Embed, attach, insert, shop, work};
use crate::listeners::{IndexOptions, Listeners};
use crate::nearest::Measure;

/// Waits for the job of an index.
fn index(listeners: &Listeners, field: &str, options: IndexOptions) {
    let attached = listeners.index(field, &options).unwrap();
    listeners.larder().jobs().wait(&attached.applied).unwrap();
}

fn found(listeners: &Listeners, name: &str, query: SearchQuery) -> Vec<u64> {
    listeners.search(name, &query).unwrap().found.iter().map(|found| found.row).collect()
}

fn like(vector: &[f32], n: usize) -> SearchQuery {
    SearchQuery::new(Like::Vector(vector.to_vec()), n)
}

#[test]
fn an_index_finds_the_nearest_rows_those_not_indexed_yet_included() {
    let (larder, rows, listeners) = shop();
    index(&listeners, "x", IndexOptions::new().measure(Measure::L2));
    assert_eq!(found(&listeners, "x", like(&[2.9, 0.5], 2)), [2, 1]);
    let filtered = like(&[2.9, 0.5], 2).filter("id < 3".parse().unwrap());
    assert_eq!(found(&listeners, "x", filtered), [1, 0]);
    assert_eq!(found(&listeners, "x", SearchQuery::new(Like::Row(2), 2)), [1, 0]);

    insert(&rows, [json!({ "id": 4, "x": [2.8, 0.5], "y": 1.0, "name": "n" })]);
    insert(&rows, [json!({ "id": 1, "x": [100.0, 0.5], "y": 1.0, "name": "n" })]);
    rows.delete_keys(&[Key::from(3_i64)]).unwrap();
    assert_eq!(found(&listeners, "x", like(&[2.9, 0.5], 5)), [3, 1, 0]);
    let report = listeners.search("x", &like(&[2.9, 0.5], 5).unindexed(Unindexed::Report)).unwrap();
    let ids: Vec<_> = report.found.iter().map(|found| found.row).collect();
    assert_eq!((ids, report.left_out), (vec![1], 2));
    assert_eq!(work(&larder), 1);
    let indexed =
        listeners.search("x", &like(&[2.9, 0.5], 5).unindexed(Unindexed::Report)).unwrap();
    let ids: Vec<_> = indexed.found.iter().map(|found| found.row).collect();
    assert_eq!((ids, indexed.left_out), (vec![3, 1, 0], 0));
}

#[test]
fn vectors_that_are_near_to_nothing_are_refused() {
    let (larder, rows, listeners) = shop();
    index(&listeners, "x", IndexOptions::new());
    let refused = |vector: &[f32]| listeners.search("x", &like(vector, 1)).unwrap_err().to_string();
    assert!(refused(&[1.0]).contains("the vector has 1 numbers, and the index 2"));
    assert!(refused(&[f32::NAN, 0.0]).contains("NaN"));
    let error = listeners.index("name", &IndexOptions::new()).unwrap_err().to_string();
    assert!(error.contains("it is text"), "{error}");
    let error = listeners.search("y", &like(&[1.0], 1)).unwrap_err().to_string();
    assert!(error.contains("no such index: it has x"), "{error}");
    let text = SearchQuery::new(Like::Value(json!("wine")), 1);
    assert!(listeners.search("x", &text).unwrap_err().to_string().contains("give a vector"));

    insert(&rows, [json!({ "id": 5, "x": ["NaN", 0.5], "y": 1.0, "name": "n" })]);
    work(&larder);
    let state = listeners.index_status_of("x").unwrap().unwrap();
    assert_eq!((state.ok, state.failed, state.width), (3, 1, Some(2)));
    assert_eq!(found(&listeners, "x", like(&[1.0, 0.0], 9)).len(), 3);
}

#[test]
fn an_index_of_a_model_compares_its_own_vectors_only() {
    let (larder, _, listeners) = shop();
    larder.apply("embed", &Embed { turn: false }).unwrap();
    larder.apply("other", &Embed { turn: true }).unwrap();
    attach(&listeners, "embed", &["y"], "angle");
    index(&listeners, "angle", IndexOptions::new());
    let value = |number: f64| SearchQuery::new(Like::Value(json!(number)), 1);
    assert_eq!(found(&listeners, "angle", value(2.1)), [1]);
    assert_eq!(found(&listeners, "_outputs.angle", value(2.9)), [2]);
    let error = listeners.search("angle", &value(2.1).model("other".parse().unwrap())).unwrap_err();
    assert!(error.to_string().contains("cannot be compared"), "{error}");
    let options = IndexOptions::new().name("both").compatible("other".parse().unwrap());
    index(&listeners, "angle", options);
    let turned = value(std::f64::consts::FRAC_PI_2 - 2.1).model("other".parse().unwrap());
    assert_eq!(found(&listeners, "both", turned), [1]);

    // Another version of the model: what it has not computed is left out, and counted.
    larder.apply("embed", &Embed { turn: true }).unwrap();
    assert_eq!(found(&listeners, "both", value(2.1)), [1]);
    work(&larder);
    assert_eq!(found(&listeners, "both", value(2.1)), [1]);
    let state = listeners.index_status_of("both").unwrap().unwrap();
    assert_eq!((state.ok, state.version.as_deref()), (3, Some("embed@2")));
}

#[test]
fn a_vector_of_a_stated_model_is_compared_with_those_of_that_model_alone() {
    let (larder, _, listeners) = shop();
    larder.apply("embed", &Embed { turn: false }).unwrap();
    attach(&listeners, "embed", &["y"], "angle");
    index(&listeners, "angle", IndexOptions::new());
    index(&listeners, "x", IndexOptions::new());
    assert_eq!(listeners.names().unwrap(), ["angle"]);
    let all = listeners.indexes().unwrap();
    let [angle, x] = &all[..] else { panic!("{all:?}") };
    assert_eq!((&*angle.field, &*angle.inputs), ("_outputs.angle", &["y".to_owned()][..]));
    assert_eq!((&*x.field, x.inputs.len(), &x.model), ("x", 0, &None));
    assert_eq!(listeners.input_of(angle, &json!(2.1)).unwrap(), json!(2.1));

    let model = angle.model.clone().unwrap();
    assert_eq!(model.to_string(), "embed@1");
    let loaded = larder.load_model(model.reference().unwrap()).unwrap();
    let vector: Vec<f32> = serde_json::from_str(&loaded.predict_json("2.1").unwrap()).unwrap();
    let stated = like(&vector, 1).made_by(model);
    assert_eq!(found(&listeners, "angle", stated.clone()), [1]);
    larder.apply("embed", &Embed { turn: true }).unwrap();
    work(&larder);
    let error = listeners.search("angle", &stated).unwrap_err().to_string();
    assert!(error.contains("its vectors are not of embed@1"), "{error}");
    let now = listeners.indexes().unwrap()[0].model.clone().unwrap();
    assert_eq!(now.to_string(), "embed@2");
}
