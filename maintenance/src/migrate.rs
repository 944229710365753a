//! Migrating names to the current version of their types.

use larder_core::extend::{Records, TypeEntry, VALUE_TYPE};
use larder_core::{Applied, ApplyOptions, Error, Identifier, Reference, Result, VersionInfo};

use crate::Maintenance;

impl Maintenance {
    /// Applies the newest version of `name` again, as the current version of its type writes it.
    ///
    /// The type's migrations read what an older version or another tag wrote. Nothing is written if the current
    /// type wrote it. Unchanged artifacts are neither read nor written; no triggers run. The older version stays, and
    /// tags stay with it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another version was applied meanwhile; as
    /// [`load_component`](larder_core::Larder::load_component) and [`apply`](larder_core::Larder::apply).
    pub fn migrate(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let record = self.larder.find(&Reference::from(&name))?;
        let (_, manifest) = self.larder.manifest_of(&name, &record)?;
        let tag = manifest.type_tag().as_str();
        let is_current =
            |known: &TypeEntry| known.tag() == tag && known.version() == manifest.type_version();
        let version = VersionInfo::new(&name, &record);
        if tag == VALUE_TYPE || self.larder.registry().find(tag).is_some_and(is_current) {
            return Ok(Applied::Unchanged(version));
        }
        let component = self.larder.load_component(version.reference())?;
        let options = ApplyOptions::new().triggers(false).onto(version.digest);
        self.larder.apply_with(&name, &*component, &options)
    }
}
