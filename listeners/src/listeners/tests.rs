//! Listeners and indexes on a larder in memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use larder_core::__private::typetag;
use larder_core::{
    Component, ComponentType, Error, Item, Larder, Model, Predict, Registry, Result,
};
use larder_jobs::{LarderJobs, Worker};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::*;
use larder_collections::Key;
use larder_collections::{Insert, LarderCollections, UntypedCollection};

macro_rules! model {
    ($name:ident { $($field:ident: $type:ty),* }, $tag:literal, $input:ty => $output:ty, $predict:expr) => {
        #[derive(Clone, Serialize, Deserialize)]
        pub(crate) struct $name { $(pub(crate) $field: $type),* }

        impl Predict for $name {
            type Input = $input;
            type Output = $output;
            fn predict(&self, input: $input) -> Result<$output> {
                let predict: fn(&Self, $input) -> Result<$output> = $predict;
                predict(self, input)
            }
        }

        #[typetag::serde(name = $tag)]
        impl Component for $name {
            fn as_model(&self) -> Option<&dyn Model> {
                Some(self)
            }
        }

        impl ComponentType for $name {
            const TAG: &'static str = $tag;
        }

        larder_core::link!(Item::model::<$name>());
    };
}

static SUMS: AtomicU64 = AtomicU64::new(0);
static IS_BROKEN: AtomicBool = AtomicBool::new(true);

model!(Sum { times: f64 }, "test/sum", Vec<f64> => f64, |it, x| {
    SUMS.fetch_add(1, Ordering::Relaxed);
    Ok(it.times * x.iter().sum::<f64>())
});
model!(Picky {}, "test/picky", f64 => f64, |_, x| {
    if x < 0.0 && IS_BROKEN.load(Ordering::Relaxed) {
        return Err(Error::predict("it is negative"));
    }
    assert!(x < 1_000.0, "too large");
    Ok(x + 1.0)
});
model!(Embed { turn: bool }, "test/embed", f64 => Vec<f32>, |it, x| {
    let (sin, cos) = x.sin_cos();
    Ok(if it.turn { vec![sin as f32, cos as f32] } else { vec![cos as f32, sin as f32] })
});
model!(Any {}, "test/any", Value => Value, |_, value| Ok(value["name"].clone()));

fn larder() -> Larder {
    Registry::linked().unwrap().open("memory:").unwrap()
}

pub(crate) fn row(value: Value) -> Map<String, Value> {
    let Value::Object(row) = value else { panic!("{value}") };
    row
}

pub(crate) fn insert(collection: &UntypedCollection, rows: impl IntoIterator<Item = Value>) {
    let rows: Vec<_> = rows.into_iter().map(|value| Ok(row(value))).collect();
    collection.insert_json(rows, Insert::new().key("id").upsert()).unwrap();
}

/// A shop with three rows, and the model `sum`.
pub(crate) fn shop() -> (Larder, UntypedCollection, Listeners) {
    let larder = larder();
    larder.apply("sum", &Sum { times: 1.0 }).unwrap();
    larder.tag("sum", "prod").unwrap();
    let rows = larder.untyped_collection("shop/rows").unwrap();
    let some = (1..=3)
        .map(|id| json!({ "id": id, "x": [f64::from(id), 0.5], "y": f64::from(id), "name": "n" }));
    insert(&rows, some);
    let listeners = larder.listeners("shop/rows").unwrap();
    (larder, rows, listeners)
}

pub(crate) fn attach(listeners: &Listeners, model: &str, key: &[&str], name: &str) -> FillReport {
    try_attach(listeners, model, key, AttachOptions::new().name(name)).unwrap()
}

fn try_attach(
    listeners: &Listeners,
    model: &str,
    key: &[&str],
    options: AttachOptions,
) -> Result<FillReport> {
    let attached = listeners.attach(model, key, &options)?;
    let jobs = listeners.larder().jobs().wait(&attached.applied)?;
    let output = jobs.last().and_then(|job| job.output.clone()).expect("a job with a report");
    Ok(serde_json::from_str(output.get()).unwrap())
}

/// Runs all jobs; returns their number.
pub(crate) fn work(larder: &Larder) -> u64 {
    Worker::new(larder).drain().unwrap()
}

/// The status and the output of all rows.
pub(crate) fn outputs(listeners: &Listeners, name: &str) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let visit = |row: OutputRow| {
        all.push((row.status.to_string(), row.output));
        Ok::<_, Error>(true)
    };
    listeners.for_each_output(name, visit).unwrap();
    all
}

fn ok(values: impl IntoIterator<Item = f64>) -> Vec<(String, Value)> {
    values.into_iter().map(|value| ("ok".to_owned(), json!(value))).collect()
}

