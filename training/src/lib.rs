//! Training on collections.

mod encoder;
mod impute;
mod projection;

pub use encoder::{Encoder, Fields};
pub use impute::{ClassImputer, ClassReport, NumberImputer, NumberReport};
pub use projection::{Projection, ProjectionReport};

#[cfg(test)]
mod tests;
