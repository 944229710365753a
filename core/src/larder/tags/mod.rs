//! Tags: movable names for versions, and where they have been.

mod place;

use place::TagSlot;

use super::locks::refuse_locked_name;
use super::{Larder, VersionInfo};
use crate::error::{Corruption, Error, Result};
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::{self, MoveRecord, TagRecord, VersionRecord};
use crate::reference::Reference;
use crate::store::Outcome;
use crate::store::StoreExt;
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
    /// Who moved it there, if that is known.
    pub by: Option<String>,
    /// Whether it stays where it is unless it is forced.
    pub protected: bool,
}

/// One move of a tag: a line of its history.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TagMove {
    /// Its number, from 1 under one name and tag.
    pub number: u64,
    /// The version that the tag came to name; none if it was removed.
    pub version: Option<VersionNumber>,
    /// When.
    pub moved: Timestamp,
    /// Who moved it, if that is known.
    pub by: Option<String>,
}

impl TagMove {
    fn new(number: u64, MoveRecord { version, moved, by, .. }: MoveRecord) -> Self {
        Self { number, version, moved, by }
    }
}

/// On what condition a tag moves, and whether it is protected then.
///
/// ```
/// use larder_core::versions::TagOptions;
///
/// // Only if nobody has moved it away from version 1 meanwhile:
/// let options = TagOptions::new().from("wine@1".parse()?).protect();
/// # let _ = options;
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TagOptions {
    from: Option<Condition>,
    protected: Option<bool>,
    force: bool,
    stamp: Option<Stamp>,
}

/// When a tag was moved, and who did it.
pub(super) type Stamp = (Timestamp, Option<String>);

#[derive(Debug, Clone)]
enum Condition {
    At(Reference),
    New,
}

impl TagOptions {
    /// No condition; the tag stays protected if it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the tag only if it names `version` now.
    #[must_use]
    pub fn from(mut self, version: Reference) -> Self {
        self.from = Some(Condition::At(version));
        self
    }

    /// Sets the tag only if there is none of that name yet.
    #[must_use]
    pub fn only_new(mut self) -> Self {
        self.from = Some(Condition::New);
        self
    }

    /// Protects the tag: from then on it is moved and removed by [`force`](Self::force) only.
    #[must_use]
    pub fn protect(mut self) -> Self {
        self.protected = Some(true);
        self
    }

    /// Ends the tag's protection, by [`force`](Self::force) only.
    #[must_use]
    pub fn unprotect(mut self) -> Self {
        self.protected = Some(false);
        self
    }

    /// Records the move as one that was made at another time, by somebody else.
    #[must_use]
    pub fn stamped(mut self, moved: Timestamp, by: Option<String>) -> Self {
        self.stamp = Some((moved, by));
        self
    }

    /// Moves or removes the tag even if it is protected, and lets it name a version that is not ready.
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force = true;
        self
    }
}

impl Larder {
    /// Lets `tag` name the version that `reference` means, whatever it named before.
    ///
    /// # Errors
    /// As [`tag_with`](Larder::tag_with).
    pub fn tag(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.tag_with(reference, tag, &TagOptions::new())
    }

