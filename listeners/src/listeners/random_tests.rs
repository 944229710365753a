//! Random writes, with jobs between or beside them.

use std::sync::Arc;

use fastrand::Rng;
use larder_collections::arrow_array::RecordBatch;
use larder_collections::extend::array_of;
use larder_collections::{
    Field, Insert, LarderCollections, NewCollection, Scan, Schema, UntypedCollection, row_of,
};
use larder_core::{Larder, Registry};
use larder_jobs::Worker;
use serde_json::{Value, json};

use super::tests::{Picky, Sum, attach, outputs, status, work};
use super::*;
use crate::index::{Like, SearchQuery};
use crate::nearest::Measure;

/// Number of runs, each of other writes.
const RUNS: u64 = 4;
/// Number of steps of a run.
const STEPS: usize = 60;

/// A collection with two chained listeners and an index, and the log of its writes.
///
/// Rows have no key and are often equal, so that files and outputs of different rows are, too.
struct Shop {
    larder: Larder,
    rows: UntypedCollection,
    listeners: Listeners,
    /// The factor of the model that is attached.
    times: f64,
    done: Vec<String>,
}

impl Shop {
    fn new() -> Self {
        let larder = Registry::linked().unwrap().open("memory:").unwrap();
        larder.apply("picky", &Picky {}).unwrap();
        let rows = larder.untyped_collection("shop/rows").unwrap();
        let fields = [("x", "vector<float32, 2>"), ("group", "int64"), ("long", "text")];
        let fields = fields.map(|(name, kind)| Field::new(name, kind.parse().unwrap()));
        rows.create(NewCollection::new(Schema::new(fields).unwrap())).unwrap();
        let listeners = larder.listeners("shop/rows").unwrap();
        let mut shop = Self { larder, rows, listeners, times: 0.0, done: Vec::new() };
        shop.attach_next();
        attach(&shop.listeners, "picky", &["_outputs.total"], "more");
        shop.listeners.index("x", &IndexOptions::new().measure(Measure::L2)).unwrap();
        shop
    }

    /// Attaches the next version of the first model.
    fn attach_next(&mut self) {
        self.times += 1.0;
        self.done.push(format!("attach {}", self.times));
        self.larder.apply("sum", &Sum { times: self.times }).unwrap();
        self.larder.tag("sum", "prod").unwrap();
        let options = AttachOptions::new().name("total");
        self.listeners.attach("sum:prod", &["x"], &options).unwrap();
    }

    /// Makes one random change.
    fn step(&mut self, random: &mut Rng) {
        let group = random.u8(..4);
        let in_group = format!("group = {group}").parse().unwrap();
        let x = json!([f64::from(random.u8(..3)), 0.5]);
        match random.u8(..11) {
            10 => {
                let count = random.usize(1..=6);
                self.done.push(format!("insert {count} batches of {x}, {group}"));
                let row = json!({ "x": x, "group": group, "long": "many" });
                let row = batch_of(self.rows.latest().unwrap().schema(), &row);
                let batches = std::iter::repeat_n(row, count).map(Ok);
                let inserted = self.rows.insert_versions(batches, Insert::new());
                assert_eq!(inserted.filter(Result::is_ok).count(), count);
            }
            0..=4 => {
                // Some rows are kept in the manifest, others in files.
                let long = "long".repeat(200 * random.usize(..2));
                let count = random.usize(1..=20);
                self.done.push(format!("insert {count} of {x}, {group}, {} bytes", long.len()));
                let row = json!({ "x": x, "group": group, "long": long });
                let new = vec![row.as_object().unwrap().clone(); count];
                self.rows.insert_json(new.into_iter().map(Ok), Insert::new()).unwrap();
            }
            5 | 6 => {
                self.done.push(format!("update {group} to {x}"));
                let set = json!({ "x": x });
                self.rows.update(Some(&in_group), set.as_object().unwrap()).unwrap();
            }
            7 => {
                self.done.push(format!("delete {group}"));
                self.rows.delete(&in_group).unwrap();
            }
            8 => {
                self.done.push("compact".into());
                self.rows.compact().unwrap();
            }
            _ => self.attach_next(),
        }
    }

