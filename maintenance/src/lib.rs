//! Maintenance of larders: verify, repair, collect garbage, copy, mirror, restore.
//!
//! [`LarderMaintenance::maintenance`] returns the handle [`Maintenance`].
//!
//! ```
//! use larder_core::{Registry, Selection};
//! use larder_maintenance::LarderMaintenance;
//!
//! let larder = Registry::linked()?.open("memory:")?;
//! let report = larder.maintenance().verify(Selection::All)?;
//! assert!(report.findings.is_empty());
//! # Ok::<(), larder_core::Error>(())
//! ```

mod copy;
pub mod diff;
mod gc;
mod health;
mod migrate;
mod parallel;
mod repair;
mod restore;
mod verify;

use std::fmt;
use std::sync::Arc;

use larder_core::extend::{Claim, Records, User};
use larder_core::manifest::{ChildEntry, Manifest};
use larder_core::record::{NameRecord, VersionRecord};
use larder_core::store::{
    Change, Digest, Outcome, Store, Timestamp, Transaction, VersionNumber, transact,
};
use larder_core::{ApplyOptions, Component, Error, Identifier, Larder, Reference, Result};

pub use crate::copy::{
    CopiedTag, CopiedVersion, CopyOptions, CopyOutcome, CopyOutline, CopyReport, MirrorOptions,
    MirrorReport, RemovedTag,
};
pub use crate::diff::{Diff, Plan};
pub use crate::gc::{Garbage, GcOptions, GcReport};
pub use crate::health::{HealthReport, LockedItem, UnreadyVersion};
pub use crate::repair::RepairReport;
pub use crate::restore::RemovedVersion;
pub use crate::verify::{Finding, VerifyReport};

/// Maintenance of a larder.
#[derive(Debug, Clone)]
pub struct Maintenance {
    larder: Larder,
    store: Arc<dyn Store>,
}

/// Adds maintenance to [`Larder`].
pub trait LarderMaintenance {
    /// Returns the maintenance handle.
    fn maintenance(&self) -> Maintenance;

    /// Plans an apply of `component` as `name`: the version it would create, and its difference from the newest one.
    ///
    /// Nothing is written. Changed artifacts are encoded for their digests, and again by the apply. If the type has
    /// [`Hooks`](larder_core::Hooks), `post_init` runs on a copy; no other hook runs.
    ///
    /// ```
    /// # use larder_core::{Component, ComponentType, Registry};
    /// # use larder_maintenance::LarderMaintenance;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Limit(f64);
    /// # #[typetag::serde(name = "doc/limit")]
    /// # impl Component for Limit {}
    /// # impl ComponentType for Limit { const TAG: &'static str = "doc/limit"; }
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let plan = larder.plan("wine/limit", &Limit(0.7))?;
    /// assert!(plan.created);
    /// assert_eq!(plan.diff.new.reference().to_string(), "wine/limit@1");
    /// assert_eq!(larder.list().count(), 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`apply`](Larder::apply), except conflicts and failures of writing.
    fn plan(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Plan>;

    /// Plans an [`apply_with`](Larder::apply_with).
    ///
    /// # Errors
    /// As [`plan`](LarderMaintenance::plan).
    fn plan_with(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<Plan>;

    /// Returns the difference between two versions, of one name or two.
    ///
    /// Reads only their manifests: no type needs to be linked in.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::NewerFormat`].
    fn diff(
        &self,
        old: impl TryInto<Reference, Error: Into<Error>>,
        new: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Diff>;

    /// Returns the difference between the version `old` of this larder and `new` of another.
    ///
    /// # Errors
    /// As [`diff`](LarderMaintenance::diff).
    fn diff_with(
        &self,
        old: impl TryInto<Reference, Error: Into<Error>>,
        other: &Larder,
        new: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Diff>;
}

impl LarderMaintenance for Larder {
    fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.clone())
    }

    fn plan(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Plan> {
        self.plan_with(name, component, &ApplyOptions::new())
    }

    fn plan_with(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<Plan> {
        diff::plan(self, &name.try_into().map_err(Into::into)?, component, options)
    }

    fn diff(
        &self,
        old: impl TryInto<Reference, Error: Into<Error>>,
        new: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Diff> {
        self.diff_with(old, self, new)
    }

    fn diff_with(
        &self,
        old: impl TryInto<Reference, Error: Into<Error>>,
        other: &Larder,
        new: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Diff> {
        let old = old.try_into().map_err(Into::into)?;
        let new = new.try_into().map_err(Into::into)?;
        diff::diff((self, &old), (other, &new))
    }
}

impl Maintenance {
    fn new(larder: Larder) -> Self {
        let store = Arc::clone(larder.store());
        Self { larder, store }
    }

    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    fn uncached(&self) -> Self {
        Self::new(self.larder.uncached())
    }

    fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        transact(&*self.store, what, attempt)
    }

    fn transaction(&self) -> Transaction<'_> {
        Transaction::new(&*self.store)
    }

    fn now(&self) -> Timestamp {
        self.larder.now()
    }

    fn head(&self, name: &Identifier) -> Result<Option<NameRecord>> {
        self.larder.head(name)
    }

    fn version(&self, name: &Identifier, number: VersionNumber) -> Result<Option<VersionRecord>> {
        self.larder.version(name, number)
    }

    fn find(&self, reference: &Reference) -> Result<VersionRecord> {
        self.larder.find(reference)
    }

    fn open_record(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<(String, Manifest)> {
        self.larder.manifest_of(name, version)
    }

    fn child_version(&self, child: &ChildEntry, needed_by: &str) -> Result<VersionRecord> {
        self.larder.child_version(child, needed_by)
    }

    fn claim(&self, blobs: &[Digest], brought: &[Change]) -> Result<Claim> {
        self.larder.claim(blobs, brought)
    }

    fn link(&self, users: &[User<'_>], is_partial: bool) -> Result<Vec<Change>> {
        self.larder.link(users, is_partial)
    }

    fn not_found(&self, reference: &Reference) -> Error {
        self.larder.not_found(reference)
    }
}
