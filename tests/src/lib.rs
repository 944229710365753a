//! Code shared by the integration tests and their worker.

pub mod chromium;
pub mod churn;
pub mod crew;
pub mod crowd;
mod delegate;
pub mod errors;
pub mod fixture;
pub mod http;
pub mod nats;
pub mod npm;
pub mod oidc;
pub mod onnx;
pub mod onnx_models;
pub mod page;
pub mod page_rows;
pub mod postgres;
pub mod proxy;
pub mod python;
pub mod s3;
pub mod stepwise;
pub mod third_party;

use larder::Result;
use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::RawBytes;

/// A component with some bytes.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/parcel")]
pub struct Parcel {
    /// Tells parcels apart.
    pub round: u64,
    /// The bytes.
    pub content: Artifact<Bytes, RawBytes>,
}

/// The simplest model.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/doubler", model)]
pub struct Doubler {
    /// What every input is multiplied by.
    pub factor: f64,
}

impl Predict for Doubler {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> Result<f64> {
        Ok(self.factor * input)
    }
}
