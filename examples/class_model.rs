//! A class model built from files: a folder with a scaler, and a nearest-neighbour index.
//!
//! ```sh
//! cargo run --release --features files --example class_model
//! ```
//!
//! 1. Writes two artifacts from 1,279 wines: a folder (`scaler/`) and a file (`wines.kd`), a k-d tree in a custom
//!    format.
//! 2. Logs both, tries the model on the files, and logs the *class*, to an SQLite file and to a folder.
//! 3. Starts a second process for each store, which loads the artifacts, builds the model and predicts.
//! 4. Compares the predictions for 320 held-out wines, and the index with a full scan.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use larder::prelude::*;

/// Eleven measurements of a wine, from fixed acidity to alcohol.
type Wine = [f64; 11];

/// A wine and its quality, from 0 to 10.
type RatedWine = (Wine, f64);

const NAME: &str = "wine/neighbours";
const STORES: [&str; 2] = ["sqlite:neighbours.db", "fs:neighbours"];
const NEIGHBOURS: usize = 5;

/// Predicts the quality of a wine as the mean of its nearest neighbours.
struct Neighbours {
    scaler: Scaler,
    index: Index,
}

/// The class is stored as its tag and the files it is built from.
impl ClassModel for Neighbours {
    const TAG: &'static str = "example/neighbours";
    const ARTIFACTS: &'static [&'static str] = &["scaler", "index"];

    fn new(artifacts: &Artifacts) -> larder::Result<Self> {
        let build = || -> Result<Self, Box<dyn Error + Send + Sync>> {
            let scaler = Scaler::open(artifacts.path("scaler")?)?; // a folder
            let index = Index::open(artifacts.path("index")?)?; // a file
            Ok(Self { scaler, index })
        };
        build().map_err(larder::Error::predict)
    }
}

impl Predict for Neighbours {
    type Input = Wine;
    type Output = f64;

    fn predict(&self, wine: Wine) -> larder::Result<f64> {
        let near = self.index.search(&self.scaler.scale(&wine)).nearest;
        Ok(near.iter().map(|(_, near)| near.quality).sum::<f64>() / near.len() as f64)
    }
}

larder::link!(larder::files::class::<Neighbours>());

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        None => first_process(),
        Some(store) => second_process(&store),
    }
}

fn first_process() -> Result<(), Box<dyn Error>> {
    let (known, held_back) = wines();
    let generated = tempfile::tempdir()?;
    let (folder, file) = (generated.path().join("scaler"), generated.path().join("wines.kd"));
    let scaler = Scaler::fit(&known);
    scaler.save(&folder)?;
    let mut points: Vec<Point> = known
        .iter()
        .map(|(wine, quality)| Point { place: scaler.scale(wine), quality: *quality })
        .collect();
    Index::build(&mut points).save(&file)?;

    let mut expected = Vec::new();
    for store in STORES {
        let larder = larder::open(store)?;
        let mut run = larder.run(NAME)?;
        run.log_artifact("scaler", &folder)?;
        run.log_artifact("index", &file)?;
        run.log_requirements(&["a k-d tree of 12 f64 a node, in larder's example class_model"])?;

        // Tries the model on the logged files.
        let model = Neighbours::new(&run.fetch_artifacts(&["scaler", "index"])?)?;
        expected =
            held_back.iter().map(|(wine, _)| model.predict(*wine)).collect::<Result<_, _>>()?;
        check_search(&model, &held_back);

        let applied = run.log_model::<Neighbours>(&["scaler", "index"])?;
        let version = applied.version();
        println!(
            "{store}: {NAME} {} ({}), {} bytes",
            version.version,
            version.digest.short(),
            version.size
        );
    }
    drop(generated); // The second process must not find the files.

    let error: f64 = held_back.iter().zip(&expected).map(|((_, q), p)| (q - p).abs()).sum();
    println!(
        "mean error on {} wines: {:.3} of 10",
        held_back.len(),
        error / held_back.len() as f64
    );
    for store in STORES {
        let program = std::env::current_exe()?;
        let output = Command::new(program).arg(store).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("the second process failed: {}", output.status).into());
        }
        let loaded: Vec<f64> = serde_json::from_slice(&output.stdout)?;
        if loaded != expected {
            return Err(format!("the model loaded from {store} predicts differently").into());
        }
        println!("{store}: loaded in another process, all predictions are equal");
    }
    Ok(())
}

/// Loads the model by name and predicts for the held-out wines.
fn second_process(store: &str) -> Result<(), Box<dyn Error>> {
    let wines: Vec<Wine> = wines().1.into_iter().map(|(wine, _)| wine).collect();
    let model = larder::open(store)?.load_model(NAME)?;
    println!("{}", model.predict_batch_json(&serde_json::to_string(&wines)?)?);
    Ok(())
}

/// Compares the index with a full scan.
fn check_search(model: &Neighbours, wines: &[RatedWine]) {
    let mut visited = 0;
    for (wine, _) in wines {
        let wine = model.scaler.scale(wine);
        let mut all: Vec<f64> =
            model.index.points.iter().map(|p| distance(&p.place, &wine)).collect();
        all.sort_by(f64::total_cmp);
        let found = model.index.search(&wine);
        let distances: Vec<f64> = found.nearest.iter().map(|(distance, _)| *distance).collect();
        assert_eq!(distances, all[..NEIGHBOURS], "the index misses a neighbour");
        visited += found.visited;
    }
    let share = 100 * visited / (wines.len() * model.index.points.len());
    println!("a search visits {share} % of the index");
    assert!(share < 75, "the index visits too many points");
}

