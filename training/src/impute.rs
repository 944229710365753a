//! Models that impute a field from the other fields of its row.

use std::collections::BTreeMap;

use larder_core::{Error, Predict, Result};
use linfa::Dataset;
use linfa::traits::{Fit, Predict as _};
use linfa_elasticnet::ElasticNet;
use linfa_trees::DecisionTree;
use ndarray::{Array1, Axis};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use crate::encoder::{Encoder, Fields, class_of, numbers_of, refused};

/// Trees of a forest.
const TREES: u64 = 25;
/// Maximum depth of a tree.
const MAX_DEPTH: usize = 12;
/// Weight of the penalty on coefficients.
const PENALTY: f64 = 1e-3;

/// Imputes a text or a truth value, by a forest of decision trees.
#[derive(Serialize, Deserialize)]
pub struct ClassImputer {
    target: String,
    encoder: Encoder,
    /// The names of the classes, by number.
    classes: Vec<String>,
    forest: Vec<DecisionTree<f64, usize>>,
}

/// Imputes a number, by a linear model with a penalty on its coefficients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberImputer {
    target: String,
    encoder: Encoder,
    intercept: f64,
    coefficients: Vec<f64>,
}

/// Comparison of a [`ClassImputer`] with the most frequent class, on rows that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ClassReport {
    /// The number of rows.
    pub rows: u64,
    /// Share of rows that it imputes correctly.
    pub accuracy: f64,
    /// Share of rows of the most frequent class of the training rows.
    pub baseline_accuracy: f64,
}

/// Comparison of a [`NumberImputer`] with the mean, on rows that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NumberReport {
    /// The number of rows.
    pub rows: u64,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// The same of the mean of the training rows.
    pub baseline_rmse: f64,
}

impl ClassImputer {
    /// Trains on the rows that have a `target`, from `fields` or from all others; `seed` draws
    /// the rows of each tree.
    ///
    /// # Errors
    /// [`Error::Refused`] if the rows have fewer than two classes, or no field to learn from.
    pub fn train(
        rows: &[Fields],
        target: &str,
        fields: Option<&[String]>,
        seed: u64,
    ) -> Result<Self> {
        let (rows, labels) = labelled(rows, target, class_of);
        let encoder = Encoder::learn(&rows, fields, target)?;
        let classes: Vec<String> =
            labels.iter().collect::<std::collections::BTreeSet<_>>().into_iter().cloned().collect();
        if classes.len() < 2 {
            return Err(refused(format!(
                "the field `{target}` has {} different texts or truth values, and needs two",
                classes.len()
            )));
        }
        let number = |label: &String| classes.binary_search(label).unwrap_or_default();
        let labels: Vec<usize> = labels.iter().map(number).collect();
        let records = encoder.encode(&rows);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut forest = Vec::new();
        for _ in 0..TREES {
            let count = labels.len() as u64;
            let drawn: Vec<usize> =
                (0..count).map(|_| (random.next_u64() % count) as usize).collect();
            let targets: Array1<usize> = drawn.iter().map(|row| labels[*row]).collect();
            let dataset = Dataset::new(records.select(Axis(0), &drawn), targets);
            let tree = DecisionTree::params().max_depth(Some(MAX_DEPTH)).fit(&dataset);
            forest.push(tree.map_err(|error| refused(error.to_string()))?);
        }
        Ok(Self { target: target.to_owned(), encoder, classes, forest })
    }

    /// Returns the field that it imputes.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Imputes the field for rows.
    pub fn impute(&self, rows: &[Fields]) -> Vec<String> {
        let records = self.encoder.encode(rows);
        let mut votes = vec![vec![0_u32; self.classes.len()]; rows.len()];
        for tree in &self.forest {
            for (votes, class) in votes.iter_mut().zip(tree.predict(&records)) {
                if let Some(votes) = votes.get_mut(class) {
                    *votes += 1;
                }
            }
        }
        let elected = |votes: Vec<u32>| {
            let most = votes.iter().copied().max().unwrap_or_default();
            let class = votes.iter().position(|count| *count == most);
            class.and_then(|class| self.classes.get(class)).cloned().unwrap_or_default()
        };
        votes.into_iter().map(elected).collect()
    }

