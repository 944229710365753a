//! Deploying and undeploying.

use std::thread;
use std::time::{Duration, Instant};

use larder_core::extend::Records;
use larder_core::record::{VersionRecord, read};
use larder_core::store::{Absence, Digest, Outcome, Remedy, StoreExt, transact};
use larder_core::{Error, Identifier, Larder, Model, Reference, Result};

use super::info::DeploymentInfo;
use super::options::DeployOptions;
use super::record::{
    DEPLOYMENTS, DeploymentRecord, EventKind, EventRecord, ServingRecord, key_of, name_in,
};
use super::signature::digest_of;
use crate::deployer;

/// Times between looks while waiting: the first, which doubles up to the last.
const LOOKS: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(100));
/// Maximum number of deployments that are suggested for one that is not there.
const MOST_SUGGESTED: usize = 3;

/// Adds deployments to [`Larder`].
///
/// A deployment is a record: every server of the larder serves it.
pub trait LarderDeployments {
    /// Deploys the version that `reference` names: servers load it, and serve it under the deployment's name.
    ///
    /// A tag, or a name alone, is followed: when it names another version, that version is loaded, checked and warmed up,
    /// and takes over without a failed request. A number or a digest is pinned. To deploy the same again changes nothing; a
    /// canary that is not given again ends.
    ///
    /// This checks that the component is a model with the signature of the version that serves, if its
    /// type is linked in; servers always check it.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::NotAModel`]; [`Error::Refused`] if its signature is another one, or the version is not
    /// ready; [`Error::InvalidName`] for a share that is not from 0 to 1; [`Error::Conflict`]; [`Error::Store`].
    fn deploy(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        options: &DeployOptions,
    ) -> Result<Deployed>;

    /// Returns all deployments, sorted by name.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    fn deployments(&self) -> Result<Vec<DeploymentInfo>>;

    /// Returns a deployment.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`]; [`Error::Corrupt`].
    fn deployment(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<DeploymentInfo>;

    /// Ends a deployment; returns false if there was none.
    ///
    /// # Errors
    /// [`Error::Conflict`]; [`Error::Store`].
    fn undeploy(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<bool>;

    /// Waits until a server says that it serves what is deployed.
    ///
    /// # Errors
    /// [`Error::Refused`] if a server refused the version or could not load it, or after `timeout`; [`Error::NotFound`].
    fn wait_deployed(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        timeout: Duration,
    ) -> Result<DeploymentInfo>;
}

/// The result of [`deploy`](LarderDeployments::deploy).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Deployed {
    /// The outcome.
    pub outcome: DeployOutcome,
    /// The deployment.
    pub deployment: DeploymentInfo,
}

/// Outcome of [`deploy`](LarderDeployments::deploy).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeployOutcome {
    /// There was no such deployment.
    Created,
    /// It serves, or is to serve, something else.
    Changed,
    /// Nothing.
    Unchanged,
}

