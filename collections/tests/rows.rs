//! Collections on a store in memory.
#![allow(clippy::unwrap_used, missing_docs)]

use larder_collections::{
    Field, Filter, Find, Fold, Insert, Key, LarderCollections, NewCollection, Scan, Schema,
    UntypedCollection, row_of,
};
use larder_core::store::VersionNumber;
use larder_core::{Larder, Registry};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

fn version(number: u64) -> VersionNumber {
    VersionNumber::new(number).unwrap()
}

fn objects(values: Value) -> Vec<Result<Map<String, Value>, larder_core::Error>> {
    let Value::Array(all) = values else { panic!("no list") };
    all.into_iter().map(|row| Ok(row.as_object().unwrap().clone())).collect()
}

fn rows(collection: &UntypedCollection, find: &Find) -> Vec<Value> {
    rows_at(&collection.latest().unwrap(), find)
}

fn rows_at(version: &larder_collections::CollectionVersion, find: &Find) -> Vec<Value> {
    let batches = version.find(find).unwrap();
    batches
        .flat_map(|batch| {
            let batch = batch.unwrap().rows;
            (0..batch.num_rows()).map(|row| Value::Object(row_of(&batch, row))).collect::<Vec<_>>()
        })
        .collect()
}

fn shop(larder: &Larder) -> UntypedCollection {
    let shop = larder.untyped_collection("shop/rows").unwrap();
    let all = json!([
        {"id": 1, "name": "pear", "price": 3.5},
        {"id": 2, "name": "fig", "price": null},
        {"id": 3, "name": "plum", "price": 12},
    ]);
    shop.insert_json(objects(all), Insert::new().key("id")).unwrap();
    shop
}

#[test]
fn rows_are_found_by_filter_order_and_key() {
    let larder = larder();
    let shop = shop(&larder);
    let find = |filter: &str| Find::new(Scan::new().filter(filter.parse().unwrap()));
    assert_eq!(rows(&shop, &find("price < 10")), [json!({"id": 1, "name": "pear", "price": 3.5})]);
    assert_eq!(rows(&shop, &find("not has price")).len(), 1);
    assert_eq!(rows(&shop, &find("name like 'p*' and not (id = 1)")).len(), 1);
    assert_eq!(rows(&shop, &find("id >= 2 or name = \"pear\"")).len(), 3);
    let by_price = Find::default().order("-price".parse().unwrap()).limit(2);
    let names: Vec<_> = rows(&shop, &by_price).iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["plum", "pear"]);
    let found = shop.latest().unwrap().get(Key::from(2i64)).unwrap().unwrap();
    assert_eq!(row_of(&found.rows, 0)["name"], json!("fig"));
    assert!(shop.latest().unwrap().get(Key::from(9i64)).unwrap().is_none());
    let error = shop.latest().unwrap().scan(&Scan::new().filter("prise < 1".parse().unwrap()));
    assert!(error.err().unwrap().to_string().contains("did you mean `price`"), "near names");
}

#[test]
fn every_write_is_a_version_and_its_delta_says_what_changed() {
    let larder = larder();
    let shop = shop(&larder);
    // Too large to be in the manifest, so that there is something to merge.
    let more = json!([{"id": 4, "name": "kiwi".repeat(600), "price": 1}]);
    shop.insert_json(objects(more), Insert::new()).unwrap();
    let set = json!({"price": 9.5});
    let edited = shop.update(Some(&"id = 2".parse().unwrap()), set.as_object().unwrap()).unwrap();
    assert_eq!(edited.rows, 1);
    shop.delete(&"id = 1".parse().unwrap()).unwrap();
    let again =
        json!([{"id": 3, "name": "plums", "price": 13}, {"id": 5, "name": "lime", "price": 2}]);
    let upserted = shop.insert_json(objects(again), Insert::new().upsert()).unwrap();
    assert_eq!((upserted.inserted, upserted.updated), (1, 1));

    assert_eq!(shop.versions().unwrap().len(), 5);
    let delta = |from, to| shop.delta(version(from), version(to)).unwrap();
    assert_eq!(delta(1, 2).inserted, [3]);
    assert_eq!((delta(2, 3).updated, delta(2, 3).inserted), (vec![1], vec![]));
    assert_eq!(delta(3, 4).deleted, [0]);
    let all = delta(1, 5);
    assert_eq!((all.inserted, all.updated, all.deleted), (vec![3, 4], vec![1, 2], vec![0]));
    assert!(shop.delta(version(5), version(1)).is_err());

    let ids: Vec<_> = rows(&shop, &Find::default()).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [2, 3, 4, 5], "in the order of their insertion");
    let first = shop.at(version(1)).unwrap();
    assert_eq!(rows_at(&first, &Find::default()).len(), 3);
    let compacted = shop.compact().unwrap();
    assert_eq!(compacted.layout().fragments, 1);
    assert_eq!(compacted.layout().deleted_rows, 0);
    let delta = shop.delta(version(5), version(6)).unwrap();
    assert!(delta.is_empty(), "{delta:?}");
    assert_eq!(shop.delta(version(1), version(6)).unwrap().updated, [1, 2]);
    assert_eq!(rows(&shop, &Find::default()).len(), 4);
}

