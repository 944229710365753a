//! The model, shared by `training.rs` and `inference.rs`, and the default reference.

use larder::Error;
use larder::prelude::*;
use linfa::traits::Predict as _;
use linfa_trees::DecisionTree;
use ndarray::ArrayView2;

/// Length and width of sepals and petals, in centimetres.
pub(crate) type Flower = [f64; 4];

/// The default URL of the larder.
pub(crate) const REFERENCE: &str = "larder.db#iris/tree:prod";

const SPECIES: [&str; 3] = ["setosa", "versicolor", "virginica"];

/// Classifier of irises.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/iris", model)]
pub(crate) struct IrisModel {
    pub(crate) tree: Artifact<DecisionTree<f64, usize>>,
}

impl Predict for IrisModel {
    type Input = Flower;
    type Output = String;

    fn predict(&self, flower: Flower) -> larder::Result<String> {
        let flower = [flower];
        let class = self.tree.get()?.predict(&ArrayView2::from(&flower))[0];
        let species = SPECIES.get(class).copied();
        species
            .map(str::to_owned)
            .ok_or_else(|| Error::predict("the tree returned an unknown species"))
    }
}
