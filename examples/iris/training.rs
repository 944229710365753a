//! The training workflow: fits a model to 120 real irises, and puts it where it is told to.
//!
//! ```sh
//! cargo run --example training
//! cargo run --example inference <<< '[5.1, 3.5, 1.4, 0.2]'
//! ```
//!
//! The two programs share one reference, `larder.db#iris/tree:prod` or the one they are given. Which store it is, in which format and under which version:
//! neither program says. Train again on other data, and the next inference has the new model; the earlier
//! versions stay.
#![allow(clippy::print_stdout)]

mod model;

use std::error::Error;

use larder::prelude::*;
use larder::{QualifiedReference, Reference, Selector};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::DecisionTree;
use ndarray::{Axis, Ix1};

use model::IrisModel;

/// Every fifth flower is held back.
const HELD_BACK: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let wired = std::env::args().nth(1).unwrap_or_else(|| model::REFERENCE.to_owned());
    let wired: QualifiedReference = wired.parse()?;
    let (larder, reference) = (larder::open(wired.store())?, wired.reference());

    let irises = linfa_datasets::iris();
    let rows: Vec<usize> = (0..irises.targets.len()).filter(|i| i % HELD_BACK != 0).collect();
    let train: Dataset<f64, usize, Ix1> =
        Dataset::new(irises.records.select(Axis(0), &rows), irises.targets.select(Axis(0), &rows));
    let tree = DecisionTree::params().max_depth(Some(4)).fit(&train)?;

    let version = put(&larder, reference, &IrisModel { tree: tree.into() })?;
    println!("{reference} is {version}, fitted to {} irises", rows.len());
    Ok(())
}

/// Applies the model under the reference's name, and lets the reference's tag name it.
fn put(larder: &Larder, to: &Reference, model: &IrisModel) -> larder::Result<Reference> {
    let applied = larder.apply(to.identifier(), model)?;
    let version = applied.version().reference();
    match to.selector() {
        Selector::Tag(tag) => drop(larder.tag(&version, tag)?),
        Selector::Latest => {}
        _ => {
            return Err(larder::Error::invalid(
                "reference",
                &to.to_string(),
                "a version is not chosen",
            ));
        }
    }
    Ok(version)
}