    fn work(&mut self) {
        self.done.push("work".into());
        work(&self.larder);
        check(&self.listeners, self.times, &self.done);
    }
}

#[test]
fn after_any_writes_every_row_has_the_outputs_of_its_values() {
    for run in 1..=RUNS {
        let random = &mut Rng::with_seed(run);
        let mut shop = Shop::new();
        for _ in 0..STEPS {
            shop.step(random);
            check_search(&shop.listeners, random, &shop.done);
            if random.u8(..3) == 0 {
                shop.work();
            }
        }
        shop.work();
    }
}

#[test]
fn beside_workers_writes_have_the_same_outputs_in_the_end() {
    for run in 1..=RUNS {
        let random = &mut Rng::with_seed(run);
        let mut shop = Shop::new();
        let workers = [(); 2].map(|()| Worker::new(&shop.larder).spawn().unwrap());
        for _ in 0..STEPS {
            shop.step(random);
            check_search(&shop.listeners, random, &shop.done);
        }
        workers.into_iter().for_each(|worker| worker.stop().unwrap());
        shop.work();
    }
}

/// A batch of one row.
fn batch_of(schema: &Schema, row: &Value) -> RecordBatch {
    let fields = schema.fields().iter();
    let columns = fields.map(|it| array_of(&it.kind, [row.get(&it.name)].into_iter()).unwrap());
    RecordBatch::try_new(Arc::clone(schema.arrow()), columns.collect()).unwrap()
}

/// The values of `x` of all rows, by row id.
fn vectors(listeners: &Listeners) -> Vec<(u64, [f64; 2])> {
    let version = listeners.newest().unwrap();
    let batches = version.scan(&Scan::new()).unwrap().map(Result::unwrap);
    let vectors = batches.flat_map(|batch| {
        let number = |at: usize, part: usize| row_of(&batch.rows, at)["x"][part].as_f64().unwrap();
        let row = |at| (batch.ids.value(at), [number(at, 0), number(at, 1)]);
        (0..batch.ids.len()).map(row).collect::<Vec<_>>()
    });
    vectors.collect()
}

/// Compares a search with all rows; some of them may not be indexed yet.
fn check_search(listeners: &Listeners, random: &mut Rng, done: &[String]) {
    let wanted = [f64::from(random.u8(..4)) - 0.5, 0.5];
    let distance = |x: [f64; 2]| (x[0] - wanted[0]).hypot(x[1] - wanted[1]);
    let all = vectors(listeners);
    let mut expected: Vec<f64> = all.iter().map(|(_, x)| distance(*x)).collect();
    expected.sort_by(f64::total_cmp);
    expected.truncate(7);
    let like = Like::Vector(wanted.map(|it| it as f32).to_vec());
    let found = listeners.search("x", &SearchQuery::new(like, 7)).unwrap().found;
    let scores: Vec<f64> = found.iter().map(|found| f64::from(found.score)).collect();
    assert_eq!(scores, expected, "after {done:#?}");
    for found in found {
        let (_, x) = all.iter().find(|(row, _)| *row == found.row).unwrap();
        assert_eq!(distance(*x), f64::from(found.score), "after {done:#?}");
    }
}

fn check(listeners: &Listeners, times: f64, done: &[String]) {
    let totals = vectors(listeners).into_iter().map(|(_, x)| times * (x[0] + x[1]));
    let totals: Vec<f64> = totals.collect();
    for (name, plus) in [("total", 0.0), ("more", 1.0)] {
        let expected: Vec<_> =
            totals.iter().map(|total| ("ok".to_owned(), json!(total + plus))).collect();
        assert_eq!(outputs(listeners, name), expected, "{name} after {done:#?}");
        let status = status(listeners, name);
        assert_eq!((status.backlog, status.failed), (0, 0), "{name} after {done:#?}");
    }
}
