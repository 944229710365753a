//! Participants: how crates above core add changes to commits.

use std::any::Any;
use std::fmt;

use serde::Serialize;

use crate::component::Component;
use crate::error::Result;
use crate::larder::Larder;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::VersionRecord;
use crate::store::{Change, Transaction};

/// Adds changes to the commits of a [`Larder`], and acts after them.
///
/// The registry provides the participants of every handle ([`Item::participant`](crate::Item::participant)),
/// [`with_participant`](crate::extend::LarderExt::with_participant) replaces one, and
/// [`ApplyOptions::with`](crate::ApplyOptions::with) adds one to a single call. By default, each method does nothing.
pub trait Participant: Any + fmt::Debug + Send + Sync {
    /// Returns the version that an earlier attempt of this apply wrote.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store), and the errors of the participant's records.
    fn existing(&self, larder: &Larder, name: &Identifier) -> Result<Option<VersionRecord>> {
        let _ = (larder, name);
        Ok(None)
    }

    /// Completes the record of a new version, and adds changes before it.
    ///
    /// Not called for children.
    ///
    /// # Errors
    /// Any error stops the apply.
    fn before_version(
        &self,
        transaction: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()> {
        let _ = (transaction, version);
        Ok(())
    }

    /// Returns what to add to the commit that makes a version ready, or removes it.
    ///
    /// # Errors
    /// Any error stops the commit.
    fn contribute(
        &self,
        larder: &Larder,
        transition: Transition,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        let _ = (larder, transition, name, version);
        Ok(Contribution::default())
    }

    /// Returns what to add to the commit that moves `tag` of `name` away from the version `from`.
    ///
    /// # Errors
    /// Any error stops the commit.
    fn contribute_to_move(
        &self,
        larder: &Larder,
        name: &Identifier,
        tag: &TagName,
        from: VersionNumber,
    ) -> Result<Contribution> {
        let _ = (larder, name, tag, from);
        Ok(Contribution::default())
    }

    /// Returns the jobs that an apply of `component` would create.
    fn plan(
        &self,
        larder: &Larder,
        name: &Identifier,
        component: &dyn Component,
    ) -> Vec<PlannedJob> {
        let _ = (larder, name, component);
        Vec::new()
    }
}

/// A job that an apply would create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedJob {
    /// The name of its component.
    pub name: Identifier,
    /// The trigger that would run.
    pub trigger: String,
    /// Why it would be skipped, if so.
    pub skipped: Option<String>,
}

impl PlannedJob {
    /// Creates the job of `trigger` for the component `name`.
    pub fn new(name: Identifier, trigger: &str, skipped: Option<String>) -> Self {
        Self { name, trigger: trigger.to_owned(), skipped }
    }
}

/// Change of a version's state by a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    /// It becomes ready.
    Ready,
    /// It is removed.
    Removed,
}

/// Additions of a participant to a commit.
#[derive(Default)]
pub struct Contribution {
    /// Changes that follow the changes of the version.
    pub changes: Vec<Change>,
    after: Vec<Box<dyn FnOnce() + Send>>,
}

impl Contribution {
    /// Creates a contribution of changes.
    pub fn new(changes: Vec<Change>) -> Self {
        Self { changes, after: Vec::new() }
    }

    /// Adds a callback that runs after a successful commit.
    #[must_use]
    pub fn then(mut self, act: impl FnOnce() + Send + 'static) -> Self {
        self.after.push(Box::new(act));
        self
    }

    /// Appends another contribution.
    pub fn merge(&mut self, other: Self) {
        self.changes.extend(other.changes);
        self.after.extend(other.after);
    }

    /// Runs the callbacks.
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
    /// Collects the contributions of all participants.
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

    /// Collects the contributions of all participants to a move of a tag.
    pub(crate) fn contributions_to_move(
        &self,
        name: &Identifier,
        tag: &TagName,
        from: VersionNumber,
    ) -> Result<Contribution> {
        let mut all = Contribution::default();
        for participant in self.participants() {
            all.merge(participant.contribute_to_move(self, name, tag, from)?);
        }
        Ok(all)
    }

    /// Returns a version that an earlier attempt wrote.
    pub(crate) fn existing_version(&self, name: &Identifier) -> Result<Option<VersionRecord>> {
        for participant in &self.options().participants {
            if let Some(version) = participant.existing(self, name)? {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Completes the record of a version by the participants of this call.
    pub(crate) fn complete(
        &self,
        transaction: &mut Transaction<'_>,
        version: &mut VersionRecord,
    ) -> Result<()> {
        let participants = &self.options().participants;
        participants.iter().try_for_each(|it| it.before_version(transaction, version))
    }

    /// Returns the jobs that an apply of `component` would create.
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
