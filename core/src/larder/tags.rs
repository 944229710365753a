//! Tags: movable names for versions.

use super::{Larder, VersionInfo};
use crate::error::{Error, Fault, Result};
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::{self, TagRecord};
use crate::reference::Reference;
use crate::store::{Change, Committed, Expected, StoreExt};
use crate::time::Timestamp;

/// A tag of a name.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TagInfo {
    /// The tag.
    pub tag: TagName,
    /// The version that it names.
    pub version: VersionNumber,
    /// When it came to name it.
    pub moved: Timestamp,
}

impl Larder {
    /// Lets `tag` name the version that `reference` means, whatever it named before.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Store`].
    pub fn tag(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let tag: TagName = tag.try_into().map_err(Into::into)?;
        let name = reference.identifier();
        let version = self.find(&reference)?;
        let key = record::tag_key(name, &tag)?;
        let change =
            record::put(key, &TagRecord::new(version.version, self.now()), Expected::Anything)?;
        match self.store.commit(&[change])? {
            Committed::All => Ok(VersionInfo::new(name, &version)),
            Committed::Conflict { .. } => Err(Error::Conflict { what: format!("{name}:{tag}") }),
        }
    }

    /// Removes `tag` from `name`; the version stays.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Store`].
    pub fn untag(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<()> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let tag: TagName = tag.try_into().map_err(Into::into)?;
        let key = record::tag_key(&name, &tag)?;
        let reference = Reference::new(name, crate::Selector::Tag(tag));
        let Some(found) = self.store.get_record(&key)? else {
            return Err(self.not_found(&reference));
        };
        let expected = Expected::Revision(found.revision);
        match self.store.commit(&[Change::RemoveRecord { key, expected }])? {
            Committed::All => Ok(()),
            Committed::Conflict { .. } => Err(Error::Conflict { what: reference.to_string() }),
        }
    }

    /// The tags of a name, in their order.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::Store`].
    pub fn tags(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Vec<TagInfo>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let prefix = record::tags_of(&name);
        let mut tags = Vec::new();
        for found in self.store.records(&prefix) {
            let (key, found) = found?;
            let TagRecord { version, moved, .. } = record::read(&key, &found)?;
            let tag = TagName::new(&key.as_str()[prefix.len()..]).map_err(|_| {
                Error::corrupt(
                    format!("the record {key}"),
                    Fault::Unreadable("its key is no tag".into()),
                )
            })?;
            tags.push(TagInfo { tag, version, moved });
        }
        Ok(tags)
    }
}
