//! One tag of a name, as it is read and changed.

use crate::error::{Error, Result};
use crate::larder::Larder;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::record::{self, MoveRecord, NameRecord, TagRecord};
use crate::reference::{Reference, Selector};
use crate::store::{Change, Committed, Expected, Record, RecordKey, StoreExt};

use super::{Condition, Stamp, TagOptions};

/// Whether the first `needed` changes were made: only a line of history may be missing after them.
pub(super) fn is_made(committed: Committed, needed: usize) -> bool {
    match committed {
        Committed::All => true,
        Committed::Conflict { made, .. } => made >= needed,
    }
}

/// A tag of a name, there or not, and the keys of what is known of it.
pub(super) struct TagSlot {
    pub(super) name: Identifier,
    pub(super) tag: TagName,
    pub(super) head_key: RecordKey,
    pub(super) tag_key: RecordKey,
}

/// What was read of a tag, and what it was read from.
pub(super) struct TagState {
    pub(super) head: NameRecord,
    pub(super) found_head: Option<Record>,
    pub(super) tag: Option<TagRecord>,
    pub(super) found_tag: Option<Record>,
}

impl TagState {
    pub(super) fn expect_tag(&self) -> Expected {
        record::expect(self.found_tag.as_ref())
    }
}

impl TagSlot {
    pub(super) fn new(name: &Identifier, tag: &TagName) -> Result<Self> {
        Ok(Self {
            name: name.clone(),
            tag: tag.clone(),
            head_key: record::name_key(name)?,
            tag_key: record::tag_key(name, tag)?,
        })
    }

    pub(super) fn reference(&self) -> Reference {
        Reference::new(self.name.clone(), Selector::Tag(self.tag.clone()))
    }

    pub(super) fn read(&self, larder: &Larder) -> Result<TagState> {
        let keys = [self.head_key.clone(), self.tag_key.clone()];
        let mut found = larder.store.get_records(&keys)?.into_iter();
        let (found_head, found_tag) = (found.next().flatten(), found.next().flatten());
        let head = found_head.as_ref().map(|found| record::read(&self.head_key, found));
        let tag = found_tag.as_ref().map(|found| record::read(&self.tag_key, found));
        Ok(TagState {
            head: head.transpose()?.unwrap_or_else(NameRecord::new),
            tag: tag.transpose()?,
            found_head,
            found_tag,
        })
    }

    /// Refuses a tag that is not where it is expected.
    pub(super) fn check_from(
        &self,
        larder: &Larder,
        state: &TagState,
        options: &TagOptions,
    ) -> Result<()> {
        let now = state.tag.as_ref().map(|tag| tag.version);
        let expected = match &options.from {
            None => return Ok(()),
            Some(Condition::New) => None,
            Some(Condition::At(from)) if *from.identifier() != self.name => {
                let reason = format!("a tag of {} moves from a version of it", self.name);
                return Err(Error::invalid("reference", &from.to_string(), reason));
            }
            Some(Condition::At(from)) => Some(larder.find(from)?.version),
        };
        if now == expected {
            return Ok(());
        }
        let said = |version: Option<VersionNumber>| match version {
            Some(version) => version.to_string(),
            None => "nothing".to_owned(),
        };
        Err(Error::Refused {
            action: format!("move {self}"),
            reason: format!(
                "it names {}, not {}; check its history",
                said(now),
                said(expected)
            ),
        })
    }

    pub(super) fn check_protection(&self, state: &TagState, options: &TagOptions) -> Result<()> {
        match &state.tag {
            Some(tag) if tag.protected && !options.force => Err(Error::Refused {
                action: format!("change {self}"),
                reason: "the tag is protected; force the change to override".into(),
            }),
            _ => Ok(()),
        }
    }

    /// The changes that move the tag `to` a version, protected or not, or remove it: after those that are in `changes`, and how
    /// many of them it takes for the tag to be moved.
    pub(super) fn moved(
        &self,
        larder: &Larder,
        state: TagState,
        to: Option<(VersionNumber, bool)>,
        stamp: Option<Stamp>,
        mut changes: Vec<Change>,
    ) -> Result<(Vec<Change>, usize)> {
        let (moved, by) = match stamp {
            Some(stamp) => stamp,
            None => (larder.now(), larder.author()?),
        };
        let expected = state.expect_tag();
        let number = match &state.tag {
            Some(tag) => {
                let key = record::move_key(&self.name, &self.tag, tag.moves)?;
                if larder.store.get_record(&key)?.is_none() {
                    changes.push(record::put(key, &tag.last_move(), Expected::Absent)?);
                }
                tag.moves + 1
            }
            None => {
                let prefix = record::moves_of(&self.name, &self.tag);
                match larder.store.records(&prefix).last() {
                    Some(last) => record::move_in(&last?.0)? + 1,
                    None => 1,
                }
            }
        };
        let mut head = state.head;
        head.moves += 1;
        let expected_head = record::expect(state.found_head.as_ref());
        changes.push(record::put(self.head_key.clone(), &head, expected_head)?);
        let key = self.tag_key.clone();
        changes.push(match to {
            Some((version, protected)) => {
                let tag = TagRecord::new(version, moved, number, by.clone(), protected);
                record::put(key, &tag, expected)?
            }
            None => Change::RemoveRecord { key, expected },
        });
        let needed = changes.len();
        let key = record::move_key(&self.name, &self.tag, number)?;
        changes.push(record::put(
            key,
            &MoveRecord::new(to.map(|(version, _)| version), moved, by),
            Expected::Absent,
        )?);
        Ok((changes, needed))
    }
}

impl std::fmt::Display for TagSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}
