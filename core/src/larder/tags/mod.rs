//! Tags: movable names of versions, and their history.

mod place;

use larder_records::Reference;
use place::TagSlot;

use super::locks::refuse_locked_name;
use super::{Larder, VersionInfo};
use crate::error::{Corruption, Error, Remedy, Result};
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::{self, MoveRecord, TagRecord, VersionRecord};
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
    /// When it moved there.
    pub moved: Timestamp,
    /// The author of the move, if known.
    pub by: Option<String>,
    /// True if moving and removing it need force.
    pub protected: bool,
}

/// One move of a tag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct TagMove {
    /// Its number, from 1 under one name and tag.
    #[serde(rename = "move")]
    pub number: u64,
    /// The version that it moved to; none if it was removed.
    pub version: Option<VersionNumber>,
    /// The time of the move.
    pub moved: Timestamp,
    /// The author of the move, if known.
    pub by: Option<String>,
}

impl TagMove {
    fn new(number: u64, MoveRecord { version, moved, by, .. }: MoveRecord) -> Self {
        Self { number, version, moved, by }
    }
}

/// Options of a move or removal of a tag: conditions, protection, force.
///
/// ```
/// use larder_core::versions::TagOptions;
///
/// // Only if it still names version 1:
/// let options = TagOptions::new().from("wine@1".parse()?).protected(true);
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

/// Time and author of a move.
pub(super) type Stamp = (Timestamp, Option<String>);

#[derive(Debug, Clone)]
enum Condition {
    At(Reference),
    New,
}

impl TagOptions {
    /// Returns the default options: no condition, and protection stays as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the tag only if it names `version` now.
    #[must_use]
    pub fn from(mut self, version: Reference) -> Self {
        self.from = Some(Condition::At(version));
        self
    }

    /// Only creates the tag.
    #[must_use]
    pub fn only_new(mut self, only_new: bool) -> Self {
        self.from = only_new.then_some(Condition::New);
        self
    }

    /// Protects the tag, or ends its protection by [`force`](Self::force): a protected tag is moved and removed by force
    /// only.
    #[must_use]
    pub fn protected(mut self, protected: bool) -> Self {
        self.protected = Some(protected);
        self
    }

    /// Sets the time and the author of the move.
    #[must_use]
    pub fn stamped(mut self, moved: Timestamp, by: Option<String>) -> Self {
        self.stamp = Some((moved, by));
        self
    }

    /// Sets whether to change a protected tag, and to tag a version that is not ready.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }
}

/// The tags of a larder: [`Larder::tags`].
#[derive(Debug, Clone, Copy)]
pub struct Tags<'a>(&'a Larder);

impl Larder {
    /// Returns the handle on tags, their history and their protection.
    pub fn tags(&self) -> Tags<'_> {
        Tags(self)
    }

    /// Moves `tag` to the version that `reference` names.
    ///
    /// # Errors
    /// As [`Tags::set`].
    pub fn tag(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<VersionInfo> {
        self.tags().set(reference, tag, &TagOptions::new())
    }

    /// Removes `tag` from `name`; the version and the tag's history stay.
    ///
    /// # Errors
    /// As [`Tags::set`]; [`Error::NotFound`] if there is no such tag.
    pub fn untag(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<()> {
        self.tags().remove(name, tag, &TagOptions::new())
    }

    /// Returns all tags whose keys begin with `prefix`, with their names.
    pub(super) fn tags_below(
        &self,
        prefix: String,
    ) -> impl Iterator<Item = Result<(Identifier, TagInfo)>> + '_ {
        self.store.known_records(prefix).map(|found| {
            let (key, found) = found?;
            let (name, tag) = record::tag_in(&key)?;
            let TagRecord { version, moved, by, protected, .. } = record::read(&key, &found)?;
            Ok((name, TagInfo { tag, version, moved, by, protected }))
        })
    }
}

impl Tags<'_> {
    /// Moves `tag` to the version that `reference` names, with `options`.
    ///
    /// Nothing is written if it names that version already.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`]; [`Error::Refused`] if a condition does not hold;
    /// [`Error::Blocked`] if the tag is protected, the version is not ready or the name is locked; [`Error::Conflict`]; [`Error::Store`].
    pub fn set(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        options: &TagOptions,
    ) -> Result<VersionInfo> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let place = TagSlot::new(reference.identifier(), &tag.try_into().map_err(Into::into)?)?;
        self.0.transact(&place, |tx| {
            let version = self.0.find(&reference)?;
            if !version.status.is_ready() && !options.force {
                return Err(Error::Blocked {
                    action: format!("move {place} to version {}", version.version.get()),
                    reason: format!(
                        "its status is `{}`; wait until it is ready, or force the move",
                        version.status
                    ),
                    remedy: Remedy::Force,
                });
            }
            let state = place.read(tx)?;
            let moves = state.tag.as_ref().is_none_or(|tag| tag.version != version.version);
            let was_protected = state.tag.as_ref().is_some_and(|tag| tag.protected);
            let protected = options.protected.unwrap_or(was_protected);
            place.check_from(self.0, &state, options)?;
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
                    place.commit_move(self.0, tx, state, to, options.stamp.clone(), info)
                }
            }
        })
    }

    /// Removes `tag` from `name`, with `options`.
    ///
    /// # Errors
    /// As [`Larder::untag`].
    pub fn remove(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        options: &TagOptions,
    ) -> Result<()> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let place = TagSlot::new(&name, &tag.try_into().map_err(Into::into)?)?;
        self.0.transact(&place, |tx| {
            let state = place.read(tx)?;
            if state.tag.is_none() {
                return Err(self.0.not_found(&place.reference()));
            }
            place.check_from(self.0, &state, options)?;
            place.check_protection(&state, options)?;
            refuse_locked_name(&place.name, &state.head, || format!("remove {place}"))?;
            place.commit_move(self.0, tx, state, None, None, ())
        })
    }

    /// Returns the tags of a name, sorted.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::Store`].
    pub fn of(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Vec<TagInfo>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        self.0.tags_below(record::tags_of(&name)).map(|found| found.map(|(_, tag)| tag)).collect()
    }

    /// Returns the moves of a tag, oldest first, also of a removed one.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`] if it never existed; [`Error::Store`].
    pub fn history(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
    ) -> Result<Vec<TagMove>> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let place = TagSlot::new(&name, &tag.try_into().map_err(Into::into)?)?;
        let state = place.read(&mut self.0.transaction())?;
        let mut history = Vec::new();
        for found in self.0.store.known_records(&record::moves_of(&place.name, &place.tag)) {
            let (key, found) = found?;
            history.push(TagMove::new(record::move_in(&key)?, record::read(&key, &found)?));
        }
        // The last move may be missing: its writer died, or was a Larder before histories.
        if let Some(tag) = state.tag
            && let Err(at) = history.binary_search_by_key(&tag.moves, |line| line.number)
        {
            history.insert(at, TagMove::new(tag.moves, tag.last_move()));
        }
        if history.is_empty() {
            return Err(self.0.not_found(&place.reference()));
        }
        Ok(history)
    }
}
