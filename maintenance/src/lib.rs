//! Upkeep of larders: verify, repair, collect garbage, copy, mirror, restore.
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
mod gc;
mod health;
mod parallel;
mod repair;
mod restore;
mod verify;

use std::sync::Arc;

use larder_core::extend::{Claim, Records, User};
use larder_core::manifest::{ChildEntry, Manifest};
use larder_core::record::{NameRecord, VersionRecord};
use larder_core::store::{Change, Digest, Store, Timestamp, VersionNumber};
use larder_core::{Error, Identifier, Larder, Reference, Result};

pub use crate::copy::{
    CopiedTag, CopiedVersion, CopyOptions, CopyOutcome, CopyOutline, CopyReport, MirrorOptions,
    MirrorReport, RemovedTag,
};
pub use crate::gc::{Garbage, GcOptions, GcReport};
pub use crate::health::{HealthReport, LockedItem, UnreadyVersion};
pub use crate::repair::RepairReport;
pub use crate::restore::RemovedVersion;
pub use crate::verify::{Finding, VerifyReport};

/// How often a commit that another writer overtook is tried again.
const MOST_TRIES: u32 = 1_000;

/// The upkeep of a larder.
#[derive(Debug, Clone)]
pub struct Maintenance {
    larder: Larder,
    store: Arc<dyn Store>,
}

/// Adds upkeep to [`Larder`].
pub trait LarderMaintenance {
    /// Returns the handle on the upkeep.
    fn maintenance(&self) -> Maintenance;
}

impl LarderMaintenance for Larder {
    fn maintenance(&self) -> Maintenance {
        Maintenance::new(self.clone())
    }
}

impl Maintenance {
    fn new(larder: Larder) -> Self {
        let store = Arc::clone(larder.store());
        Self { larder, store }
    }

    /// The larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    fn uncached(&self) -> Self {
        Self::new(self.larder.uncached())
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