pub(crate) fn status(listeners: &Listeners, name: &str) -> ListenerStatus {
    listeners.status().unwrap().into_iter().find(|it| it.name == name).unwrap()
}

#[test]
fn outputs_stand_beside_the_rows_and_follow_them() {
    let (larder, rows, listeners) = shop();
    let report = attach(&listeners, "sum:prod", &["x"], "total");
    assert_eq!((report.computed, report.failed), (3, 0));
    assert_eq!(outputs(&listeners, "total"), ok([1.5, 2.5, 3.5]));
    let found = listeners.rows(&[2, 0]).unwrap();
    assert_eq!(found[0]["_outputs"], json!({ "total": 3.5 }));
    let batch = rows.latest().unwrap().take(&[0], None).unwrap();
    let batch = listeners.reader().unwrap().extend(batch).unwrap();
    assert_eq!(larder_collections::row_of(&batch.rows, 0)["_outputs"], json!({ "total": 1.5 }));

    // An insert, an update of the input, one of another field, and a delete.
    insert(&rows, [json!({ "id": 4, "x": [4.0, 0.5], "y": 4.0, "name": "n" })]);
    insert(&rows, [json!({ "id": 1, "x": [9.0, 0.5], "y": 1.0, "name": "n" })]);
    insert(&rows, [json!({ "id": 2, "x": [2.0, 0.5], "y": 2.0, "name": "changed" })]);
    rows.delete_keys(&[Key::from(3_i64)]).unwrap();
    let before = status(&listeners, "total");
    assert_eq!((before.rows, before.ok, before.stale, before.missing), (3, 0, 2, 1));
    assert_eq!((before.behind, before.backlog, before.jobs), (4, 3, 1));
    let statuses: Vec<_> =
        outputs(&listeners, "total").into_iter().map(|(status, _)| status).collect();
    assert_eq!(statuses, ["stale", "stale", "missing"]);

    let calls = SUMS.load(Ordering::Relaxed);
    assert_eq!(work(&larder), 1, "one job for all changes");
    assert!(SUMS.load(Ordering::Relaxed) - calls >= 2);
    assert_eq!(outputs(&listeners, "total"), ok([9.5, 2.5, 4.5]));
    let after = status(&listeners, "total");
    assert_eq!((after.rows, after.ok, after.backlog, after.behind), (3, 3, 0, 0));
    assert_eq!((after.coverage, after.lag), (1.0, None));
    let job = larder.jobs().list(&larder_jobs::JobsQuery::new()).last().unwrap().unwrap();
    let report: FillReport = serde_json::from_str(job.output.unwrap().get()).unwrap();
    assert_eq!((report.computed, report.unchanged, report.dropped), (2, 1, 1));
}

#[test]
fn a_row_that_fails_fails_alone_and_is_tried_again_on_request() {
    let larder = larder();
    larder.apply("picky", &Picky {}).unwrap();
    let rows = larder.untyped_collection("rows").unwrap();
    let number = |id: i64| if id % 10 == 3 { -1.0 } else { f64::from(id as i32) };
    insert(&rows, (0..50).map(|id| json!({ "id": id, "x": number(id) })));
    insert(&rows, [json!({ "id": 50, "x": 5_000.0 }), json!({ "id": 51, "x": null })]);
    let listeners = larder.listeners("rows").unwrap();
    IS_BROKEN.store(true, Ordering::Relaxed);
    let report = attach(&listeners, "picky", &["x"], "y");
    assert_eq!((report.computed, report.failed), (51, 6));
    let state = status(&listeners, "y");
    assert_eq!((state.ok, state.failed, state.empty, state.missing), (45, 6, 1, 0));
    let all = outputs(&listeners, "y");
    assert_eq!(all[3], ("failed".to_owned(), Value::Null));
    assert_eq!(all[4], ("ok".to_owned(), json!(5.0)));
    assert_eq!(all[51], ("empty".to_owned(), Value::Null));
    let mut errors = Vec::new();
    listeners
        .for_each_output("y", |row| {
            errors.extend(row.error);
            Ok::<_, Error>(true)
        })
        .unwrap();
    assert!(errors[0].contains("it is negative"), "{}", errors[0]);
    assert!(errors[5].contains("too large"), "{}", errors[5]);

    // Without a request, what failed stays; with one, only that is computed.
    let run = |retry| {
        let fired = listeners.fill("y", retry).unwrap();
        let jobs = larder.jobs().wait(&fired).unwrap();
        serde_json::from_str::<FillReport>(jobs[0].output.as_ref().unwrap().get()).unwrap()
    };
    assert_eq!(run(false).computed, 0);
    IS_BROKEN.store(false, Ordering::Relaxed);
    let report = run(true);
    assert_eq!((report.computed, report.failed), (6, 1));
    assert_eq!(status(&listeners, "y").ok, 50);
}

