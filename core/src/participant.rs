//! Taking part in commits: how crates above core add to what the handle writes.

use std::any::Any;
use std::fmt;

use serde::Serialize;

use crate::component::Component;
use crate::error::Result;
use crate::larder::Larder;
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::store::{Change, Transaction};

/// Adds changes to the commits of a [`Larder`], and acts after them.
///
/// Jobs, deployments and collections keep records of their own that must change together with versions. Each is
/// a participant: the registry brings those that every handle has ([`Item::participant`](crate::Item::participant)),
/// [`Larder::with_participant`] replaces one, and [`ApplyOptions::with`](crate::ApplyOptions::with) adds one to a single
/// call.
pub trait Participant: Any + fmt::Debug + Send + Sync {
    /// A version that makes this apply superfluous, because an earlier attempt wrote it.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store), and those of the participant's records.
    fn existing(&self, larder: &Larder, name: &Identifier) -> Result<Option<VersionRecord>>;

    /// Completes the record of the new version `version`, and adds to `transaction` what stands before it.
    ///
    /// It is called for the component that is applied itself, not for those that it refers to.
    ///
    /// # Errors
    /// Any error stops the apply.
    fn before_version(
        &self,
        transaction: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()>;

    /// What to add to the commit after which `version` of `name` is ready, or removed.
    ///
    /// # Errors
    /// Any error stops the commit.
    fn contribute(
        &self,
        larder: &Larder,
        transition: Transition,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution>;

    /// The jobs that an apply of `component` would create.
    fn plan(
        &self,
        larder: &Larder,
        name: &Identifier,
        component: &dyn Component,
    ) -> Vec<PlannedJob>;
}

/// A job that an apply would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedJob {
    /// The name of its component.
    pub name: Identifier,
    /// The trigger that would run.
    pub trigger: String,
    /// Why it would be skipped, if it would.
    pub skipped: Option<String>,
}

impl PlannedJob {
    /// A job of the component `name` for `trigger`; `skipped` says why it would be skipped.
    pub fn new(name: Identifier, trigger: &str, skipped: Option<String>) -> Self {
        Self { name, trigger: trigger.to_owned(), skipped }
    }
}

/// What a commit does to a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It becomes ready.
    Ready,
    /// It is removed.
    Removed,
}

/// What a participant adds to a commit.
#[derive(Default)]
pub struct Contribution {
    /// Changes, in their order, after those of the version.
    pub changes: Vec<Change>,
    after: Vec<Box<dyn FnOnce() + Send>>,
}

impl Contribution {
    /// Changes, and nothing to do after the commit.
    pub fn new(changes: Vec<Change>) -> Self {
        Self { changes, after: Vec::new() }
    }

    /// Adds what to do after the commit. It does not run if the commit is not made.
    #[must_use]
    pub fn then(mut self, act: impl FnOnce() + Send + 'static) -> Self {
        self.after.push(Box::new(act));
        self
    }

    /// Adds another contribution behind this one.
    pub fn merge(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.after.extend(other.after);
    }

    /// Acts after the commit.
    pub(crate) fn committed(self) {
        self.after.into_iter().for_each(|act| act());
    }
}

impl fmt::Debug for Contribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contribution").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Larder {
    /// The contributions of all participants to a commit.
    pub(crate) fn contributions(
        &self,
        transition: Transition,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        let mut all = Contribution::default();
        if self.options().triggers {
            for participant in self.participants() {
                all.merge(participant.contribute(self, transition, name, version)?);
            }
        }
        Ok(all)
    }

    /// The version that one participant knows to be written already.
    pub(crate) fn existing_version(&self, name: &Identifier) -> Result<Option<VersionRecord>> {
        for participant in &self.options().participants {
            if let Some(version) = participant.existing(self, name)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Lets the participants of this call complete the record of a version.
    pub(crate) fn complete(
        &self,
        transaction: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()> {
        let participants = &self.options().participants;
        participants.iter().try_for_each(|it| it.before_version(transaction, version))
    }

    /// The jobs that an apply of `component` would create.
    pub(crate) fn planned_jobs(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Vec<PlannedJob> {
        if !self.options().triggers {
            return Vec::new();
        }
        self.participants().flat_map(|it| it.plan(self, name, component)).collect()
    }
}