    /// Compares it with the most frequent class of `train`, on the rows of `valid` that have the field.
    ///
    /// # Errors
    /// [`Error::Refused`] if no row has it.
    pub fn validate(&self, train: &[Fields], valid: &[Fields]) -> Result<ClassReport> {
        let (rows, labels) = labelled(valid, &self.target, class_of);
        if rows.is_empty() {
            return Err(no_valid_rows(&self.target));
        }
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for label in labelled(train, &self.target, class_of).1 {
            *counts.entry(label).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(class, _)| class);
        let imputed = self.impute(&rows);
        let share = |right: usize| right as f64 / rows.len() as f64;
        let right = imputed.iter().zip(&labels).filter(|(imputed, label)| imputed == label);
        let frequent = labels.iter().filter(|label| Some(*label) == most.as_ref());
        Ok(ClassReport {
            rows: rows.len() as u64,
            accuracy: share(right.count()),
            baseline_accuracy: share(frequent.count()),
        })
    }
}

impl NumberImputer {
    /// Trains on the rows that have a `target`, from `fields` or from all others.
    ///
    /// # Errors
    /// [`Error::Refused`] if fewer than two rows have the field, or there is no field to learn from.
    pub fn train(rows: &[Fields], target: &str, fields: Option<&[String]>) -> Result<Self> {
        let (rows, numbers) = labelled(rows, target, number_of);
        if rows.len() < 2 {
            let count = rows.len();
            return Err(refused(format!(
                "{count} rows have a number in `{target}`, and two are needed"
            )));
        }
        let encoder = Encoder::learn(&rows, fields, target)?;
        let dataset = Dataset::new(encoder.encode(&rows), Array1::from(numbers));
        let fitted = ElasticNet::params().penalty(PENALTY).l1_ratio(0.1).fit(&dataset);
        let fitted = fitted.map_err(|error| refused(error.to_string()))?;
        Ok(Self {
            target: target.to_owned(),
            encoder,
            intercept: fitted.intercept(),
            coefficients: fitted.hyperplane().to_vec(),
        })
    }

    /// Returns the field that it imputes.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Imputes the field for rows.
    pub fn impute(&self, rows: &[Fields]) -> Vec<f64> {
        let encoded = self.encoder.encode(rows);
        let row = |row: ndarray::ArrayView1<'_, f64>| {
            let pairs = row.into_iter().zip(&self.coefficients);
            self.intercept + pairs.map(|(number, weight)| number * weight).sum::<f64>()
        };
        encoded.rows().into_iter().map(row).collect()
    }

    /// Compares it with the mean of `train`, on the rows of `valid` that have the field.
    ///
    /// # Errors
    /// [`Error::Refused`] if no row has it.
    pub fn validate(&self, train: &[Fields], valid: &[Fields]) -> Result<NumberReport> {
        let (rows, numbers) = labelled(valid, &self.target, number_of);
        let (_, known) = labelled(train, &self.target, number_of);
        if rows.is_empty() || known.is_empty() {
            return Err(no_valid_rows(&self.target));
        }
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let rmse = |errors: f64| (errors / rows.len() as f64).sqrt();
        let imputed = self.impute(&rows);
        let squares = imputed.iter().zip(&numbers).map(|(it, number)| (it - number).powi(2));
        let baseline = numbers.iter().map(|number| (mean - number).powi(2));
        Ok(NumberReport {
            rows: rows.len() as u64,
            rmse: rmse(squares.sum()),
            baseline_rmse: rmse(baseline.sum()),
        })
    }
}

fn number_of(value: &serde_json::Value) -> Option<f64> {
    match numbers_of(value)?.as_slice() {
        [number] if value.is_number() => Some(*number),
        _ => None,
    }
}

fn no_valid_rows(target: &str) -> Error {
    Error::Refused {
        action: "validate an imputer".into(),
        reason: format!("no row of the other fold has a value in `{target}`"),
    }
}

/// Returns the rows that have a target, and the targets.
fn labelled<T>(
    rows: &[Fields],
    target: &str,
    read: impl Fn(&serde_json::Value) -> Option<T>,
) -> (Vec<Fields>, Vec<T>) {
    let pair = |row: &Fields| Some((row.clone(), read(row.get(target)?)?));
    rows.iter().filter_map(pair).unzip()
}

impl Predict for ClassImputer {
    type Input = Fields;
    type Output = String;

    fn predict(&self, input: Fields) -> Result<String> {
        let mut imputed = self.impute(&[input]);
        imputed.pop().ok_or_else(|| Error::predict("it has no classes"))
    }

    fn predict_batch(&self, inputs: Vec<Fields>) -> Result<Vec<String>> {
        Ok(self.impute(&inputs))
    }
}

impl Predict for NumberImputer {
    type Input = Fields;
    type Output = f64;

    fn predict(&self, input: Fields) -> Result<f64> {
        let imputed = self.impute(&[input]);
        imputed.first().copied().ok_or_else(|| Error::predict("it imputed nothing"))
    }

    fn predict_batch(&self, inputs: Vec<Fields>) -> Result<Vec<f64>> {
        Ok(self.impute(&inputs))
    }
}
