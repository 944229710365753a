//! Publishing: new versions that jobs make of their own component.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::claim::Claim;
use crate::context::JobContext;
use crate::record::{MadeRecord, job_key, made_key};
use larder_core::extend::{Contribution, Participant, PlannedJob, Records, Transition};
use larder_core::record::{self, VersionRecord};
use larder_core::store::{StoreExt, Transaction};
use larder_core::{Applied, ApplyOptions, Component, Error, Identifier, Larder, Result};

/// What happens when a job publishes.
///
/// ```
/// use larder_core::PublishOptions;
///
/// let options = PublishOptions::new().firing();
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct PublishOptions {
    fires: bool,
}

impl PublishOptions {
    /// No trigger runs because of it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The triggers of `apply` run for the new version. One that publishes so each time it runs never ends.
    #[must_use]
    pub fn firing(mut self) -> Self {
        self.fires = true;
        self
    }
}

/// A version that a job is about to publish.
#[derive(Debug)]
pub(crate) struct Publishing {
    claim: Claim,
    /// The how many-th of the job.
    number: u32,
}

impl JobContext {
    /// Keeps `component` as a new version of the job's own name, once, however often the job is tried.
    ///
    /// The version says which job made it, and the job which version: both are written in one commit, on the condition that
    /// the job still has its lease. So an attempt that comes after one that was cut short finds what that one
    /// published, and gets it as `Unchanged`, even if it would have made something else. The first call of an
    /// attempt finds the first version, the second call the second one, so each attempt makes its calls in one order.
    ///
    /// By itself no trigger runs because of it: see [`PublishOptions::firing`].
    ///
    /// # Errors
    /// [`Error::Refused`] if the job lost its lease; as [`Larder::apply`].
    pub fn publish(&self, component: &dyn Component) -> Result<Applied> {
        self.publish_with(component, PublishOptions::new())
    }

    /// The same, with options.
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
        let options = ApplyOptions::new().triggers(options.fires).with(Arc::new(publishing));
        self.larder().apply_with(self.id().name(), component, &options)
    }
}

impl Participant for Publishing {
    fn existing(&self, larder: &Larder, name: &Identifier) -> Result<Option<VersionRecord>> {
        let Some(made) = self.made(larder)? else { return Ok(None) };
        let version = larder.version(name, made.version)?;
        // Another writer may have the number by now, if the attempt was cut short before the version was written.
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
        let key = made_key(&claim.id, *number)?;
        transaction.read::<MadeRecord>(&key)?;
        transaction.put(key, &MadeRecord::new(version.version))
    }

    fn contribute(
        &self,
        _: &Larder,
        _: Transition,
        _: &Identifier,
        _: &VersionRecord,
    ) -> Result<Contribution> {
        Ok(Contribution::default())
    }

    fn plan(&self, _: &Larder, _: &Identifier, _: &dyn Component) -> Vec<PlannedJob> {
        Vec::new()
    }
}

impl Publishing {
    /// The record of the version that this call of the job published, if an attempt did.
    fn made(&self, larder: &Larder) -> Result<Option<MadeRecord>> {
        let key = made_key(&self.claim.id, self.number)?;
        let found = larder.store().get_record(&key)?;
        found.map(|found| record::read(&key, &found)).transpose()
    }
}
