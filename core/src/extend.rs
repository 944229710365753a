//! For crates that extend the handle: records, dry runs, participants.

use larder_records::{Reference, Selector};
use serde::de::DeserializeOwned;

use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::larder::{ApplyOptions, Larder, Ready};
use crate::manifest::{ChildEntry, Manifest};
use crate::name::{Identifier, VersionNumber};
use crate::record::{self, NameRecord, VersionRecord};
use crate::store::{Change, StoreExt};
use crate::time::Timestamp;

pub use crate::artifact::StoredArtifact;
pub use crate::cache::{CacheFolder, temp_folder};
pub use crate::component::{ReadComponent, TypeEntry};
pub use crate::larder::{
    ArtifactAhead, BlobWrites, Claim, DryRun, LarderExt, PATIENCE, QUICK, User, VALUE_TYPE,
    read_annotations, refuse_locked_name,
};
pub use crate::participant::{Contribution, Participant, PlannedJob, Transition};
pub use crate::store::catch_panic;

/// Reads the records of a [`Larder`].
pub trait Records {
    /// Returns the time of the handle's clock.
    fn now(&self) -> Timestamp;

    /// Returns the author of changes.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if it is empty or too long.
    fn author(&self) -> Result<Option<String>>;

    /// Returns the record of a name.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    fn head(&self, name: &Identifier) -> Result<Option<NameRecord>>;

    /// Returns the record of a version, removed or not.
    ///
    /// # Errors
    /// As [`head`](Records::head).
    fn version(&self, name: &Identifier, number: VersionNumber) -> Result<Option<VersionRecord>>;

    /// Returns the first number from `next` that no version has: a writer that died may have used one that the name does
    /// not count.
    ///
    /// # Errors
    /// [`Error::Store`].
    fn free_number(&self, name: &Identifier, next: VersionNumber) -> Result<VersionNumber>;

    /// Returns the record of the version that `reference` names.
    ///
    /// # Errors
    /// [`Error::NotFound`], and as [`head`](Records::head).
    fn find(&self, reference: &Reference) -> Result<VersionRecord>;

    /// Returns the version's text for errors, and its verified manifest.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::NewerFormat`].
    fn manifest_of(&self, name: &Identifier, version: &VersionRecord)
    -> Result<(String, Manifest)>;

    /// Returns the version of a child that is not removed.
    ///
    /// # Errors
    /// [`Error::Removed`]; [`Error::NotFound`].
    fn child_version(&self, child: &ChildEntry, needed_by: &str) -> Result<VersionRecord>;

    /// Encodes a component like an apply with `options`, and writes nothing.
    ///
    /// # Errors
    /// As [`Larder::apply`].
    fn dry_run(
        &self,
        name: &Identifier,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<DryRun>;

    /// Returns the newest version with this manifest that is not ready, if it is newer than `latest`.
    ///
    /// # Errors
    /// As [`head`](Records::head).
    fn unready(
        &self,
        name: &Identifier,
        head: &NameRecord,
        manifest: &Digest,
    ) -> Result<Option<VersionRecord>>;

    /// Returns the ready version of a child.
    ///
    /// # Errors
    /// As [`head`](Records::head).
    fn find_child(&self, child: &ChildEntry) -> Result<Option<VersionRecord>>;

    /// Returns the larder without its cache of blobs.
    fn uncached(&self) -> Larder;

    /// Returns the error of a missing reference, with similar names.
    fn not_found(&self, reference: &Reference) -> Error;

    /// Claims blobs from collectors before a commit refers to them; the commit writes those in `brought`.
    ///
    /// # Errors
    /// [`Error::Conflict`] if a collector does not finish.
    fn claim(&self, blobs: &[Digest], brought: &[Change]) -> Result<Claim>;

    /// Returns the changes that record users of children, and make the commit depend on the children.
    ///
    /// # Errors
    /// [`Error::Conflict`] while one of them is being removed.
    fn link(&self, users: &[User<'_>], is_partial: bool) -> Result<Vec<Change>>;

    /// Loads the component of a version, removed or not, with `setup` on first use.
    ///
    /// # Errors
    /// As [`Larder::load_component`].
    fn load_version(
        &self,
        name: &Identifier,
        number: VersionNumber,
    ) -> Result<Ready<dyn Component>>;

    /// Decodes the fields of a version of the type `tag`.
    ///
    /// # Errors
    /// As [`Larder::load`].
    fn load_fields<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        tag: &str,
        type_name: &str,
    ) -> Result<T>;
}

impl Records for Larder {
    fn now(&self) -> Timestamp {
        Larder::now(self)
    }

    fn author(&self) -> Result<Option<String>> {
        Larder::author(self)
    }

    fn head(&self, name: &Identifier) -> Result<Option<NameRecord>> {
        Larder::head(self, name)
    }

    fn version(&self, name: &Identifier, number: VersionNumber) -> Result<Option<VersionRecord>> {
        Larder::version(self, name, number)
    }

    fn free_number(&self, name: &Identifier, mut next: VersionNumber) -> Result<VersionNumber> {
        while self.store().get_record(&record::version_key(name, next)?)?.is_some() {
            next = next.next();
        }
        Ok(next)
    }

    fn find(&self, reference: &Reference) -> Result<VersionRecord> {
        Larder::find(self, reference)
    }

    fn manifest_of(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<(String, Manifest)> {
        let version = self.resolve_record(name, version.clone())?;
        Ok((version.what, version.manifest))
    }

    fn child_version(&self, child: &ChildEntry, needed_by: &str) -> Result<VersionRecord> {
        Larder::child_version(self, child, needed_by)
    }

    fn dry_run(
        &self,
        name: &Identifier,
        component: &dyn Component,
        options: &ApplyOptions,
    ) -> Result<DryRun> {
        self.run_dry(name, component, options)
    }

    fn unready(
        &self,
        name: &Identifier,
        head: &NameRecord,
        manifest: &Digest,
    ) -> Result<Option<VersionRecord>> {
        Larder::unready(self, name, head, manifest)
    }

    fn find_child(&self, child: &ChildEntry) -> Result<Option<VersionRecord>> {
        Larder::find_child(self, child)
    }

    fn uncached(&self) -> Larder {
        Larder::uncached(self)
    }

    fn not_found(&self, reference: &Reference) -> Error {
        Larder::not_found(self, reference)
    }

    fn claim(&self, blobs: &[Digest], brought: &[Change]) -> Result<Claim> {
        Larder::claim(self, blobs, brought, PATIENCE)
    }

    fn link(&self, users: &[User<'_>], is_partial: bool) -> Result<Vec<Change>> {
        Larder::link(self, users, is_partial)
    }

    fn load_version(
        &self,
        name: &Identifier,
        number: VersionNumber,
    ) -> Result<Ready<dyn Component>> {
        let Some(record) = self.version(name, number)? else {
            let reference = Reference::new(name.clone(), Selector::Version(number));
            return Err(self.not_found(&reference));
        };
        let version = self.resolve_record(name, record)?;
        Ok(Ready::new(self, version.info(), self.decode_component(&version)?))
    }

    fn load_fields<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        tag: &str,
        type_name: &str,
    ) -> Result<T> {
        self.decode_fields(&self.resolve(reference)?, tag, type_name)
    }
}
