//! Training: fits a model to 120 irises and applies it under a reference.
//!
//! ```sh
//! cargo run --example training
//! cargo run --example inference <<< '[5.1, 3.5, 1.4, 0.2]'
//! ```
//!
//! Both programs share only the reference: neither names a store, format or version. After another training, inference
//! loads the new version; older versions are kept.
#![allow(clippy::print_stdout)]

mod model;

use std::error::Error;

use larder::prelude::*;
use larder::versions::Selector;
use larder::{QualifiedReference, Reference};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_trees::DecisionTree;
use ndarray::{Axis, Ix1};

use model::IrisModel;

/// Every fifth flower is held out.
const HELD_BACK: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let target = std::env::args().nth(1).unwrap_or_else(|| model::REFERENCE.to_owned());
    let target: QualifiedReference = target.parse()?;
    let (larder, reference) = (larder::open(target.store())?, target.reference());

    let irises = linfa_datasets::iris();
    let rows: Vec<usize> = (0..irises.targets.len()).filter(|i| i % HELD_BACK != 0).collect();
    let train: Dataset<f64, usize, Ix1> =
        Dataset::new(irises.records.select(Axis(0), &rows), irises.targets.select(Axis(0), &rows));
    let tree = DecisionTree::params().max_depth(Some(4)).fit(&train)?;

    let version = apply(&larder, reference, &IrisModel { tree: tree.into() })?;
    println!("{reference} is {version}, fitted to {} irises", rows.len());
    Ok(())
}

/// Applies the model under the reference's identifier and moves its tag.
fn apply(larder: &Larder, to: &Reference, model: &IrisModel) -> larder::Result<Reference> {
    let applied = larder.apply(to.identifier(), model)?;
    let version = applied.version().reference();
    match to.selector() {
        Selector::Tag(tag) => drop(larder.tag(&version, tag)?),
        Selector::Latest => {}
        _ => {
            return Err(larder::Error::invalid(
                "reference",
                &to.to_string(),
                "expected an identifier or a tag, not a version",
            ));
        }
    }
    Ok(version)
}
