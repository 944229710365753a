//! Training on collections.
//!
//! [`Train`] is a component that a job trains on the rows of a collection. Two are ready-made: [`Imputer`] for fields that are
//! sometimes missing, and [`LookUp`] for a projection of vectors that brings together what belongs together.
//!
//! ```no_run
//! use larder_core::Registry;
//! use larder_jobs::LarderJobs;
//! use larder_training::{Imputer, TrainingData};
//!
//! let larder = Registry::linked()?.open("sqlite:larder.db")?;
//! let data = TrainingData::new("shop/reviews".parse()?).seed(7);
//! let applied = larder.apply("shop/stars", &Imputer::new(data, "stars"))?;
//! larder.jobs().wait(&applied)?; // trains, validates and publishes `shop/stars@2`
//! # Ok::<(), larder_core::Error>(())
//! ```

mod checkpoint;
mod data;
mod encoder;
mod impute;
mod imputer;
mod look_up;
mod neighbours;
mod projection;
mod train;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;

pub use checkpoint::Checkpoint;
pub use data::{TrainedOn, TrainingData};
pub use encoder::{Encoder, Fields};
pub use impute::{ClassImputer, ClassReport, NumberImputer, NumberReport};
pub use imputer::Imputer;
pub use look_up::{LookUp, Pairs};
pub use neighbours::Neighbours;
pub use projection::{Projection, ProjectionReport};
pub use train::{Metrics, Objective, Train, TrainReport, run, triggers};