impl LarderDeployments for Larder {
    fn deploy(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        options: &DeployOptions,
    ) -> Result<Deployed> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let name = options.name.clone().unwrap_or_else(|| reference.identifier().clone());
        let by = self.author()?;
        let version = self.find(&reference)?;
        let signatures = [
            Some(check(self, &reference, &version)?),
            match &options.canary {
                Some(canary) => {
                    Some(check(self, &canary.reference, &self.find(&canary.reference)?)?)
                }
                None => None,
            },
        ];
        let signatures: Vec<Digest> = signatures.into_iter().flatten().flatten().collect();
        let key = key_of(&name)?;
        let deployed = transact(&**self.store(), format!("the deployment {name}"), |tx| {
            let now = self.now();
            let found: Option<DeploymentRecord> = tx.read(&key)?;
            let old = found.clone();
            let mut record = found.unwrap_or_else(|| DeploymentRecord::new(reference.clone(), now));
            record.reference = reference.clone();
            record.allow_signature_change = options.allow_signature_change;
            record.canary = match (&options.canary, record.canary) {
                (None, _) => None,
                (Some(canary), old) => {
                    let new = canary.record(now)?;
                    Some(old.filter(|old| old.is_same(&new)).unwrap_or(new))
                }
            };
            if old.as_ref() == Some(&record) {
                let deployment = DeploymentInfo::new(name.clone(), record);
                return Ok(Outcome::Done(Deployed {
                    outcome: DeployOutcome::Unchanged,
                    deployment,
                }));
            }
            if !options.allow_signature_change
                && let Some(serving) = &record.serving
                && signatures.iter().any(|signature| *signature != serving.signature)
            {
                return Err(Error::Blocked {
                    action: format!("deploy {reference} as {name}"),
                    reason: format!(
                        "{}; allow the change, or deploy it under another name",
                        other_signature(serving)
                    ),
                    remedy: Remedy::AllowSignatureChange,
                });
            }
            (record.changed, record.by) = (now, by.clone());
            record.add(EventRecord {
                at: now,
                event: EventKind::Deployed,
                name: reference.identifier().clone(),
                version: version.version,
                manifest: version.manifest,
                by: by.clone(),
                reason: None,
            });
            tx.put(key.clone(), &record)?;
            let outcome =
                if old.is_some() { DeployOutcome::Changed } else { DeployOutcome::Created };
            let deployment = DeploymentInfo::new(name.clone(), record);
            Ok(Outcome::Commit(Deployed { outcome, deployment }))
        });
        deployer::tell();
        deployed
    }

    fn deployments(&self) -> Result<Vec<DeploymentInfo>> {
        let all = read_all(self)?;
        Ok(all.into_iter().map(|(name, record)| DeploymentInfo::new(name, record)).collect())
    }

    fn deployment(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<DeploymentInfo> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let key = key_of(&name)?;
        match self.store().get_record(&key)? {
            Some(found) => Ok(DeploymentInfo::new(name, read(&key, &found)?)),
            None => {
                let known = read_all(self)?.into_iter().map(|(name, _)| name.to_string());
                let (known, asked): (Vec<_>, _) = (known.collect(), name.as_str());
                let last = |name: &str| name.rsplit('/').next().unwrap_or(name).to_owned();
                let is_alike = |known: &&String| {
                    known.contains(asked)
                        || asked.contains(known.as_str())
                        || last(known) == last(asked)
                };
                let mut similar: Vec<String> = known.iter().filter(is_alike).cloned().collect();
                if similar.is_empty() {
                    similar = known;
                }
                similar.truncate(MOST_SUGGESTED);
                Err(Error::NotFound {
                    reference: format!("the deployment {name}"),
                    similar,
                    absence: Absence::NoDeployment,
                })
            }
        }
    }

    fn undeploy(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<bool> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let key = key_of(&name)?;
        let undeployed = transact(&**self.store(), format!("the deployment {name}"), |tx| {
            if tx.get(&key)?.is_none() {
                return Ok(Outcome::Done(false));
            }
            tx.remove(key.clone())?;
            Ok(Outcome::Commit(true))
        });
        deployer::tell();
        undeployed
    }

    fn wait_deployed(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        timeout: Duration,
    ) -> Result<DeploymentInfo> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let until = Instant::now() + timeout;
        let refused = |reason| Error::Refused { action: format!("deploy {name}"), reason };
        let (mut look, longest) = LOOKS;
        loop {
            let deployment = self.deployment(&name)?;
            let target = self.find(&deployment.reference)?;
            let is_it = deployment.serving.as_ref().is_some_and(|serving| {
                serving.digest == target.manifest && serving.is_alive(self.now())
            });
            if is_it {
                return Ok(deployment);
            }
            let failure = deployment.events.iter().rev().find(|event| {
                matches!(event.event, EventKind::Refused | EventKind::Failed)
                    && event.digest == target.manifest
                    && event.at >= deployment.changed
            });
            if let Some(failure) = failure {
                let reason = failure.reason.clone().unwrap_or_else(|| failure.event.to_string());
                return Err(refused(reason));
            }
            if Instant::now() >= until {
                let reason = format!(
                    "no server said within {} s that it serves {}@{}; check that a server of this larder runs",
                    timeout.as_secs(),
                    deployment.reference.identifier(),
                    target.version.get()
                );
                return Err(refused(reason));
            }
            thread::sleep(look.min(until.saturating_duration_since(Instant::now())));
            look = (look * 2).min(longest);
        }
    }
}

/// Returns the digest of a version's signature, if its type is linked in.
fn check(
    larder: &Larder,
    reference: &Reference,
    version: &VersionRecord,
) -> Result<Option<Digest>> {
    let pinned = format!("{}@{}", reference.identifier(), version.version.get());
    if !version.status.is_ready() {
        let reason = format!("its status is `{}`; deploy it when it is ready", version.status);
        return Err(Error::Refused { action: format!("deploy {pinned}"), reason });
    }
    let component = match larder.load_version(reference.identifier(), version.version) {
        Err(Error::NotLinked { .. }) => return Ok(None),
        loaded => loaded?,
    };
    match component.peek().as_model().map(Model::signature) {
        Some(signature) => Ok(Some(digest_of(&signature))),
        None => Err(Error::NotAModel { reference: pinned, type_tag: version.type_tag.to_string() }),
    }
}

/// The reason why a version with another signature is refused.
pub(crate) fn other_signature(serving: &ServingRecord) -> String {
    format!(
        "its signature differs from that of {}@{}, which serves",
        serving.name,
        serving.version.get()
    )
}

fn read_all(larder: &Larder) -> Result<Vec<(Identifier, DeploymentRecord)>> {
    read_each(larder)?.into_iter().map(|(name, record)| Ok((name, record?))).collect()
}

/// Returns the records of all deployments, by name, each with the reason if it cannot be read.
///
/// # Errors
/// [`Error::Store`].
pub(crate) fn read_each(larder: &Larder) -> Result<Vec<(Identifier, Result<DeploymentRecord>)>> {
    let records = larder.store().known_records(DEPLOYMENTS).map(|found| {
        let (key, found) = found?;
        Ok((name_in(&key)?, read(&key, &found)))
    });
    records.collect()
}
