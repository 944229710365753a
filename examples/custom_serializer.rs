//! A custom serializer, stored as a component with the model that needs it.
//!
//! ```sh
//! cargo run --example custom_serializer
//! ```
//!
//! 1. Fits a nearest-mean classifier to 150 irises.
//! 2. Creates a serializer for the means from two functions. It writes the NumPy file format, so `numpy.load` reads the
//!    blob.
//! 3. Applies the serializer and the model.
//! 4. A program that registers the serializer loads the model.
//! 5. A program that does not gets an error that names the serializer and where to get it.
//!
//! The larder is in memory by default; pass a URL to change it: `-- larder.db`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::sync::Arc;

use larder::prelude::*;
use larder::serializers::{ByName, FnSerializer};
use larder::{Item, Registry};
use ndarray::{Array2, ArrayView1, Axis, stack};
use ndarray_npy::{ReadNpyExt, WriteNpyExt};

type Flower = [f64; 4];

/// Nearest-mean classifier.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/nearest-mean", model)]
struct NearestMean {
    /// One row per species; the serializer is chosen by name.
    means: Artifact<Array2<f64>, ByName>,
}

impl Predict for NearestMean {
    type Input = Flower;
    type Output = usize;

    fn predict(&self, flower: Flower) -> larder::Result<usize> {
        let flower = ArrayView1::from(&flower);
        let distance = |mean: ArrayView1<'_, f64>| (&mean - &flower).mapv(|x| x * x).sum();
        let distances = self.means.get()?.outer_iter().map(distance).enumerate();
        let nearest = distances.min_by(|(_, a), (_, b)| a.total_cmp(b));
        nearest
            .map(|(species, _)| species)
            .ok_or_else(|| larder::Error::predict("the model has no means"))
    }
}

/// The serializer, with a note on where to get it and a sample value.
fn npy() -> FnSerializer<Array2<f64>> {
    FnSerializer::new(
        "npy-f64",
        |array: &Array2<f64>, out| Ok(array.write_npy(out)?),
        |bytes| Ok(Array2::read_npy(&bytes[..])?),
    )
    .with_note("`npy` in Larder's examples/custom_serializer.rs; numpy.load reads the bytes too")
    .with_sample(|| ndarray::array![[1.0, -0.5], [1e300, 0.1]])
}

fn registry() -> larder::Result<Registry> {
    let mut registry = Registry::linked()?;
    registry.register(Item::pair(npy()))?;
    Ok(registry)
}

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let irises = linfa_datasets::iris();
    let flowers: Vec<Flower> = irises
        .records
        .outer_iter()
        .map(|flower| std::array::from_fn(|column| flower[column]))
        .collect();

    let model = NearestMean { means: Artifact::named("npy-f64", means(&irises)?) };
    let before = model.predict_batch(flowers.clone())?;
    let correct = before.iter().zip(&irises.targets).filter(|(class, target)| class == target);
    println!("{} of {} flowers are classified correctly", correct.count(), flowers.len());

    let larder = registry()?.open(&url)?;
    larder.serializers().apply("npy-f64")?;
    larder.apply("iris/nearest", &model)?;

    let with = Larder::new(Arc::clone(larder.store()), registry()?);
    let loaded: NearestMean = with.load("iris/nearest")?;
    let after = loaded.predict_batch(flowers.clone())?;
    println!("with the serializer, {} predictions are unchanged", count_equal(&before, &after));

    let without = Larder::new(Arc::clone(larder.store()), Registry::linked()?);
    let loaded: NearestMean = without.load("iris/nearest")?;
    match loaded.means.get() {
        Err(error) => println!("without the serializer: {error}"),
        Ok(_) => return Err("the means were read without their serializer".into()),
    }
    if before == after { Ok(()) } else { Err("the loaded model predicts differently".into()) }
}

/// Computes the mean of each species.
fn means(irises: &linfa::Dataset<f64, usize, ndarray::Ix1>) -> Result<Array2<f64>, Box<dyn Error>> {
    let mean = |species: usize| {
        let rows: Vec<usize> =
            (0..irises.targets.len()).filter(|row| irises.targets[*row] == species).collect();
        irises.records.select(Axis(0), &rows).mean_axis(Axis(0)).ok_or("a species has no flowers")
    };
    let means = [mean(0)?, mean(1)?, mean(2)?];
    Ok(stack(Axis(0), &[means[0].view(), means[1].view(), means[2].view()])?)
}

fn count_equal(before: &[usize], after: &[usize]) -> usize {
    before.iter().zip(after).filter(|(before, after)| before == after).count()
}
