//! Types of other crates, each stored as it is, and asked the same before and after.

use std::collections::BTreeMap;

use larder::prelude::*;
use larder::{Error, Result};
use linfa::Dataset;
use linfa::traits::{Fit, Predict as _};
use linfa_trees::DecisionTree;
use nalgebra::{DMatrix, RowDVector};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use petgraph::graph::{DiGraph, NodeIndex};
use smartcore::ensemble::random_forest_classifier::{
    RandomForestClassifier, RandomForestClassifierParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// The measurements of an iris, in centimetres.
pub type Flower = [f64; 4];

/// The 150 irises that Fisher published in 1936.
pub fn flowers() -> Vec<Flower> {
    let irises = linfa_datasets::iris();
    let rows = irises.records.outer_iter();
    rows.map(|row| std::array::from_fn(|column| row[column])).collect()
}

/// The species of each.
pub fn species() -> Vec<usize> {
    linfa_datasets::iris().targets.to_vec()
}

/// linfa-trees: a decision tree.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/linfa-tree", model)]
pub struct LinfaTree(Artifact<DecisionTree<f64, usize>>);

impl LinfaTree {
    /// Fits it to the irises.
    ///
    /// # Errors
    /// Predictions of linfa.
    pub fn fit() -> Result<Self, linfa::Error> {
        let irises = linfa_datasets::iris();
        let data: Dataset<f64, usize, ndarray::Ix1> = Dataset::new(irises.records, irises.targets);
        Ok(Self(DecisionTree::params().fit(&data)?.into()))
    }
}

impl Predict for LinfaTree {
    type Input = Flower;
    type Output = usize;

    fn predict(&self, flower: Flower) -> Result<usize> {
        Ok(self.0.get()?.predict(&ArrayView2::from(&[flower]))[0])
    }
}

type Forest = RandomForestClassifier<f64, i64, DenseMatrix<f64>, Vec<i64>>;

/// smartcore: a random forest.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/smartcore-forest", model)]
pub struct SmartcoreForest(Artifact<Forest>);

impl SmartcoreForest {
    /// Fits it to the irises.
    ///
    /// # Errors
    /// Predictions of smartcore.
    pub fn fit() -> Result<Self, smartcore::error::Failed> {
        let rows: Vec<Vec<f64>> = flowers().iter().map(|flower| flower.to_vec()).collect();
        let species = species().into_iter().map(|species| species as i64).collect();
        let parameters =
            RandomForestClassifierParameters::default().with_n_trees(20).with_seed(150);
        Ok(Self(Forest::fit(&DenseMatrix::from_2d_vec(&rows)?, &species, parameters)?.into()))
    }
}

impl Predict for SmartcoreForest {
    type Input = Flower;
    type Output = i64;

    fn predict(&self, flower: Flower) -> Result<i64> {
        let row = DenseMatrix::from_2d_vec(&vec![flower.to_vec()]).map_err(Error::predict)?;
        let said = self.0.get()?.predict(&row).map_err(Error::predict)?;
        said.first().copied().ok_or_else(|| Error::predict("the forest says nothing"))
    }
}

/// ndarray: how far a flower is from the mean of each species.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/ndarray-means", model)]
pub struct NdarrayMeans(Artifact<Array2<f64>>);

impl NdarrayMeans {
    /// The means of the irises' species.
    pub fn fit() -> Self {
        let irises = linfa_datasets::iris();
        let mut means = Array2::zeros((3, 4));
        for (flower, species) in irises.records.outer_iter().zip(&irises.targets) {
            let mut mean = means.index_axis_mut(Axis(0), *species);
            mean += &(&flower / 50.0);
        }
        Self(means.into())
    }
}

impl Predict for NdarrayMeans {
    type Input = Flower;
    type Output = Vec<f64>;

    fn predict(&self, flower: Flower) -> Result<Vec<f64>> {
        let differences = self.0.get()? - &Array1::from(flower.to_vec());
        Ok(differences.mapv(|x| x * x).sum_axis(Axis(1)).mapv(f64::sqrt).to_vec())
    }
}

/// nalgebra: how unusual a flower is, by the inverse of the irises' covariance.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/nalgebra-distance", model)]
pub struct NalgebraDistance {
    mean: Artifact<RowDVector<f64>>,
    precision: Artifact<DMatrix<f64>>,
}

impl NalgebraDistance {
    /// Mean and covariance of the irises; nothing if that has no inverse.
    pub fn fit() -> Option<Self> {
        let rows: Vec<_> = flowers().iter().map(|row| RowDVector::from_row_slice(row)).collect();
        let all = DMatrix::from_rows(&rows);
        let mean = all.row_mean();
        let centred = DMatrix::from_rows(&rows.iter().map(|row| row - &mean).collect::<Vec<_>>());
        let covariance = centred.transpose() * &centred / rows.len() as f64;
        Some(Self { mean: mean.into(), precision: covariance.try_inverse()?.into() })
    }
}

impl Predict for NalgebraDistance {
    type Input = Flower;
    type Output = f64;

    fn predict(&self, flower: Flower) -> Result<f64> {
        let away = RowDVector::from_row_slice(&flower) - self.mean.get()?;
        Ok((&away * self.precision.get()? * away.transpose())[0].sqrt())
    }
}

/// petgraph: the bridges of Königsberg, as a graph of the four lands.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/petgraph-bridges", model)]
pub struct PetgraphBridges(Artifact<DiGraph<String, f64>>);

impl PetgraphBridges {
    /// Lands and bridges, each bridge both ways, with a length.
    pub fn build() -> Self {
        let mut graph = DiGraph::new();
        let mut lands: BTreeMap<&str, NodeIndex> = BTreeMap::new();
        for (from, to, length) in [
            ("Altstadt", "Kneiphof", 80.5),
            ("Altstadt", "Kneiphof", 95.25),
            ("Vorstadt", "Kneiphof", 70.0),
            ("Vorstadt", "Kneiphof", 88.125),
            ("Altstadt", "Lomse", 110.0),
            ("Vorstadt", "Lomse", 120.75),
            ("Kneiphof", "Lomse", 30.1),
        ] {
            let mut land =
                |name| *lands.entry(name).or_insert_with(|| graph.add_node(String::from(name)));
            let (from, to) = (land(from), land(to));
            graph.add_edge(from, to, length);
            graph.add_edge(to, from, length);
        }
        Self(graph.into())
    }
}

impl Predict for PetgraphBridges {
    type Input = String;
    type Output = BTreeMap<String, f64>;

    /// The shortest way to every land.
    fn predict(&self, from: String) -> Result<Self::Output> {
        let graph = self.0.get()?;
        let start = graph.node_indices().find(|node| graph[*node] == from);
        let start = start.ok_or_else(|| Error::predict(format!("there is no land {from}")))?;
        let ways = petgraph::algo::dijkstra(graph, start, None, |edge| *edge.weight());
        Ok(ways.into_iter().map(|(land, length)| (graph[land].clone(), length)).collect())
    }
}
