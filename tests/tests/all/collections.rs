//! Collections on every store, and read by Python.

mod fixture;
#[cfg(feature = "servers")]
mod python;
mod stores;

use larder::collections::{Find, Insert, LarderCollections, UntypedCollection, row_of};
use larder::maintenance::{CopyOptions, LarderMaintenance};
use larder::{Larder, Selection};
use serde_json::{Map, Value, json};

/// The rows of a list of JSON objects.
fn objects(rows: Value) -> Vec<larder::Result<Map<String, Value>>> {
    let Value::Array(rows) = rows else { panic!("a list of rows") };
    rows.into_iter().map(|row| Ok(row.as_object().unwrap().clone())).collect()
}

fn rows(collection: &UntypedCollection) -> Vec<Value> {
    let found = collection.latest().unwrap().find(&Find::default()).unwrap();
    found
        .flat_map(|batch| {
            let rows = batch.unwrap().rows;
            (0..rows.num_rows()).map(|row| Value::Object(row_of(&rows, row))).collect::<Vec<_>>()
        })
        .collect()
}

/// A collection with small and large fragments, updates, deletions and a schema that has evolved.
fn written(larder: &Larder) -> UntypedCollection {
    let shop = larder.untyped_collection("shop/rows").unwrap();
    let many = (0..20_000)
        .map(|id| json!({"id": id, "name": format!("item {id}"), "x": [0.5, f64::from(id)]}));
    shop.insert_json(objects(many.collect()), Insert::new().key("id")).unwrap();
    shop.update(Some(&"id < 3".parse().unwrap()), json!({"name": "changed"}).as_object().unwrap())
        .unwrap();
    shop.delete(&"id >= 10 and id < 20".parse().unwrap()).unwrap();
    let more = json!([{"id": 20_000, "name": "new", "x": [1.5, 2.5], "price": 3.5}]);
    shop.insert_json(objects(more), Insert::new().evolve()).unwrap();
    shop
}

fn checked(shop: &UntypedCollection) {
    let rows = rows(shop);
    assert_eq!(rows.len(), 19_991);
    assert_eq!(rows[2], json!({"id": 2, "name": "changed", "x": [0.5, 2.0], "price": null}));
    assert_eq!(rows[19_990]["price"], json!(3.5));
}

#[test]
fn a_collection_is_kept_copied_and_verified_like_every_component() {
    let folder = tempfile::tempdir().unwrap();
    let open = |store: &str| {
        larder::open(format!("{store}:{}", folder.path().join(store).display()).as_str()).unwrap()
    };
    let (one, two) = (open("sqlite"), open("fs"));
    checked(&written(&one));
    assert_eq!(one.maintenance().verify(Selection::All).unwrap().findings, []);
    let options = CopyOptions::default();
    one.maintenance().copy(Selection::All, &two, &options).unwrap();
    checked(&open("fs").untyped_collection("shop/rows").unwrap());
    one.remove("shop/rows@1").unwrap();
    checked(&open("sqlite").untyped_collection("shop/rows").unwrap());
}
