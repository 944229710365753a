//! Options of a deployment.

use std::time::Duration;

use larder_core::store::Timestamp;
use larder_core::{Error, Identifier, Reference, Result};

use super::record::CanaryRecord;

/// Options of [`deploy`](super::LarderDeployments::deploy).
#[derive(Debug, Clone, Default)]
pub struct DeployOptions {
    pub(super) name: Option<Identifier>,
    pub(super) canary: Option<CanaryOptions>,
    pub(super) allow_signature_change: bool,
}

impl DeployOptions {
    /// Returns the defaults: the name of the reference, no canary, no change of the signature.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the name of the deployment.
    #[must_use]
    pub fn name(mut self, name: Identifier) -> Self {
        self.name = Some(name);
        self
    }

    /// Sends a share of the requests to another version, which then takes over, or is given up.
    #[must_use]
    pub fn canary(mut self, canary: CanaryOptions) -> Self {
        self.canary = Some(canary);
        self
    }

    /// Sets whether a version with another signature may take over.
    #[must_use]
    pub fn allow_signature_change(mut self, allow: bool) -> Self {
        self.allow_signature_change = allow;
        self
    }
}

/// A canary: a version that gets a share of the requests, and the rules by which it takes over.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryOptions {
    pub(super) reference: Reference,
    share: f64,
    interval: Duration,
    min_requests: u64,
    max_error_rate: f64,
    max_p90: Option<Duration>,
}

impl CanaryOptions {
    /// Creates a canary with 10 % of the requests, that is judged every minute after 50 requests, and takes over unless
    /// more than 1 % of them failed.
    pub fn new(reference: Reference) -> Self {
        Self {
            reference,
            share: 0.1,
            interval: Duration::from_secs(60),
            min_requests: 50,
            max_error_rate: 0.01,
            max_p90: None,
        }
    }

    /// Sets its share of the requests, from 0 to 1.
    #[must_use]
    pub fn share(mut self, share: f64) -> Self {
        self.share = share;
        self
    }

    /// Sets the time before each verdict.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the number of requests on one server without which there is no verdict.
    #[must_use]
    pub fn min_requests(mut self, requests: u64) -> Self {
        self.min_requests = requests;
        self
    }

    /// Sets the share of its requests that may fail, from 0 to 1. A bad input is no failure of the model.
    #[must_use]
    pub fn max_error_rate(mut self, rate: f64) -> Self {
        self.max_error_rate = rate;
        self
    }

    /// Sets the time within which it must answer 90 % of its requests.
    #[must_use]
    pub fn max_p90(mut self, time: Duration) -> Self {
        self.max_p90 = Some(time);
        self
    }

    pub(super) fn record(&self, since: Timestamp) -> Result<CanaryRecord> {
        for (what, share) in [("share", self.share), ("error rate", self.max_error_rate)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::invalid(what, &share.to_string(), "it is not from 0 to 1"));
            }
        }
        Ok(CanaryRecord {
            reference: self.reference.clone(),
            share: self.share,
            interval: u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX),
            min_requests: self.min_requests,
            max_error_rate: self.max_error_rate,
            max_p90: self.max_p90.map(|it| u64::try_from(it.as_micros()).unwrap_or(u64::MAX)),
            since,
        })
    }
}
