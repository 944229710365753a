//! Predicting: through the erased JSON face, and on workers.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin predict
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use larder::objectmodel;
use larder::prelude::*;
use larder_benches::{Outcome, compare, head, timed};
use serde::Deserialize;

/// Predictions that are timed together: one takes less than the clock can tell.
const TOGETHER: usize = 10_000;
const ROWS: u64 = 1_000;

#[objectmodel(tag = "bench/sum")]
fn sum(x: f64, y: f64) -> f64 {
    x + y
}

/// What `sum` takes, by serde alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Point {
    x: f64,
    y: f64,
}

#[objectmodel(tag = "bench/weigh")]
fn weigh(wine: [f64; 11], title: String, years: Vec<u16>) -> Vec<f64> {
    let factor = (title.len() + years.len()) as f64;
    wine.iter().map(|x| x * factor).collect()
}

/// What `weigh` takes, by serde alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wine {
    wine: [f64; 11],
    title: String,
    years: Vec<u16>,
}

/// 100 µs of work.
fn busy(n: u64) -> u64 {
    let begun = Instant::now();
    let mut mixed = n;
    while begun.elapsed() < Duration::from_micros(100) {
        for _ in 0..100 {
            mixed = black_box(mixed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
        }
    }
    mixed
}

#[objectmodel(tag = "bench/alone")]
fn alone(n: u64) -> u64 {
    busy(n)
}

#[objectmodel(tag = "bench/in-pairs", num_workers = 2)]
fn in_pairs(n: u64) -> u64 {
    busy(n)
}

fn main() -> Outcome {
    let larder = larder::open("memory:")?;
    larder.apply("sum", &sum::model())?;
    larder.apply("weigh", &weigh::model())?;

    head();
    let (model, input) = (larder.load_model("sum")?, r#"{"x": 1.25, "y": -0.5}"#);
    compare(
        "10,000 predictions, 2 numbers / serde_json",
        1.5,
        101,
        |_| together(|| Ok(model.predict_json(input)?)),
        |_| {
            together(|| {
                let Point { x, y } = serde_json::from_str(input)?;
                Ok(serde_json::to_string(&sum(x, y))?)
            })
        },
    )?;
    let model = larder.load_model("weigh")?;
    let input = r#"{"wine": [7.4, 0.7, 0.0, 1.9, 0.076, 11.0, 34.0, 0.9978, 3.51, 0.56, 9.4],
        "title": "Riesling", "years": [2019, 2021]}"#;
    compare(
        "10,000 predictions, a wine / serde_json",
        1.5,
        101,
        |_| together(|| Ok(model.predict_json(input)?)),
        |_| {
            together(|| {
                let Wine { wine, title, years } = serde_json::from_str(input)?;
                Ok(serde_json::to_string(&weigh(wine, title, years))?)
            })
        },
    )?;
    compare(
        "1,000 rows of 100 µs, 2 workers / 1 worker",
        1.0 / 1.6,
        11,
        |_| batch(&in_pairs::model()),
        |_| batch(&alone::model()),
    )
}

fn together(mut predict: impl FnMut() -> Outcome<String>) -> Outcome<Duration> {
    timed(|| {
        for _ in 0..TOGETHER {
            black_box(predict()?);
        }
        Ok(())
    })
}

fn batch<M: Predict<Input: From<(u64,)>>>(model: &M) -> Outcome<Duration> {
    let inputs: Vec<M::Input> = (0..ROWS).map(|n| (n,).into()).collect();
    timed(|| Ok(model.predict_batch(inputs)?.len()))
}
