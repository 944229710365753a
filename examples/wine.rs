//! A third-party model, stored in two stores and loaded by another process.
//!
//! ```sh
//! cargo run --release --example wine
//! ```
//!
//! 1. Trains a forest of decision trees from the crate `linfa-trees` on 1,599 wines, with some held out.
//! 2. Applies it to an SQLite file (`larder.db`) and a folder (`larder/`) in the current folder.
//! 3. Starts a second process for each store, which loads the model, typed and untyped, and predicts.
//! 4. Compares the predictions of both processes and prints a table.
//!
//! A second run trains the same forest, so the version is unchanged.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::process::{Command, Stdio};
use std::time::Instant;

use larder::prelude::*;
use linfa::Dataset;
use linfa::traits::{Fit, Predict as _};
use linfa_trees::DecisionTree;
use ndarray::{ArrayView2, Axis, Ix1};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

/// One wine: eleven measurements, from fixed acidity to alcohol.
type Wine = [f64; 11];
/// A type of another crate, with serde and without Larder.
type Tree = DecisionTree<f64, bool>;

/// The component: a plain struct.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/wine", model)]
struct WineModel {
    /// Minimum quality of a good wine, from 0 to 10. Stored in the manifest as JSON.
    good_from: usize,
    /// The trees. Stored as a blob in MessagePack.
    forest: Artifact<Vec<Tree>>,
}

/// Prediction for a wine.
#[derive(Serialize, Deserialize, JsonSchema, PartialEq)]
struct Verdict {
    good: bool,
    /// Number of trees that predict a good wine.
    votes: usize,
}

/// The typed interface; `Model`, with any serde format, is implemented for it.
impl Predict for WineModel {
    type Input = Wine;
    type Output = Verdict;

    fn predict(&self, wine: Wine) -> larder::Result<Verdict> {
        let forest = self.forest.get()?; // read, verified and decoded on first use
        let wine = [wine];
        let row = ArrayView2::from(&wine);
        let votes = forest.iter().filter(|tree| tree.predict(&row)[0]).count();
        Ok(Verdict { good: votes * 2 > forest.len(), votes })
    }
}

const NAME: &str = "wine/quality";
const STORES: [&str; 2] = ["sqlite:larder.db", "fs:larder"];
const GOOD_FROM: usize = 6;
const TREES: usize = 51;
const SEED: u64 = 1599;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        None => first_process(),
        Some(store) => second_process(&store),
    }
}

/// Trains, applies, and compares.
fn first_process() -> Result<(), Box<dyn Error>> {
    let (train, held_back) = wines();
    let start = Instant::now();
    let forest = grow_forest(&train)?;
    let (rows, held_out) = (train.records.nrows(), held_back.len());
    println!(
        "{TREES} trees trained on {rows} wines in {:.2?}, {held_out} held out.\n",
        start.elapsed()
    );

    let model = WineModel { good_from: GOOD_FROM, forest: Artifact::new(forest) };
    let before = predict_all(&held_back, |wine| model.predict(wine))?;

    println!(
        "{:18}{:9}{:11}{:17}{:>9}{:>11}{:>11}   accuracy before, after",
        "store", "version", "applied", "digest", "size", "apply", "load"
    );
    let mut equal = true;
    for store in STORES {
        let larder = larder::open(store)?;
        // A copy for each store: a stored artifact is not encoded again.
        let model = WineModel { forest: Artifact::new(model.forest.get()?.clone()), ..model };
        let start = Instant::now();
        let applied = larder.apply(NAME, &model)?;
        let apply = start.elapsed().as_secs_f64() * 1e3;

        let after = run_second_process(store)?;
        equal &= before == after.typed && before == after.json;
        let version = applied.version();
        println!(
            "{store:18}{:9}{:11}{:17}{:>6.2} MB{apply:>8.1} ms{:>8.1} ms   {:.1} %, {:.1} %",
            version.version,
            if applied.is_created() { "created" } else { "unchanged" },
            version.digest.short(),
            version.size as f64 / 1e6,
            after.load_ms,
            100.0 * accuracy(&held_back, &before),
            100.0 * accuracy(&held_back, &after.typed),
        );
    }
    println!("\nload: open the store, load the model and predict for one wine.");
    if equal { Ok(()) } else { Err("the loaded model predicts differently".into()) }
}

/// Output of the second process, as JSON.
#[derive(Serialize, Deserialize)]
struct Report {
    load_ms: f64,
    typed: Vec<Verdict>,
    json: Vec<Verdict>,
}

fn run_second_process(store: &str) -> Result<Report, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).arg(store).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the second process failed: {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Loads the model, typed and untyped, and predicts for the held-out wines.
fn second_process(store: &str) -> Result<(), Box<dyn Error>> {
    let (_, held_back) = wines();

    // Typed.
    let start = Instant::now();
    let larder = larder::open(store)?;
    let model: WineModel = larder.load(NAME)?;
    model.predict(held_back[0].0)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let typed = predict_all(&held_back, |wine| model.predict(wine))?;

    // Untyped, by name only: from JSON to JSON.
    let model = larder.load_model(NAME)?;
    let all: Vec<Wine> = held_back.iter().map(|(wine, _)| *wine).collect();
    let json = model.predict_batch_json(&serde_json::to_string(&all)?)?;
    let json = serde_json::from_str(&json)?;

    println!("{}", serde_json::to_string(&Report { load_ms, typed, json })?);
    Ok(())
}

/// Returns the training wines and the held-out ones (every fifth).
fn wines() -> (Dataset<f64, bool, Ix1>, Vec<(Wine, bool)>) {
    let wines = linfa_datasets::winequality().map_targets(|quality| *quality >= GOOD_FROM);
    let (held, rest): (Vec<usize>, Vec<usize>) = (0..wines.targets.len()).partition(|i| i % 5 == 0);
    let wine =
        |i: usize| (std::array::from_fn(|column| wines.records[(i, column)]), wines.targets[i]);
    let held_back = held.into_iter().map(wine).collect();
    let pick =
        |rows: &[usize]| (wines.records.select(Axis(0), rows), wines.targets.select(Axis(0), rows));
    let (records, targets) = pick(&rest);
    (Dataset::new(records, targets), held_back)
}

/// Trains each tree on a random sample with a fixed seed.
fn grow_forest(train: &Dataset<f64, bool, Ix1>) -> Result<Vec<Tree>, linfa::Error> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let samples = train.bootstrap_samples(train.targets.len(), &mut random).take(TREES);
    let grow = |sample: Dataset<f64, bool, Ix1>| {
        // Linfa breaks ties by the order of a HashMap, which varies between processes. A slightly larger weight of
        // good wines avoids ties, so that each run trains identical trees.
        let weights = sample.targets.mapv(|good| if good { 1.0 + 1.0 / 1024.0 } else { 1.0 });
        DecisionTree::params().fit(&sample.with_weights(weights))
    };
    samples.map(grow).collect()
}

fn predict_all(
    wines: &[(Wine, bool)],
    predict: impl Fn(Wine) -> larder::Result<Verdict>,
) -> larder::Result<Vec<Verdict>> {
    wines.iter().map(|(wine, _)| predict(*wine)).collect()
}

/// Fraction of correct predictions.
fn accuracy(wines: &[(Wine, bool)], verdicts: &[Verdict]) -> f64 {
    let correct = wines.iter().zip(verdicts).filter(|((_, good), verdict)| *good == verdict.good);
    correct.count() as f64 / wines.len() as f64
}
