//! Publishing: new versions that jobs make of their own component.

use std::sync::atomic::Ordering;

use super::claim::Claim;
use super::context::JobContext;
use super::record::{MadeRecord, job_key, made_key};
use crate::component::Component;
use crate::error::{Error, Result};
use crate::larder::{Applied, Larder};
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::transaction::Transaction;

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
        let larder = self.larder.clone().publishing(publishing, options.fires);
        larder.apply(self.id().name(), component)
    }
}

impl Larder {
    /// The version that the job that publishes here has published already, if it has.
    pub(crate) fn published(&self, name: &Identifier) -> Result<Option<VersionRecord>> {
        let Some(publishing) = self.being_published() else { return Ok(None) };
        let key = made_key(&publishing.claim.id, publishing.number)?;
        let Some(made) = self.transaction().read::<MadeRecord>(&key)? else { return Ok(None) };
        let version = self.version(name, made.version)?;
        // The number may have come to be another's, if the attempt was cut short before the version was written.
        Ok(version.filter(|version| version.job.as_ref() == Some(&publishing.claim.id)))
    }

    /// Makes `version` that of the job that publishes here, and adds the changes that go before it.
    pub(crate) fn publish_in(
        &self,
        tx: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()> {
        let Some(Publishing { claim, number }) = self.being_published() else { return Ok(()) };
        if claim.read(tx)?.is_none() {
            return Err(Error::Refused {
                what: format!("a new version by the job {}", claim.id),
                reason: "the job is another's by now: its lease was over before it was done".into(),
            });
        }
        version.job = Some(claim.id.clone());
        tx.require(job_key(&claim.id)?)?;
        let key = made_key(&claim.id, *number)?;
        tx.read::<MadeRecord>(&key)?;
        tx.put(key, &MadeRecord::new(version.version))
    }
}
