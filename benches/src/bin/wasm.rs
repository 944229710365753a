//! WebAssembly models: calls compared with native code, instantiation, and loading with and without the code cache.
//!
//! ```sh
//! cargo run --release -p larder-benches --features wasm --bin wasm
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use larder::models::WasmModel;
use larder::prelude::*;
use larder::{Larder, Registry};
use larder_benches::{Outcome, say};

const TREE: &[u8] = include_bytes!("../../../models/tests/guests/tree.wasm");
const LINEAR: &[u8] = include_bytes!("../../../models/tests/guests/linear.wasm");

const CALLS: u32 = 2_000;
const FLOWER: &str = "[5.1, 3.5, 1.4, 0.2]";

/// `tree.ts` in Rust.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/tree", model)]
struct Native {}

impl Predict for Native {
    type Input = [f64; 4];
    type Output = Prediction;
    fn predict(&self, x: [f64; 4]) -> larder::Result<Prediction> {
        Ok(classify(x))
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "larder::schemars")]
struct Prediction {
    species: String,
    area: f64,
}

fn classify([_, _, length, width]: [f64; 4]) -> Prediction {
    let species = match (length, width) {
        (length, _) if length < 2.45 => "setosa",
        (_, width) if width >= 1.75 => "virginica",
        (length, width) if length < 4.95 => ["versicolor", "virginica"][usize::from(width >= 1.65)],
        (_, width) if width < 1.55 => "virginica",
        (length, _) => ["versicolor", "virginica"][usize::from(length >= 5.45)],
    };
    Prediction { species: species.to_owned(), area: length * width }
}

fn main() -> Outcome {
    say("median of                                             time");
    let larder = larder::open("memory:")?;
    larder.apply("tree", &WasmModel::from_bytes(TREE)?)?;
    larder.apply("linear", &WasmModel::from_bytes(LINEAR)?)?;
    larder.apply("echo", &WasmModel::from_bytes(echo())?)?;
    larder.apply("native", &Native {})?;

    let json = |name: &str| -> Outcome<Duration> {
        let model = larder.load_model(name)?;
        each(CALLS, || Ok(model.predict_json(FLOWER)?))
    };
    let (start, tree, native) = (json("echo")?, json("tree")?, json("native")?);
    line("instantiation (a guest that returns its input)", start);
    line("call: tree in AssemblyScript, JSON", tree);
    line("call: tree in Rust with Larder, JSON", native);
    let bare = each(CALLS, || {
        let x = serde_json::from_str(black_box(FLOWER))?;
        Ok(serde_json::to_string(&classify(x))?)
    })?;
    line("call: tree in Rust with serde_json", bare);
    say(&format!("call / native with Larder: {:.1}", ratio(tree, native)));

    let rows = format!("[{}]", [FLOWER; 256].join(","));
    let batch = |name: &str| -> Outcome<Duration> {
        let model = larder.load_model(name)?;
        each(50, || Ok(model.predict_batch_json(&rows)?))
    };
    let (linear, tree, native) = (batch("linear")?, batch("tree")?, batch("native")?);
    line("256 rows: linear model in C, one call", linear);
    line("256 rows: tree in AssemblyScript, 256 calls", tree);
    line("256 rows: tree in Rust with Larder", native);
    say(&format!(
        "batch / native: {:.1} in one call, {:.1} in 256",
        ratio(linear, native),
        ratio(tree, native)
    ));

    let cache = larder_benches::work_folder()?;
    let cached = || -> Outcome<Larder> {
        let larder = Registry::linked()?.open("memory:")?.with_cache(cache.path());
        larder.apply("tree", &WasmModel::from_bytes(TREE)?)?;
        Ok(larder)
    };
    let cached = cached()?;
    let uncached = Registry::linked()?.open("memory:")?;
    uncached.apply("tree", &WasmModel::from_bytes(TREE)?)?;
    let cold =
        |larder: &Larder| each(20, || Ok(larder.load_model("tree")?.predict_json(FLOWER)?));
    let (without, with) = (cold(&uncached)?, cold(&cached)?);
    line("load and first call, compiled", without);
    line("load and first call, cached", with);
    say(&format!("cache: {:.1} times faster", ratio(without, with)));
    Ok(())
}

/// A guest that returns its input.
fn echo() -> &'static [u8] {
    include_bytes!("../../../models/tests/guests/echo.wasm")
}

/// Measures the median time of a call after a warm-up.
fn each(calls: u32, mut call: impl FnMut() -> Outcome<String>) -> Outcome<Duration> {
    black_box(call()?);
    let mut times = Vec::new();
    for _ in 0..calls {
        let start = Instant::now();
        black_box(call()?);
        times.push(start.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

fn ratio(ours: Duration, other: Duration) -> f64 {
    ours.as_secs_f64() / other.as_secs_f64()
}

fn line(what: &str, time: Duration) {
    say(&format!("{what:<50} {time:>10.2?}"));
}
