//! Random writes, and jobs between some of them.

use larder_collections::{Field, Find, Insert, LarderCollections, NewCollection, Schema, row_of};
use larder_core::{Larder, Registry};
use serde_json::{Value, json};

use super::tests::{Picky, Sum, attach, outputs, status, work};
use super::*;

/// Number of runs, each of other writes.
const RUNS: u64 = 5;
/// Number of steps of a run.
const STEPS: usize = 60;

struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Rows have no key and are often equal, so that files and outputs of different rows are, too.
#[test]
fn after_any_writes_every_row_has_the_outputs_of_its_values() {
    for run in 1..=RUNS {
        run_once(&mut Random(run.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    }
}

fn run_once(random: &mut Random) {
    let larder = Registry::linked().unwrap().open("memory:").unwrap();
    let mut times = 1.0;
    larder.apply("sum", &Sum { times }).unwrap();
    larder.tag("sum", "prod").unwrap();
    larder.apply("picky", &Picky {}).unwrap();
    let rows = larder.untyped_collection("shop/rows").unwrap();
    let fields = [("x", "list<float64>"), ("group", "int64"), ("long", "text")];
    let fields = fields.map(|(name, kind)| Field::new(name, kind.parse().unwrap()));
    rows.create(NewCollection::new(Schema::new(fields).unwrap())).unwrap();
    let listeners = larder.listeners("shop/rows").unwrap();
    attach(&listeners, "sum:prod", &["x"], "total");
    attach(&listeners, "picky", &["_outputs.total"], "more");
    let mut done: Vec<String> = Vec::new();
    for _ in 0..STEPS {
        let group = random.below(4);
        let in_group = format!("group = {group}").parse().unwrap();
        let x = json!([random.below(3) as f64, 0.5]);
        match random.below(10) {
            0..=4 => {
                // Some rows are kept in the manifest, others in files.
                let long = "long".repeat(200 * random.below(2) as usize);
                let count = 1 + random.below(20) as usize;
                done.push(format!("insert {count} of {x}, {group}, {} bytes", long.len()));
                let row = json!({ "x": x, "group": group, "long": long });
                let new = vec![row.as_object().unwrap().clone(); count];
                rows.insert_json(new.into_iter().map(Ok), Insert::new()).unwrap();
            }
            5 | 6 => {
                done.push(format!("update {group} to {x}"));
                let set = json!({ "x": x });
                rows.update(Some(&in_group), set.as_object().unwrap()).unwrap();
            }
            7 => {
                done.push(format!("delete {group}"));
                rows.delete(&in_group).unwrap();
            }
            8 => {
                done.push("compact".into());
                rows.compact().unwrap();
            }
            _ => {
                times += 1.0;
                done.push(format!("attach {times}"));
                larder.apply("sum", &Sum { times }).unwrap();
                larder.tag("sum", "prod").unwrap();
                attach(&listeners, "sum:prod", &["x"], "total");
            }
        }
        if random.below(3) == 0 {
            done.push("work".into());
            work(&larder);
            check(&larder, &listeners, times, &done);
        }
    }
    work(&larder);
    check(&larder, &listeners, times, &done);
}

fn check(larder: &Larder, listeners: &Listeners, times: f64, done: &[String]) {
    let version = larder.untyped_collection("shop/rows").unwrap().latest().unwrap();
    let batches = version.find(&Find::default()).unwrap().map(Result::unwrap);
    let totals: Vec<f64> = batches
        .flat_map(|batch| {
            let row = |at| row_of(&batch.rows, at)["x"].as_array().unwrap().clone();
            (0..batch.ids.len()).map(row).collect::<Vec<_>>()
        })
        .map(|x| times * x.iter().filter_map(Value::as_f64).sum::<f64>())
        .collect();
    for (name, plus) in [("total", 0.0), ("more", 1.0)] {
        let expected: Vec<_> =
            totals.iter().map(|total| ("ok".to_owned(), json!(total + plus))).collect();
        assert_eq!(outputs(listeners, name), expected, "{name} after {done:#?}");
        let status = status(listeners, name);
        assert_eq!((status.backlog, status.failed), (0, 0), "{name} after {done:#?}");
    }
}