#[test]
fn a_tag_is_followed_and_a_pinned_version_stays() {
    let (larder, _, listeners) = shop();
    attach(&listeners, "sum:prod", &["x"], "follows");
    try_attach(&listeners, "sum:prod", &["x"], AttachOptions::new().name("stays").pin(true))
        .unwrap();
    larder.apply("sum", &Sum { times: 10.0 }).unwrap();
    assert_eq!(work(&larder), 0, "the tag has not moved");
    larder.tag("sum@2", "prod").unwrap();
    let state = status(&listeners, "follows");
    assert_eq!((state.ok, state.stale, state.version.as_deref()), (0, 3, Some("sum@1")));
    assert_eq!(outputs(&listeners, "follows")[0], ("stale".to_owned(), json!(1.5)));
    assert_eq!(work(&larder), 1);
    assert_eq!(outputs(&listeners, "follows"), ok([15.0, 25.0, 35.0]));
    assert_eq!(outputs(&listeners, "stays"), ok([1.5, 2.5, 3.5]));
    let users: Vec<_> = larder.used_by("sum@2").unwrap();
    assert_eq!(users[0].reference().to_string(), "shop/rows.listeners/follows@2");
}

#[test]
fn a_model_with_outputs_of_another_type_replaces_them() {
    let (larder, rows, listeners) = shop();
    larder.apply("any", &Any {}).unwrap();
    attach(&listeners, "sum", &["x"], "it");
    attach(&listeners, "any", &["*"], "it");
    assert_eq!(outputs(&listeners, "it")[2], ("ok".to_owned(), json!("n")));
    attach(&listeners, "sum", &["x"], "it");
    assert_eq!(outputs(&listeners, "it"), ok([1.5, 2.5, 3.5]));
    let (_, stored) = listeners.outputs_of(&listeners.all().unwrap()[0]).unwrap().unwrap();
    assert_eq!(stored.fragments.len(), 1);
    // Of one row only, with the other type in the rest.
    let options = AttachOptions::new().name("it").limit(1);
    larder.apply("sum", &Picky {}).unwrap();
    try_attach(&listeners, "sum", &["y"], options).unwrap();
    assert_eq!(outputs(&listeners, "it")[0], ("ok".to_owned(), json!(2.0)));
    let _ = rows;
}

#[test]
fn the_newest_version_is_followed_without_a_tag() {
    let (larder, _, listeners) = shop();
    attach(&listeners, "sum", &["x"], "total");
    larder.apply("sum", &Sum { times: 10.0 }).unwrap();
    assert_eq!(work(&larder), 1);
    assert_eq!(outputs(&listeners, "total"), ok([15.0, 25.0, 35.0]));
}

