//! Publishing: new versions that jobs make of their own component.

use std::sync::atomic::Ordering;

use super::claim::Claim;
use super::context::JobContext;
use super::record::{MadeRecord, job_key, made_key};
use crate::component::Component;
use crate::error::{Error, Result};
use crate::larder::{Applied, Larder};
use crate::name::Identifier;
use crate::record::{self, VersionRecord};
use crate::store::{Change, Record, StoreExt};

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
    /// What the job that publishes here has published already, if it has.
    pub(crate) fn published(&self, name: &Identifier) -> Result<Option<VersionRecord>> {
        let Some(publishing) = self.being_published() else { return Ok(None) };
        let Some((_, made)) = self.made(publishing)? else { return Ok(None) };
        let version = self.version(name, made.version)?;
        // The number may have come to be another's, if the attempt was cut short before the version was written.
        Ok(version.filter(|version| version.job.as_ref() == Some(&publishing.claim.id)))
    }

    /// Makes `version` that of the job that publishes here; gives what goes before it in its commit.
    pub(crate) fn publication(&self, version: &mut VersionRecord) -> Result<Vec<Change>> {
        let Some(publishing) = self.being_published() else { return Ok(Vec::new()) };
        let Publishing { claim, number } = publishing;
        let Some((held, _)) = self.held(claim)? else {
            return Err(Error::Refused {
                action: format!("publish a version from the job {}", claim.id),
                reason: "its lease expired, and another worker has taken the job".into(),
            });
        };
        version.job = Some(claim.id.clone());
        let made = self.made(publishing)?.map(|(found, _)| found);
        Ok(vec![
            record::unchanged(job_key(&claim.id)?, Some(&held)),
            record::put(
                made_key(&claim.id, *number)?,
                &MadeRecord::new(version.version),
                record::expect(made.as_ref()),
            )?,
        ])
    }

    fn made(
        &self,
        Publishing { claim, number }: &Publishing,
    ) -> Result<Option<(Record, MadeRecord)>> {
        let key = made_key(&claim.id, *number)?;
        let found = self.store().get_record(&key)?;
        found
            .map(|found| Ok((record::read(&key, &found)?, found)))
            .transpose()
            .map(|read| read.map(|(made, found)| (found, made)))
    }
}
