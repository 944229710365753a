//! Measures of nearness.

use std::fmt;
use std::str::FromStr;

use larder_core::Error;
use serde::{Deserialize, Serialize};

/// A measure of the nearness of two vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The cosine of the angle between them; more is nearer. A vector of zeros has 0 with every other.
    #[default]
    Cosine,
    /// The inner product; more is nearer.
    Dot,
    /// The Euclidean distance; less is nearer.
    L2,
}

impl Measure {
    /// All measures.
    pub const ALL: [Self; 3] = [Self::Cosine, Self::Dot, Self::L2];

    /// Returns its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::Dot => "dot",
            Self::L2 => "l2",
        }
    }

    /// Returns the score of a badness.
    pub(super) fn score(self, badness: f32) -> f32 {
        match self {
            // Avoids a negative zero.
            Self::Cosine | Self::Dot => 0.0 - badness,
            Self::L2 => badness.sqrt(),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Measure {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.into_iter().find(|measure| measure.as_str() == text);
        known.ok_or_else(|| Error::invalid("measure", text, "known are cosine, dot and l2"))
    }
}

/// Compares vectors with one query.
pub(super) struct Scorer<'a> {
    measure: Measure,
    query: &'a [f32],
    query_norm: f32,
}

impl<'a> Scorer<'a> {
    pub(super) fn new(measure: Measure, query: &'a [f32]) -> Self {
        Self { measure, query, query_norm: dot(query, query).sqrt() }
    }

    /// Returns a number that is lower for nearer vectors.
    pub(super) fn badness(&self, vector: &[f32]) -> f32 {
        match self.measure {
            Measure::Dot => -dot(self.query, vector),
            Measure::L2 => squared_distance(self.query, vector),
            Measure::Cosine => {
                let (product, square) = dot_and_square(self.query, vector);
                let norms = square.sqrt() * self.query_norm;
                if norms == 0.0 { 0.0 } else { -(product / norms) }
            }
        }
    }
}

/// Numbers summed in parallel; the compiler makes vector instructions of them.
const LANES: usize = 16;

/// Sums `step` over all pairs, in lanes.
fn sum(a: &[f32], b: &[f32], step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            lanes[lane] += step(a[lane], b[lane]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| step(*a, *b)).sum();
    lanes.iter().sum::<f32>() + rest
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    sum(a, b, |a, b| a * b)
}

fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// Returns the inner product with `b`, and that of `b` with itself, in one pass.
fn dot_and_square(a: &[f32], b: &[f32]) -> (f32, f32) {
    let mut products = [0.0_f32; LANES];
    let mut squares = [0.0_f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            products[lane] += a[lane] * b[lane];
            squares[lane] += b[lane] * b[lane];
        }
    }
    let (mut product, mut square) = (products.iter().sum::<f32>(), squares.iter().sum::<f32>());
    for (a, b) in a_rest.iter().zip(b_rest) {
        product += a * b;
        square += b * b;
    }
    (product, square)
}