#[test]
fn listeners_read_each_other_but_not_in_a_cycle() {
    let (larder, rows, listeners) = shop();
    larder.apply("picky", &Picky {}).unwrap();
    attach(&listeners, "sum", &["x"], "total");
    attach(&listeners, "picky", &["_outputs.total"], "more");
    assert_eq!(outputs(&listeners, "more"), ok([2.5, 3.5, 4.5]));
    insert(&rows, [json!({ "id": 1, "x": [10.0, 0.5], "y": 1.0, "name": "n" })]);
    work(&larder);
    assert_eq!(outputs(&listeners, "more"), ok([11.5, 3.5, 4.5]));

    let error =
        try_attach(&listeners, "picky", &["_outputs.more"], AttachOptions::new().name("more"));
    assert!(error.unwrap_err().to_string().contains("`more` reads `more`"));
    attach(&listeners, "picky", &["y"], "total");
    let error =
        try_attach(&listeners, "picky", &["_outputs.more"], AttachOptions::new().name("total"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("in a cycle: `total` reads `more` reads `total`"), "{error}");
    let error = listeners.detach("total").unwrap_err().to_string();
    assert!(error.contains("shop/rows.listeners/more reads its outputs"), "{error}");
    listeners.detach("more").unwrap();
    listeners.detach("total").unwrap();
    assert!(listeners.all().unwrap().is_empty());
    assert!(listeners.rows(&[0]).unwrap()[0].get("_outputs").is_none());
}

#[test]
fn what_a_model_cannot_take_is_refused_when_it_is_attached() {
    let (larder, rows, listeners) = shop();
    let refused = |model: &str, key: &[&str]| {
        try_attach(&listeners, model, key, AttachOptions::new().name("bad"))
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused("sum", &["name"]).contains("cannot read `name`: it is text"),
        "{}",
        refused("sum", &["name"])
    );
    let unknown = refused("sum", &["z"]);
    assert!(unknown.contains("`z`") || unknown.contains("\"z\""), "{unknown}");
    assert!(refused("sum", &["x", "y"]).contains("several fields"));
    assert!(refused("nothing", &["x"]).contains("nothing"));
    assert!(refused("shop/rows", &["x"]).contains("cannot load shop/rows@1 as a model"));
    assert!(refused("sum", &["_outputs.none"]).contains("no such listener"));
    assert!(listeners.all().unwrap().is_empty());
    let _ = (larder, rows);
}

#[test]
fn a_removed_model_is_named_and_can_be_replaced() {
    let (larder, rows, listeners) = shop();
    attach(&listeners, "sum:prod", &["x"], "total");
    larder.untag("sum", "prod").unwrap();
    let error = larder.remove("sum@1").unwrap_err().to_string();
    assert!(error.contains("shop/rows.listeners/total"), "{error}");
    larder.remove_with("sum@1", &RemoveOptions::new().force(true)).unwrap();
    insert(&rows, [json!({ "id": 9, "x": [1.0, 1.0], "y": 1.0, "name": "n" })]);
    for _ in 0..3 {
        work(&larder);
        // Retries wait for a while.
        let jobs: Vec<_> = larder.jobs().list(&larder_jobs::JobsQuery::new()).collect();
        for job in jobs {
            let job = job.unwrap();
            if job.failures > 0 && !job.status.is_over() {
                larder.jobs().cancel(&job.id).unwrap();
            }
        }
    }
    let jobs = larder.jobs();
    let jobs = jobs.list(&larder_jobs::JobsQuery::new());
    let errors: Vec<_> = jobs.map(|job| job.unwrap().error.join(": ")).collect();
    let error = errors.join("; ");
    assert!(error.contains("its model sum:prod was removed; attach another"), "{error}");
    assert_eq!(
        outputs(&listeners, "total")[0],
        ("ok".to_owned(), json!(1.5)),
        "what was computed stays"
    );
    larder.apply("sum", &Sum { times: 2.0 }).unwrap();
    attach(&listeners, "sum", &["x"], "total");
    assert_eq!(outputs(&listeners, "total"), ok([3.0, 5.0, 7.0, 4.0]));
}

#[test]
fn a_limit_leaves_rows_missing_until_it_is_attached_again() {
    let (larder, rows, listeners) = shop();
    insert(
        &rows,
        (4..=100).map(|id| json!({ "id": id, "x": [f64::from(id), 0.0], "y": 1.0, "name": "n" })),
    );
    let options = AttachOptions::new().name("total").limit(10);
    let report = try_attach(&listeners, "sum", &["x"], options).unwrap();
    assert_eq!((report.computed, report.left), (10, 90));
    let state = status(&listeners, "total");
    assert_eq!((state.ok, state.missing, state.backlog), (10, 90, 90));
    let report = attach(&listeners, "sum", &["x"], "total");
    assert_eq!(report.computed, 90);
    assert_eq!(status(&listeners, "total").coverage, 1.0);
    let paused = AttachOptions::new().name("paused").paused(true);
    assert_eq!(try_attach(&listeners, "sum", &["x"], paused).unwrap(), FillReport::default());
    assert_eq!(status(&listeners, "paused").missing, 100);
    let _ = larder;
}

#[test]
fn whole_rows_and_outputs_of_an_unknown_type_are_read_as_json() {
    let (larder, _, listeners) = shop();
    larder.apply("any", &Any {}).unwrap();
    attach(&listeners, "any", &["*"], "name");
    assert_eq!(outputs(&listeners, "name")[0], ("ok".to_owned(), json!("n")));
    assert_eq!(status(&listeners, "name").output.as_deref(), Some("text"));
}

#[test]
fn missing_values_are_imputed_beside_the_originals() {
    let larder = larder();
    larder.apply("any", &Any {}).unwrap();
    let rows = larder.untyped_collection("rows").unwrap();
    insert(
        &rows,
        [
            json!({ "id": 1, "name": "a", "kind": "k" }),
            json!({ "id": 2, "name": "b", "kind": null }),
        ],
    );
    let listeners = larder.listeners("rows").unwrap();
    let options = AttachOptions::new().name("kind").fills("kind");
    try_attach(&listeners, "any", &["*"], options).unwrap();
    let mut all = Vec::new();
    listeners
        .for_each_output("kind", |row| {
            all.push((row.status.to_string(), row.output, row.imputed));
            Ok::<_, Error>(true)
        })
        .unwrap();
    assert_eq!(all[0], ("empty".into(), Value::Null, false));
    assert_eq!(all[1], ("ok".into(), json!("b"), true));
    let error = try_attach(&listeners, "any", &["*"], AttachOptions::new().name("id").fills("id"));
    assert!(error.unwrap_err().to_string().contains("never null"));
}