/// Returns the training wines and the held-out ones (every fifth).
fn wines() -> (Vec<RatedWine>, Vec<RatedWine>) {
    let wines = linfa_datasets::winequality();
    let all = wines.records.rows().into_iter().zip(&wines.targets).enumerate();
    let (held, known): (Vec<_>, Vec<_>) = all.partition(|(n, _)| n % 5 == 0);
    let read = |part: Vec<(usize, (ndarray::ArrayView1<'_, f64>, &usize))>| {
        let one = |(_, (row, quality)): (_, (ndarray::ArrayView1<'_, f64>, &usize))| {
            (std::array::from_fn(|column| row[column]), *quality as f64)
        };
        part.into_iter().map(one).collect()
    };
    (read(known), read(held))
}

/// Standardizes measurements. Saved as a folder of two files.
struct Scaler {
    mean: Wine,
    deviation: Wine,
}

impl Scaler {
    fn fit(wines: &[RatedWine]) -> Self {
        let mean_of = |value: &dyn Fn(&Wine) -> f64| {
            wines.iter().map(|(wine, _)| value(wine)).sum::<f64>() / wines.len() as f64
        };
        let mean: Wine = std::array::from_fn(|c| mean_of(&|wine| wine[c]));
        let deviation =
            std::array::from_fn(|c| mean_of(&|wine| (wine[c] - mean[c]).powi(2)).sqrt());
        Self { mean, deviation }
    }

    fn scale(&self, wine: &Wine) -> Wine {
        std::array::from_fn(|c| (wine[c] - self.mean[c]) / self.deviation[c])
    }

    fn save(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        fs::create_dir(folder)?;
        fs::write(folder.join("mean.json"), serde_json::to_string(&self.mean)?)?;
        fs::write(folder.join("deviation.json"), serde_json::to_string(&self.deviation)?)?;
        Ok(())
    }

    fn open(folder: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let read = |name| -> Result<Wine, Box<dyn Error + Send + Sync>> {
            Ok(serde_json::from_slice(&fs::read(folder.join(name))?)?)
        };
        Ok(Self { mean: read("mean.json")?, deviation: read("deviation.json")? })
    }
}

/// A k-d tree, stored as an array: the middle point of each range splits it along alternating axes.
struct Index {
    points: Vec<Point>,
}

/// Result of a search: the nearest points first, each with its squared distance.
#[derive(Default)]
struct Found {
    nearest: Vec<(f64, Point)>,
    /// Number of points visited.
    visited: usize,
}

#[derive(Clone, Copy)]
struct Point {
    place: Wine,
    quality: f64,
}

fn distance(a: &Wine, b: &Wine) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
}

impl Index {
    fn build(points: &mut [Point]) -> Self {
        fn divide(points: &mut [Point], axis: usize) {
            if points.len() > 1 {
                let middle = points.len() / 2;
                points
                    .select_nth_unstable_by(middle, |a, b| a.place[axis].total_cmp(&b.place[axis]));
                let (left, right) = points.split_at_mut(middle);
                divide(left, (axis + 1) % 11);
                divide(&mut right[1..], (axis + 1) % 11);
            }
        }
        divide(points, 0);
        Self { points: points.to_vec() }
    }

    fn search(&self, wine: &Wine) -> Found {
        fn search(points: &[Point], axis: usize, wine: &Wine, found: &mut Found) {
            let middle = points.len() / 2;
            let Some(point) = points.get(middle) else { return };
            found.visited += 1;
            let near = distance(&point.place, wine);
            let at = found.nearest.partition_point(|(known, _)| *known <= near);
            found.nearest.insert(at, (near, *point));
            found.nearest.truncate(NEIGHBOURS);
            let ahead = wine[axis] - point.place[axis];
            let (left, right) = (&points[..middle], &points[middle + 1..]);
            let (this, other) = if ahead < 0.0 { (left, right) } else { (right, left) };
            search(this, (axis + 1) % 11, wine, found);
            // Searches the other side only if it may contain a nearer point.
            let far = found.nearest.get(NEIGHBOURS - 1).map_or(f64::INFINITY, |(far, _)| *far);
            if ahead.powi(2) < far {
                search(other, (axis + 1) % 11, wine, found);
            }
        }
        let mut found = Found::default();
        search(&self.points, 0, wine, &mut found);
        found
    }

    fn save(&self, file: &Path) -> std::io::Result<()> {
        let numbers =
            |point: &Point| point.place.into_iter().chain([point.quality]).collect::<Vec<_>>();
        let bytes = self.points.iter().flat_map(numbers).flat_map(f64::to_le_bytes);
        fs::write(file, bytes.collect::<Vec<u8>>())
    }

    fn open(file: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let bytes = fs::read(file)?;
        let (numbers, rest) = bytes.as_chunks();
        let numbers: Vec<f64> = numbers.iter().map(|number| f64::from_le_bytes(*number)).collect();
        let (points, left_over) = numbers.as_chunks::<12>();
        if !rest.is_empty() || !left_over.is_empty() {
            return Err("the index is truncated".into());
        }
        let point = |&[place @ .., quality]: &[f64; 12]| Point { place, quality };
        Ok(Self { points: points.iter().map(point).collect() })
    }
}
