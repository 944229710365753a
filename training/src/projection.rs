//! A learned projection of vectors, for semantic look-up.

use larder_core::{Error, Predict, Result};
use linfa_linalg::eigh::EighInto as _;
use ndarray::{Array1, Array2, ArrayView1, Axis};
use serde::{Deserialize, Serialize};

use crate::encoder::refused;

/// Projects vectors so that those of a pair come near each other.
///
/// It weighs each direction by how little the two vectors of a pair differ in it (relevant component analysis). Distances
/// of projected vectors are then distances in units of what pairs differ by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    mean: Vec<f32>,
    /// The matrix, row by row.
    matrix: Vec<f32>,
}

/// Comparison of a [`Projection`] with the vectors as they are, on pairs that it was not trained on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProjectionReport {
    /// The number of vectors that were looked up.
    pub rows: u64,
    /// Share of vectors whose nearest other vector is one that belongs to them.
    pub precision: f64,
    /// The same without the projection.
    pub baseline_precision: f64,
}

/// Maximum length of a vector.
const MAX_WIDTH: usize = 4_096;
/// Share of the identity that is mixed into the covariance, so that it can be inverted.
const SHRINKAGE: f64 = 1e-3;

impl Projection {
    /// Trains on pairs of vectors that belong together.
    ///
    /// # Errors
    /// [`Error::Refused`] if there are no pairs, or their vectors have several lengths or are not finite.
    pub fn train<'a>(pairs: impl IntoIterator<Item = (&'a [f32], &'a [f32])>) -> Result<Self> {
        let mut pairs = pairs.into_iter().peekable();
        let width = pairs.peek().map_or(0, |(vector, _)| vector.len());
        if width == 0 || width > MAX_WIDTH {
            return Err(refused(format!(
                "there are no pairs of vectors of 1 to {MAX_WIDTH} numbers"
            )));
        }
        let mut covariance = Array2::<f64>::zeros((width, width));
        let mut mean = Array1::<f64>::zeros(width);
        let mut count = 0.0;
        for (a, b) in pairs {
            if a.len() != width || b.len() != width {
                return Err(refused("the vectors of the pairs have several lengths".into()));
            }
            let pair = || a.iter().zip(b);
            let difference: Array1<f64> =
                pair().map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
            mean +=
                &pair().map(|(a, b)| (f64::from(*a) + f64::from(*b)) / 2.0).collect::<Array1<_>>();
            let column = difference.view().insert_axis(Axis(1));
            covariance += &column.dot(&column.t());
            count += 1.0;
        }
        covariance /= count;
        mean /= count;
        let trace = covariance.diag().sum();
        if !trace.is_finite() {
            return Err(refused("a vector has a number that is not finite".into()));
        }
        // Directions are compared in units of their own, or a large one hides what is inverted of a small one.
        let units: Array1<f64> =
            covariance.diag().mapv(|it| if it > 0.0 { it.sqrt() } else { 1.0 });
        for ((row, column), value) in covariance.indexed_iter_mut() {
            *value /= units[row] * units[column];
            if row == column {
                *value += SHRINKAGE;
            }
        }
        let (values, vectors) = covariance
            .eigh_into()
            .map_err(|error| refused(format!("the pairs have no principal directions: {error}")))?;
        let mut scaled = vectors.clone();
        for (mut column, value) in scaled.columns_mut().into_iter().zip(&values) {
            column /= value.max(SHRINKAGE).sqrt();
        }
        let mut matrix = scaled.dot(&vectors.t());
        for mut row in matrix.rows_mut() {
            row /= &units;
        }
        Ok(Self {
            mean: mean.iter().map(|it| *it as f32).collect(),
            matrix: matrix.iter().map(|it| *it as f32).collect(),
        })
    }

    /// Returns the length of its vectors.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// Projects a vector.
    ///
    /// # Errors
    /// [`Error::Predict`] if it has another length.
    pub fn project(&self, vector: &[f32]) -> Result<Vec<f32>> {
        let width = self.width();
        if vector.len() != width {
            let length = vector.len();
            return Err(Error::predict(format!("the vector has {length} numbers, not {width}")));
        }
        let centred: Array1<f32> = vector.iter().zip(&self.mean).map(|(a, b)| a - b).collect();
        let rows = self.matrix.chunks_exact(width);
        Ok(rows.map(|row| ArrayView1::from(row).dot(&centred)).collect())
    }

    /// Compares it with the vectors as they are: for each, whether the nearest other one has the same label.
    ///
    /// # Errors
    /// As [`project`](Self::project); [`Error::Refused`] for fewer than two vectors.
    pub fn validate<L: PartialEq>(&self, vectors: &[(&[f32], L)]) -> Result<ProjectionReport> {
        if vectors.len() < 2 {
            return Err(Error::Refused {
                action: "validate a projection".into(),
                reason: "the other fold has fewer than two vectors".into(),
            });
        }
        let projected: Vec<Vec<f32>> =
            vectors.iter().map(|(vector, _)| self.project(vector)).collect::<Result<_>>()?;
        let labels: Vec<&L> = vectors.iter().map(|(_, label)| label).collect();
        let plain: Vec<&[f32]> = vectors.iter().map(|(vector, _)| *vector).collect();
        let projected: Vec<&[f32]> = projected.iter().map(Vec::as_slice).collect();
        Ok(ProjectionReport {
            rows: vectors.len() as u64,
            precision: precision(&projected, &labels),
            baseline_precision: precision(&plain, &labels),
        })
    }
}

/// Returns the share of vectors whose nearest other vector has the same label.
fn precision<L: PartialEq>(vectors: &[&[f32]], labels: &[&L]) -> f64 {
    let distance =
        |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
    let is_right = |at: &usize| {
        let others = (0..vectors.len()).filter(|other| other != at);
        let nearest = others.min_by(|a, b| {
            distance(vectors[*at], vectors[*a]).total_cmp(&distance(vectors[*at], vectors[*b]))
        });
        nearest.is_some_and(|nearest| labels[nearest] == labels[*at])
    };
    (0..vectors.len()).filter(is_right).count() as f64 / vectors.len() as f64
}

impl Predict for Projection {
    type Input = Vec<f32>;
    type Output = Vec<f32>;

    fn predict(&self, input: Vec<f32>) -> Result<Vec<f32>> {
        self.project(&input)
    }
}
