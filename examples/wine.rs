//! A model that nobody here wrote goes into two stores, and another process gets it back.
//!
//! ```sh
//! cargo run --release --example wine
//! ```
//!
//! 1. Train a forest of decision trees from the crate `linfa-trees` on 1,599 real wines, some held back.
//! 2. Apply it to an SQLite file (`larder.db`) and to a folder (`larder/`), both in the current folder.
//! 3. Start this program once more for each store. The second process has trained nothing: it loads the
//!    model, typed and erased, and judges the wines that were held back.
//! 4. Compare what both processes say, wine by wine, and print a table.
//!
//! Run it twice: the second run trains the same forest, and the version is unchanged.
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
/// A fitted type of another crate, with serde and with nothing of Larder.
type Tree = DecisionTree<f64, bool>;

/// What the larder keeps: a plain struct.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/wine", model)]
struct WineModel {
    /// The quality, from 0 to 10, from which a wine is called good. It stands in the manifest as JSON.
    good_from: usize,
    /// The fitted trees, unchanged. They are bytes of their own, in MessagePack.
    forest: Artifact<Vec<Tree>>,
}

/// What the model says of a wine.
#[derive(Serialize, Deserialize, JsonSchema, PartialEq)]
struct Verdict {
    good: bool,
    /// How many trees say so.
    votes: usize,
}

/// The typed face of the model. Its erased face, any format in and out, follows from it.
impl Predict for WineModel {
    type Input = Wine;
    type Output = Verdict;

    fn predict(&self, wine: Wine) -> larder::Result<Verdict> {
        let forest = self.forest.get()?; // read, checked and decoded on first use
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
    let (rows, asked) = (train.records.nrows(), held_back.len());
    println!(
        "{TREES} trees trained on {rows} wines in {:.2?}, {asked} held back.\n",
        start.elapsed()
    );

    let model = WineModel { good_from: GOOD_FROM, forest: Artifact::new(forest) };
    let before = judge(&held_back, |wine| model.predict(wine))?;

    println!(
        "{:18}{:9}{:11}{:17}{:>9}{:>11}{:>11}   accuracy before, after",
        "store", "version", "applied", "digest", "size", "apply", "load"
    );
    let mut alike = true;
    for store in STORES {
        let larder = larder::open(store)?;
        // A copy for each store: an artifact remembers that it was stored, and is not encoded again.
        let model = WineModel { forest: Artifact::new(model.forest.get()?.clone()), ..model };
        let start = Instant::now();
        let applied = larder.apply(NAME, &model)?;
        let apply = start.elapsed().as_secs_f64() * 1e3;

        let after = ask_second_process(store)?;
        alike &= before == after.typed && before == after.json;
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
    println!("\nload: the second process opens the store, loads the model and judges one wine.");
    if alike { Ok(()) } else { Err("the model judges otherwise after it was loaded".into()) }
}

/// What the second process writes to its standard output, as JSON.
#[derive(Serialize, Deserialize)]
struct Report {
    load_ms: f64,
    typed: Vec<Verdict>,
    json: Vec<Verdict>,
}

fn ask_second_process(store: &str) -> Result<Report, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).arg(store).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("the second process ended with {}", output.status).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Loads the model in both ways, and judges the wines that were held back.
fn second_process(store: &str) -> Result<(), Box<dyn Error>> {
    let (_, held_back) = wines();

    // Typed: for a program that knows the type.
    let start = Instant::now();
    let larder = larder::open(store)?;
    let model: WineModel = larder.load(NAME)?;
    model.predict(held_back[0].0)?;
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let typed = judge(&held_back, |wine| model.predict(wine))?;

    // Erased: for a program that knows the name only. Here JSON goes in and JSON comes out.
    let model = larder.load_model(NAME)?;
    let all: Vec<Wine> = held_back.iter().map(|(wine, _)| *wine).collect();
    let json = model.predict_batch_json(&serde_json::to_string(&all)?)?;
    let json = serde_json::from_str(&json)?;

    println!("{}", serde_json::to_string(&Report { load_ms, typed, json })?);
    Ok(())
}

/// The wines to learn from; and every fifth, held back, each with whether it is good.
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

/// Trains each tree on a random sample of the wines, the same samples in every run.
fn grow_forest(train: &Dataset<f64, bool, Ix1>) -> Result<Vec<Tree>, linfa::Error> {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let samples = train.bootstrap_samples(train.targets.len(), &mut random).take(TREES);
    let grow = |sample: Dataset<f64, bool, Ix1>| {
        // Linfa breaks a tie between the classes by the order of a HashMap, which is another in every
        // process. Good wines weigh a little more, so that there are no ties, and each run gives the
        // same trees to the last byte.
        let weights = sample.targets.mapv(|good| if good { 1.0 + 1.0 / 1024.0 } else { 1.0 });
        DecisionTree::params().fit(&sample.with_weights(weights))
    };
    samples.map(grow).collect()
}

fn judge(
    wines: &[(Wine, bool)],
    predict: impl Fn(Wine) -> larder::Result<Verdict>,
) -> larder::Result<Vec<Verdict>> {
    wines.iter().map(|(wine, _)| predict(*wine)).collect()
}

/// The share of wines that are judged rightly.
fn accuracy(wines: &[(Wine, bool)], verdicts: &[Verdict]) -> f64 {
    let right = wines.iter().zip(verdicts).filter(|((_, good), verdict)| *good == verdict.good);
    right.count() as f64 / wines.len() as f64
}