#[test]
fn a_row_that_does_not_fit_refuses_all_and_is_named() {
    let larder = larder();
    let shop = shop(&larder);
    let refused = |values: Value| {
        let error = shop.insert_json(objects(values), Insert::new()).unwrap_err().to_string();
        assert_eq!(shop.versions().unwrap().len(), 1, "nothing was written");
        error
    };
    let error = refused(
        json!([{"id": 7, "name": "a", "price": 1}, {"id": 8, "name": "b", "price": "cheap"}]),
    );
    assert!(error.contains("row 2, field `price`: \"cheap\""), "{error}");
    let error = refused(json!([{"id": null, "name": "a"}]));
    assert!(error.contains("row 1, field `id`: null"), "{error}");
    let error = refused(json!([{"id": 10}, {"id": 11}, {"id": 10}]));
    assert!(error.contains("row 3, field `id`: 10: row 1 has the same key"), "{error}");
    let error = refused(json!([{"id": 10}, {"id": 3}]));
    assert!(error.contains("row 2, field `id`: 3: a row with this key is there"), "{error}");
    let error = refused(json!([{"id": 10, "prise": 3}]));
    assert!(error.contains("did you mean `price`"), "{error}");
    let error = refused(json!([{"id": 1.5}]));
    assert!(error.contains("not a whole number"), "{error}");

    let mut bad = Vec::new();
    let mut take = |reject: larder_collections::Reject| {
        bad.push((reject.misfit.row, reject.row["id"].clone()));
        Ok(())
    };
    let all = json!([{"id": 20}, {"id": "x"}, {"id": 3}, {"id": 21, "price": []}, {"id": 20}, {"id": 22}]);
    let inserted = shop.insert_json(objects(all), Insert::new().skip_bad(&mut take)).unwrap();
    assert_eq!((inserted.inserted, inserted.skipped), (2, 4));
    bad.sort_by_key(|(row, _)| *row);
    assert_eq!(bad, [(1, json!("x")), (2, json!(3)), (3, json!(21)), (4, json!(20))]);
    assert_eq!(shop.latest().unwrap().rows(), 5);
}

