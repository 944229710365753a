//! Predictions from JSON, and of batches on several workers.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin predict
//! ```

use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use larder::objectmodel;
use larder::prelude::*;
use larder_benches::{Outcome, compare, head, timed};
use serde::Deserialize;

/// Number of predictions timed together: one is below the clock's resolution.
const TOGETHER: usize = 10_000;
const ROWS: u64 = 1_000;

#[objectmodel(tag = "bench/sum")]
fn sum(x: f64, y: f64) -> f64 {
    x + y
}

/// Input of `sum`, for serde alone.
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

/// Input of `weigh`, for serde alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wine {
    wine: [f64; 11],
    title: String,
    years: Vec<u16>,
}

/// Number of iterations that take 100 µs.
static ITERATIONS: OnceLock<u64> = OnceLock::new();

/// Works in registers only, as memory is faster or slower from run to run, and is not inlined, so that the calibration and
/// every row run the same machine code.
#[inline(never)]
fn spin(n: u64, iterations: u64) -> u64 {
    (0..iterations).fold(n, |mixed, _| mixed.wrapping_mul(6_364_136_223_846_793_005) | 1)
}

fn busy(n: u64) -> u64 {
    // Calibrated once by the fastest run, which other processes interrupt the least.
    let iterations = *ITERATIONS.get_or_init(|| {
        let runs = (0..50).map(|_| {
            let start = Instant::now();
            black_box(spin(n, 100_000));
            start.elapsed().as_nanos().max(1)
        });
        100_000 * 100_000 / u64::try_from(runs.min().unwrap_or(1)).unwrap_or(1)
    });
    spin(n, iterations)
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
    )?;
    // The parallelism available at this moment.
    compare(
        "the same, 2 workers / 2 bare threads",
        1.1,
        11,
        |_| batch(&in_pairs::model()),
        |_| timed(|| Ok(bare_threads())),
    )
}

fn bare_threads() -> u64 {
    let half = |rows: Range<u64>| rows.map(busy).fold(0, u64::wrapping_add);
    thread::scope(|scope| {
        let other = scope.spawn(|| half(0..ROWS / 2));
        half(ROWS / 2..ROWS).wrapping_add(other.join().unwrap_or_default())
    })
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
