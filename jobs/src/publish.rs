//! Publishing new versions from jobs.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_core::extend::{Participant, Records};
use larder_core::record::{self, VersionRecord};
use larder_core::store::{StoreExt, Transaction};
use larder_core::{Applied, ApplyOptions, Component, Error, Identifier, Larder, Result};

use crate::claim::Claim;
use crate::context::JobContext;
use crate::record::{PublishedRecord, job_key, published_key};

/// Options of [`JobContext::publish_with`].
///
/// ```
/// use larder_jobs::PublishOptions;
///
/// let options = PublishOptions::new().triggers(true);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishOptions {
    triggers: bool,
}

impl PublishOptions {
    /// Returns the defaults: no triggers run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs the `apply` triggers of the new version. A trigger that always publishes this way never stops.
    #[must_use]
    pub fn triggers(mut self, triggers: bool) -> Self {
        self.triggers = triggers;
        self
    }
}

/// A version that a job publishes.
#[derive(Debug)]
pub(crate) struct Publishing {
    claim: Claim,
    /// The position among the versions that the job publishes.
    number: u32,
}

impl JobContext {
    /// Applies `component` as a new version of the job's name, exactly once across attempts.
    ///
    /// The version and the job refer to each other, in one commit that requires the job's lease. A later attempt finds
    /// what an interrupted one published and returns it as `Unchanged`, even if its own component differs. The `n`th call
    /// of each attempt stands for the `n`th version, so every attempt must publish in the same order.
    ///
    /// Runs no triggers: see [`PublishOptions::triggers`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the job lost its lease; as [`Larder::apply`].
    pub fn publish(&self, component: &dyn Component) -> Result<Applied> {
        self.publish_with(component, PublishOptions::new())
    }

    /// Applies `component` as [`publish`](JobContext::publish) does, with options.
    ///
    /// # Errors
    /// As [`publish`](JobContext::publish).
    pub fn publish_with(
        &self,
        component: &dyn Component,
        options: PublishOptions,
    ) -> Result<Applied> {
        let number = self.published.fetch_add(1, Ordering::Relaxed);
        let publishing = Publishing { claim: self.claim.clone(), number };
        let options = ApplyOptions::new().triggers(options.triggers).with(Arc::new(publishing));
        self.larder().apply_with(self.id().name(), component, &options)
    }
}

impl Participant for Publishing {
    fn existing(&self, larder: &Larder, name: &Identifier) -> Result<Option<VersionRecord>> {
        let Some(published) = self.published(larder)? else { return Ok(None) };
        let version = larder.version(name, published.version)?;
        // If the attempt crashed before it wrote the version, another writer may have taken the number.
        Ok(version.filter(|version| version.job.as_ref() == Some(&self.claim.id)))
    }

    fn before_version(
        &self,
        transaction: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()> {
        let Self { claim, number } = self;
        if claim.read(transaction)?.is_none() {
            return Err(Error::Refused {
                action: format!("publish a version from the job {}", claim.id),
                reason: "its lease expired, and another worker has taken the job".into(),
            });
        }
        version.job = Some(claim.id.clone());
        transaction.require(job_key(&claim.id)?)?;
        let key = published_key(&claim.id, *number)?;
        transaction.read::<PublishedRecord>(&key)?;
        transaction.put(key, &PublishedRecord::new(version.version))
    }
}

impl Publishing {
    /// Returns the record of the version that this call published in an earlier attempt.
    fn published(&self, larder: &Larder) -> Result<Option<PublishedRecord>> {
        let key = published_key(&self.claim.id, self.number)?;
        let found = larder.store().get_record(&key)?;
        found.map(|found| record::read(&key, &found)).transpose()
    }
}