#[test]
fn many_single_rows_leave_few_fragments_and_keep_all_rows() {
    let larder = larder();
    let rows_of = larder.collection::<Numbered>("many").unwrap().with_key("id");
    for id in 0..300 {
        rows_of.insert(&[Numbered { id, half: f64::from(id) / 2.0 }]).unwrap();
        let layout = rows_of.latest().unwrap().layout();
        assert!(layout.small_fragments < 64, "{layout:?}");
    }
    for id in (0..300).step_by(3) {
        rows_of.delete_key(id).unwrap();
        let layout = rows_of.latest().unwrap().layout();
        let rows = rows_of.latest().unwrap().rows();
        assert!(layout.deleted_rows * 9 <= rows + 9, "{layout:?} {rows}");
    }
    assert_eq!(rows_of.versions().unwrap().len(), 400);
    let all: Vec<Numbered> = rows_of
        .latest()
        .unwrap()
        .find(&Find::default())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let expected: Vec<i32> = (0..300).filter(|id| id % 3 != 0).collect();
    assert_eq!(all.iter().map(|row| row.id).collect::<Vec<_>>(), expected);
    assert!(all.iter().all(|row| row.half == f64::from(row.id) / 2.0));
    assert_eq!(rows_of.get(1).unwrap().unwrap().half, 0.5);
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Numbered {
    id: i32,
    half: f64,
}

#[test]
fn folds_are_of_the_key_and_stay() {
    let larder = larder();
    let all = larder.collection::<Numbered>("folds").unwrap().with_key("id");
    all.insert_many((0..2_000).map(|id| Numbered { id, half: 0.0 })).unwrap();
    let ids = |version: &larder_collections::Version<Numbered>, fold| -> Vec<i32> {
        let found = version.find(&Find::new(Scan::new().fold(fold))).unwrap();
        found.map(|row| row.unwrap().id).collect()
    };
    let before = ids(&all.latest().unwrap(), Fold::Valid);
    assert!((150..250).contains(&before.len()), "a tenth: {}", before.len());
    assert_eq!(before.len() + ids(&all.latest().unwrap(), Fold::Train).len(), 2_000);
    all.update(None, |row| row.half = 1.0).unwrap();
    all.compact().unwrap();
    assert_eq!(ids(&all.latest().unwrap(), Fold::Valid), before);
}

#[test]
fn a_schema_evolves() {
    #[derive(Debug, Serialize, Deserialize)]
    struct New {
        id: i64,
        half: f64,
        name: Option<String>,
        stars: u8,
    }
    let larder = larder();
    let old = larder.collection::<Numbered>("evolving").unwrap().with_key("id");
    old.insert(&[Numbered { id: 1, half: 0.5 }]).unwrap();
    let new = larder.collection::<New>("evolving").unwrap();
    let error =
        new.insert(&[New { id: 2, half: 1.0, name: None, stars: 3 }]).unwrap_err().to_string();
    assert!(error.contains("`stars`") && error.contains("default"), "{error}");
    let stars = Field::new("stars", "uint8".parse().unwrap()).with_default(4);
    let new = new.with_field(stars);
    new.insert(&[New { id: 1 << 40, half: 1.0, name: Some("x".into()), stars: 3 }]).unwrap();
    let all: Vec<New> =
        new.latest().unwrap().find(&Find::default()).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!((all[0].id, all[0].stars, &all[0].name), (1, 4, &None));
    assert_eq!((all[1].id, all[1].stars), (1 << 40, 3));
    let untyped = new.untyped();
    let renamed = Schema::new([
        Field::new("id", "int64".parse().unwrap()),
        Field::new("part", "float64".parse().unwrap()).with_alias("half"),
    ]);
    let row = json!([{"id": 3, "part": 2.5, "name": null, "stars": 1}]);
    untyped.insert_json(objects(row), Insert::new().schema(renamed.unwrap()).evolve()).unwrap();
    let parts: Vec<_> =
        rows(untyped, &Find::default()).iter().map(|row| row["part"].clone()).collect();
    assert_eq!(parts, [0.5, 1.0, 2.5]);
    untyped.compact().unwrap();
    assert_eq!(rows(untyped, &Find::default()).len(), 3);
    let narrower = Schema::new([Field::new("id", "text".parse().unwrap())]).unwrap();
    let error =
        untyped.insert_json(objects(json!([{"id": "a"}])), Insert::new().schema(narrower).evolve());
    assert!(error.unwrap_err().to_string().contains("does not widen"));
}

#[test]
fn writers_merge_appends_and_conflict_on_one_row() {
    let larder = larder();
    let all = larder.collection::<Numbered>("busy").unwrap().with_key("id");
    all.insert(&[Numbered { id: -1, half: 0.0 }, Numbered { id: -2, half: 0.0 }]).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let larder = larder.clone();
            scope.spawn(move || {
                let all = larder.collection::<Numbered>("busy").unwrap();
                for at in 0..25 {
                    all.insert(&[Numbered { id: writer * 100 + at, half: 1.0 }]).unwrap();
                }
            });
        }
    });
    assert_eq!(all.latest().unwrap().rows(), 102);
    assert_eq!(all.versions().unwrap().len(), 101);

    // Two edits from one base: of one row, and of different ones.
    let untyped = all.untyped();
    let base = untyped.latest().unwrap();
    let id = |key: i64| base.find_keys(&[Key::from(key)]).unwrap()[0].unwrap();
    let delete = |id| larder_collections::Write { deletes: vec![id], ..Default::default() };
    untyped.engine().write(base.engine(), delete(id(-1))).unwrap();
    let error = untyped.engine().write(base.engine(), delete(id(-1))).unwrap_err().to_string();
    assert!(error.contains("the row of busy with id = -1"), "{error}");
    untyped.engine().write(base.engine(), delete(id(-2))).unwrap();
    assert_eq!(all.latest().unwrap().rows(), 100);
}

#[test]
fn equal_rows_of_two_writers_are_both_kept() {
    let larder = larder();
    let make = || larder.untyped_collection("log").unwrap();
    make().insert_json(objects(json!([{"x": 1.0}])), Insert::new()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..20 {
                    make().insert_json(objects(json!([{"x": 1.0}])), Insert::new()).unwrap();
                }
            });
        }
    });
    assert_eq!(make().latest().unwrap().rows(), 81);
}