    /// Lets `tag` name the version that `reference` means, on the conditions of `options`.
    ///
    /// If it names it already, nothing is written.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Refused`] if a condition does not hold, the tag is
    /// protected, the version is not ready or the name is locked; [`Error::Conflict`]; [`Error::Store`].
    pub fn tag_with(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        options: &TagOptions,
    ) -> Result<VersionInfo> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let place = TagSlot::new(reference.identifier(), &tag.try_into().map_err(Into::into)?)?;
        self.transact(&place, |tx| {
            let version = self.find(&reference)?;
            if !version.status.is_ready() && !options.force {
                return Err(Error::Refused {
                    action: format!("move {place} to version {}", version.version.get()),
                    reason: format!(
                        "its status is `{}`; wait until it is ready, or force the move",
                        version.status
                    ),
                });
            }
            let state = place.read(tx)?;
            let moves = state.tag.as_ref().is_none_or(|tag| tag.version != version.version);
            let was_protected = state.tag.as_ref().is_some_and(|tag| tag.protected);
            let protected = options.protected.unwrap_or(was_protected);
            place.check_from(self, &state, options)?;
            let info = VersionInfo::new(&place.name, &version);
            if !moves && protected == was_protected {
                return Ok(Outcome::Done(info));
            }
            if moves || !protected {
                place.check_protection(&state, options)?;
            }
            refuse_locked_name(&place.name, &state.head, || format!("move {place}"))?;
            match state.tag {
                Some(mut tag) if !moves => {
                    tag.protected = protected;
                    tx.require(place.head_key.clone())?;
                    tx.put(place.tag_key.clone(), &tag)?;
                    Ok(Outcome::Commit(info))
                }
                _ => {
                    let key = record::version_key(&place.name, version.version)?;
                    let Some(stored) = tx.read::<VersionRecord>(&key)? else {
                        return Err(Error::corrupt(
                            format!("the record {key}"),
                            Corruption::Missing,
                        ));
                    };
                    if stored.removed.is_some() {
                        return Ok(Outcome::Retry);
                    }
                    // A removal of the version changes its record.
                    tx.require(key)?;
                    let to = Some((version.version, protected));
                    place.commit_move(self, tx, state, to, options.stamp.clone(), info)
                }
            }
        })
    }

    /// Removes `tag` from `name`; the version stays, and so does the tag's history.
    ///
    /// # Errors
    /// As [`untag_with`](Larder::untag_with).
    pub fn untag(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<()> {
        self.untag_with(name, tag, &TagOptions::new())
    }

    /// Removes `tag` from `name`, on the conditions of `options`.
    ///
    /// # Errors
    /// As [`tag_with`](Larder::tag_with).
    pub fn untag_with(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        options: &TagOptions,
    ) -> Result<()> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let place = TagSlot::new(&name, &tag.try_into().map_err(Into::into)?)?;
        self.transact(&place, |tx| {
            let state = place.read(tx)?;
            if state.tag.is_none() {
                return Err(self.not_found(&place.reference()));
            }
            place.check_from(self, &state, options)?;
            place.check_protection(&state, options)?;
            refuse_locked_name(&place.name, &state.head, || format!("remove {place}"))?;
            place.commit_move(self, tx, state, None, None, ())
        })
    }

    /// The tags of a name, in their order.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::Store`].
    pub fn tags(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Vec<TagInfo>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        self.tags_below(record::tags_of(&name)).map(|found| found.map(|(_, tag)| tag)).collect()
    }

    /// All tags whose keys begin with `prefix`, with their names.
    pub(super) fn tags_below(
        &self,
        prefix: String,
    ) -> impl Iterator<Item = Result<(Identifier, TagInfo)>> + '_ {
        self.store.records(prefix).map(|found| {
            let (key, found) = found?;
            let (name, tag) = record::tag_in(&key)?;
            let TagRecord { version, moved, by, protected, .. } = record::read(&key, &found)?;
            Ok((name, TagInfo { tag, version, moved, by, protected }))
        })
    }

    /// Where a tag has been, oldest first; also one that was removed.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`] if there never was one; [`Error::Store`].
    pub fn tag_history(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<Vec<TagMove>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let place = TagSlot::new(&name, &tag.try_into().map_err(Into::into)?)?;
        let state = place.read(&mut self.transaction())?;
        let mut history = Vec::new();
        for found in self.store.records(&record::moves_of(&place.name, &place.tag)) {
            let (key, found) = found?;
            history.push(TagMove::new(record::move_in(&key)?, record::read(&key, &found)?));
        }
        // A writer may have stopped before it wrote the last line, and the first Larders wrote none.
        if let Some(tag) = state.tag
            && let Err(at) = history.binary_search_by_key(&tag.moves, |line| line.number)
        {
            history.insert(at, TagMove::new(tag.moves, tag.last_move()));
        }
        if history.is_empty() {
            return Err(self.not_found(&place.reference()));
        }
        Ok(history)
    }
}
