//! Two handles of one collection, each of which may have read an older version.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;

use larder_collections::arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use larder_collections::{Find, Insert, Key, LarderCollections, UntypedCollection, row_of};
use larder_core::versions::RemoveOptions;
use larder_core::{Larder, Registry};
use serde_json::{Map, Value, json};

/// Number of steps.
const STEPS: usize = 400;
/// Number of keys.
const KEYS: i64 = 60;

/// The text of each key.
type Model = BTreeMap<i64, String>;

fn batch(keys: &[i64], text: &str) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![text; keys.len()]));
    RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap()
}

fn rows(collection: &UntypedCollection) -> Model {
    let batches = collection.latest().unwrap().find(&Find::default()).unwrap();
    let mut found = Model::new();
    for batch in batches.map(Result::unwrap) {
        for at in 0..batch.ids.len() {
            let row = row_of(&batch.rows, at);
            let before =
                found.insert(row["id"].as_i64().unwrap(), row["text"].as_str().unwrap().to_owned());
            assert_eq!(before, None, "a key is there twice");
        }
    }
    found
}

/// Two handles of a collection with the row 1.
fn handles(larder: &Larder) -> [UntypedCollection; 2] {
    let handles = [(); 2].map(|()| larder.untyped_collection("rows").unwrap());
    handles[0].insert_batches([Ok(batch(&[1], "first"))], Insert::new().key("id")).unwrap();
    handles
}

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

fn object(row: Value) -> larder_core::Result<Map<String, Value>> {
    Ok(row.as_object().unwrap().clone())
}

/// An insert of one batch starts on the version that its handle read last.
#[test]
fn a_handle_that_saw_an_older_version_inserts_into_the_newest() {
    let larder = larder();
    let [one, other] = handles(&larder);
    let insert = |id: i64, text: &str| one.insert(&batch(&[id], text));
    other.insert(&batch(&[4], "kiwi")).unwrap();
    let error = insert(4, "lime").unwrap_err().to_string();
    assert!(error.contains("a row with this key is there"), "{error}");
    // A key that the other one deleted is free again, and a field that it added is there.
    other.delete_keys(&[Key::from(1_i64)]).unwrap();
    let wider = object(json!({ "id": 5, "text": "date", "color": "brown" }));
    other.insert_json([wider], Insert::new().evolve()).unwrap();
    let newest = insert(1, "apple").unwrap();
    assert_eq!(rows(&other), [(1, "apple"), (4, "kiwi"), (5, "date")].map(owned).into());
    let last = newest.get(Key::from(1_i64)).unwrap().unwrap();
    assert_eq!(row_of(&last.rows, 0)["color"], Value::Null);
    // The collection was removed and created with other fields.
    larder.remove_all("rows", &RemoveOptions::default()).unwrap();
    other.insert_json([object(json!({ "number": 1 }))], Insert::new().key("number")).unwrap();
    assert!(insert(7, "fig").is_err());
    assert_eq!(other.latest().unwrap().rows(), 1);
}

fn owned((key, text): (i64, &str)) -> (i64, String) {
    (key, text.to_owned())
}

#[test]
fn handles_in_turn_write_what_one_would() {
    let larder = larder();
    let handles = handles(&larder);
    let mut model = Model::from([owned((1, "first"))]);
    let mut random = fastrand::Rng::with_seed(1);
    let (mut inserted, mut refused, mut several) = (0, 0, 0);
    for step in 0..STEPS {
        let handle = &handles[random.usize(..2)];
        // Small rows stay in the manifest, large ones are files.
        let text = format!("step {step}{}", " long".repeat(500 * random.usize(..2)));
        let key = random.i64(0..KEYS);
        let text_of = json!({ "text": text });
        let same_key = format!("id = {key}").parse().unwrap();
        let mut keys = |most| (0..=random.u8(..most)).map(|_| random.i64(0..KEYS)).collect();
        let (some, few): (Vec<i64>, Vec<i64>) = (keys(4), keys(2));
        match random.u8(..12) {
            // Several versions, up to the first batch with a key that is there.
            10 | 11 => {
                let batches = [vec![key], few, some];
                let new = batches.iter().map(|keys| Ok(batch(keys, &text)));
                let results: Vec<_> = handle.insert_versions(new, Insert::new()).collect();
                let mut fitting = 0;
                for keys in &batches {
                    let mut new = model.clone();
                    if !keys.iter().all(|key| new.insert(*key, text.clone()).is_none()) {
                        break;
                    }
                    model = new;
                    fitting += 1;
                }
                let are_there = results.iter().filter(|it| it.is_ok()).count();
                assert_eq!(are_there, fitting, "{batches:?} in step {step}");
                assert_eq!(results.len(), batches.len().min(fitting + 1));
                several += usize::from(fitting > 1);
            }
            0..=4 => {
                let keys = some;
                let mut new = model.clone();
                let fits = keys.iter().all(|key| new.insert(*key, text.clone()).is_none());
                let is_inserted = handle.insert(&batch(&keys, &text)).is_ok();
                assert_eq!(is_inserted, fits, "{keys:?} in step {step}");
                if fits {
                    model = new;
                    inserted += 1;
                } else {
                    refused += 1;
                }
            }
            5 => {
                let row = object(json!({ "id": key, "text": text }));
                handle.insert_json([row], Insert::new().upsert()).unwrap();
                model.insert(key, text);
            }
            6 => {
                let edited = handle.update(Some(&same_key), text_of.as_object().unwrap()).unwrap();
                assert_eq!(edited.rows, u64::from(model.contains_key(&key)));
                model.entry(key).and_modify(|it| *it = text);
            }
            7 | 8 => {
                handle.delete_keys(&[Key::from(key)]).unwrap();
                model.remove(&key);
            }
            _ => drop(handle.compact().unwrap()),
        }
        assert_eq!(rows(&handles[random.usize(..2)]), model, "after step {step}");
    }
    let counts = [inserted, refused, several];
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}