#[test]
fn pages_are_of_one_version() {
    let larder = larder();
    let all = larder.collection::<Numbered>("pages").unwrap().with_key("id");
    all.insert_many((0..25).map(|id| Numbered { id, half: f64::from(-id) })).unwrap();
    for find in
        [Find::default().limit(10), Find::default().limit(10).order("half".parse().unwrap())]
    {
        let (mut cursor, mut seen) = (None, Vec::new());
        loop {
            let page = all.untyped().page(&find, cursor.as_ref()).unwrap();
            seen.extend(page.rows.ids.values().iter().copied());
            all.insert(&[Numbered {
                id: 1_000 + seen.len() as i32 + if find.order.is_empty() { 0 } else { 500 },
                half: -999.0,
            }])
            .unwrap();
            let Some(next) = page.next else { break };
            cursor = Some(next.to_string().parse().unwrap());
        }
        seen.sort_unstable();
        seen.dedup();
        assert!(seen.len() == 25 || seen.len() == 28, "{}", seen.len());
    }
}

#[test]
fn a_collection_is_created_once() {
    let larder = larder();
    let shop = larder.untyped_collection("made").unwrap();
    let schema = Schema::new([Field::new("id", "text".parse().unwrap())]).unwrap();
    let made = shop.create(NewCollection::new(schema.clone()).with_key("id")).unwrap();
    assert_eq!((made.rows(), made.info().version), (0, version(1)));
    assert!(shop.create(NewCollection::new(schema)).is_err());
    larder.untyped_collection("made").unwrap().latest().unwrap();
    let filter: Filter = "id = 'x'".parse().unwrap();
    assert_eq!(shop.latest().unwrap().count(&Scan::new().filter(filter)).unwrap(), 0);
}

#[test]
fn a_batch_is_a_whole_fragment_of_about_its_size() {
    let larder = larder();
    let all = larder.collection::<Numbered>("fragments").unwrap().with_key("id");
    for from in [0, 10_000, 20_000] {
        all.insert_many((from..from + 10_000).map(|id| Numbered { id, half: 0.5 })).unwrap();
    }
    let sizes = |scan: &Scan| -> Vec<usize> {
        let batches = all.untyped().latest().unwrap().scan(scan).unwrap();
        batches.map(|batch| batch.unwrap().rows.num_rows()).collect()
    };
    assert_eq!(sizes(&Scan::new()), [10_000; 3]);
    assert_eq!(sizes(&Scan::new().batch_rows(20_000)), [10_000; 3]);
    assert_eq!(sizes(&Scan::new().batch_rows(5_000)), [5_000; 6]);
    assert_eq!(sizes(&Scan::new().batch_rows(50_000)), [10_000; 3]);
    let some = Scan::new().filter("id >= 9999 and id < 10001".parse().unwrap());
    let ids: Vec<u64> = all
        .untyped()
        .latest()
        .unwrap()
        .scan(&some)
        .unwrap()
        .flat_map(|batch| batch.unwrap().ids.values().to_vec())
        .collect();
    assert_eq!(ids, [9_999, 10_000]);
}

#[test]
fn rows_that_are_left_out_have_the_order_of_the_schema() {
    let larder = larder();
    let rows = larder.untyped_collection("rows").unwrap();
    let text = |text: &str| -> Map<String, Value> { serde_json::from_str(text).unwrap() };
    let schema: Schema = serde_json::from_value(json!([
        {"name": "z", "type": "int64"},
        {"name": "deep", "type": "struct<y: int64?, b: text?>", "nullable": true},
        {"name": "a", "type": "text", "nullable": true, "aliases": ["old"]},
    ]))
    .unwrap();
    // In the file, keys are in another order.
    let bad = text(
        r#"{"zz": 1, "old": "x", "deep": {"c": 0, "b": "t", "y": 1}, "more": {"q": 1, "p": 2}, "z": 7}"#,
    );
    let mut lines = Vec::new();
    let mut take = |reject: larder_collections::Reject| {
        lines.push(serde_json::to_string(&reject.data()).unwrap());
        Ok(())
    };
    let insert = Insert::new().schema(schema).skip_bad(&mut take);
    rows.insert_json([Ok(bad), Ok(text(r#"{"z": 1}"#))], insert).unwrap();
    let expected = r#"{"z":7,"deep":{"y":1,"b":"t","c":0},"old":"x","more":{"p":2,"q":1},"zz":1}"#;
    assert_eq!(lines, [expected]);
}
