//! `migrate`: rewriting what an older version of a type wrote.

use super::{Applied, ApplyOptions, Larder, VersionInfo};
use crate::error::{Error, Result};
use crate::name::Identifier;
use crate::reference::Reference;

impl Larder {
    /// Keeps the newest version of `name` as today's version of its type writes it, as a new version.
    ///
    /// What a type of another version or another tag wrote is read by the type's own migrations, as
    /// [`load`](Larder::load) does; nothing is written if today's type wrote it. Artifacts that stay as they are
    /// are neither read nor written. The older version stays, and tags stay with it.
    ///
    /// # Errors
    /// [`Error::Conflict`] if another writer applied a version meanwhile; as
    /// [`load_component`](Larder::load_component) and [`apply`](Larder::apply).
    pub fn migrate(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let (_, version, manifest) = self.open_version(&Reference::from(&name))?;
        let tag = manifest.type_tag().as_str();
        let is_todays = |known: &crate::component::TypeEntry| {
            known.tag() == tag && known.version() == manifest.type_version()
        };
        // A value without a type of its own is as it is.
        if tag == super::objects::OBJECT || self.registry.find(tag).is_some_and(is_todays) {
            return Ok(Applied::Unchanged(VersionInfo::new(&name, &version)));
        }
        let component = self.load_component(Self::pin(&VersionInfo::new(&name, &version)))?;
        // It is another way to write what is there, and no trigger runs because of it.
        let larder = self.with_options(&ApplyOptions::new().triggers(false));
        larder.commit_component(&name, &*component, Some(version.manifest))
    }
}
