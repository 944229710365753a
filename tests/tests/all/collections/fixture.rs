//! The rows of the fixtures of collections, and what belongs to them, are those in `rows.json` beside them.

use std::fs;
use std::path::{Path, PathBuf};

use larder::Larder;
use larder::collections::{
    CollectionVersion, Find, Fold, LarderCollections, LarderListeners, Like, Scan, SearchQuery,
    row_of,
};
use serde_json::{Value, json};

use crate::format::fixtures::collections::COLLECTIONS;

pub(super) fn folders() -> [PathBuf; 2] {
    COLLECTIONS.map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name))
}

fn rows(version: &CollectionVersion) -> Vec<Value> {
    let batches = version.find(&Find::default()).unwrap();
    let rows = batches.map(Result::unwrap).flat_map(|batch| {
        let row = |at| Value::Object(row_of(&batch.rows, at));
        (0..batch.ids.len()).map(row).collect::<Vec<_>>()
    });
    rows.collect()
}

fn ids(version: &CollectionVersion, scan: Scan) -> Vec<u64> {
    let batches = version.scan(&scan).unwrap();
    batches.flat_map(|batch| batch.unwrap().ids.values().to_vec()).collect()
}

/// All that a reader gets of the collection.
pub(super) fn document(larder: &Larder) -> Value {
    let collection = larder.untyped_collection("shop/rows").unwrap();
    let listeners = larder.listeners("shop/rows").unwrap();
    let all = collection.versions().unwrap();
    let first = collection.at(all[0].version).unwrap();
    let versions = all.iter().map(|info| {
        let version = collection.at(info.version).unwrap();
        let delta = version.delta(&first).unwrap();
        json!({
            "version": info.version.get(),
            "fields": version.schema().fields(),
            "ids": ids(&version, Scan::new()),
            "valid": ids(&version, Scan::new().fold(Fold::Valid)),
            "since the first": [delta.inserted, delta.updated, delta.deleted],
            "rows": rows(&version),
        })
    });
    let versions: Vec<Value> = versions.collect();
    let mut outputs = Vec::new();
    listeners
        .for_each_output::<larder::Error>("root", |row| {
            outputs.push(serde_json::to_value(row).unwrap());
            Ok(true)
        })
        .unwrap();
    let near = |like, n| {
        let found = listeners.search("x", &SearchQuery::new(like, n)).unwrap().found;
        // Other machines round sums otherwise.
        let score = |score: f32| (f64::from(score) * 1e3).round() / 1e3;
        found.iter().map(|found| json!([found.row, score(found.score)])).collect::<Vec<_>>()
    };
    json!({
        "versions": versions,
        "key": collection.latest().unwrap().key().unwrap().name,
        "outputs": outputs,
        "near": near(Like::Vector(vec![30.2, 0.5]), 5),
        "like row 5": near(Like::Row(5), 2),
        "watches": listeners.watches().unwrap(),
    })
}

/// Compares what a reader gets with what stands beside the fixture.
pub(super) fn compare(found: &Value, folder: &Path, name: &str) {
    let beside = fs::read(folder.join("rows.json")).unwrap();
    let expected: Value = serde_json::from_slice(&beside).unwrap();
    for part in ["versions", "key", "outputs", "near", "like row 5", "watches"] {
        assert_eq!(found[part], expected[part], "{part} of {name}");
    }
}

#[test]
fn the_rows_of_the_fixtures_are_those_that_stand_beside_them() {
    folders().iter().for_each(|folder| check(folder));
}

fn check(folder: &Path) {
    let beside = folder.join("rows.json");
    for (name, scheme) in [("folder", "fs"), ("sqlite.db", "sqlite")] {
        let here = tempfile::tempdir().unwrap();
        crate::format::copy(folder, here.path());
        let url = format!("{scheme}:{}", here.path().join(name).display());
        let larder = larder::open(&url).unwrap();
        let found = document(&larder);
        if !beside.exists() && std::env::var("LARDER_FIXTURES").is_ok_and(|it| it == "write") {
            fs::write(&beside, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        }
        compare(&found, folder, name);
        // What has been read can be written to.
        let rows = larder.untyped_collection("shop/rows").unwrap();
        let before = rows.latest().unwrap().rows();
        assert_eq!(rows.delete(&"id = 20".parse().unwrap()).unwrap().version.rows(), before - 1);
        larder::jobs::Worker::new(&larder).drain().unwrap();
        let status = larder.listeners("shop/rows").unwrap().status().unwrap();
        assert_eq!((status[0].backlog, status[0].failed > 0), (0, true));
    }
}
