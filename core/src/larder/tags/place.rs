//! Reading and changing one tag.

use larder_records::{Reference, Selector};

use crate::error::{Error, Remedy, Result};
use crate::larder::Larder;
use crate::name::{Identifier, TagName, VersionNumber};
use crate::participant::Contribution;
use crate::record::{self, MoveRecord, NameRecord, TagRecord};
use crate::store::{Committed, RecordKey, StoreExt};
use crate::store::{Outcome, Transaction};

use super::{Condition, Stamp, TagOptions};

/// A tag of a name, existing or not, and the keys of its records.
pub(super) struct TagSlot {
    pub(super) name: Identifier,
    pub(super) tag: TagName,
    pub(super) head_key: RecordKey,
    pub(super) tag_key: RecordKey,
}

/// The records of a tag in a transaction.
pub(super) struct TagState {
    pub(super) head: NameRecord,
    pub(super) tag: Option<TagRecord>,
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

    pub(super) fn read(&self, tx: &mut Transaction<'_>) -> Result<TagState> {
        tx.get_each([&self.head_key, &self.tag_key])?;
        let head = tx.read(&self.head_key)?.unwrap_or_default();
        Ok(TagState { head, tag: tx.read(&self.tag_key)? })
    }

    /// Refuses a tag that does not name the expected version.
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
            reason: format!("it names {}, not {}; check its history", said(now), said(expected)),
        })
    }

    pub(super) fn check_protection(&self, state: &TagState, options: &TagOptions) -> Result<()> {
        match &state.tag {
            Some(tag) if tag.protected && !options.force => Err(Error::Blocked {
                action: format!("change {self}"),
                reason: "the tag is protected; force the change to override".into(),
                remedy: Remedy::Force,
            }),
            _ => Ok(()),
        }
    }

    /// Commits a move of the tag `to` a version, protected or not, or its removal; returns `value`.
    pub(super) fn commit_move<T>(
        &self,
        larder: &Larder,
        tx: &mut Transaction<'_>,
        state: TagState,
        to: Option<(VersionNumber, bool)>,
        stamp: Option<Stamp>,
        value: T,
    ) -> Result<Outcome<T>> {
        let (moved, by) = match stamp {
            Some(stamp) => stamp,
            None => (larder.now(), larder.author()?),
        };
        let number = match &state.tag {
            Some(tag) => {
                let key = record::move_key(&self.name, &self.tag, tag.moves)?;
                if tx.get(&key)?.is_none() {
                    tx.put(key, &tag.last_move())?;
                }
                tag.moves + 1
            }
            None => {
                let prefix = record::moves_of(&self.name, &self.tag);
                match larder.store.known_records(&prefix).last() {
                    Some(last) => record::move_in(&last?.0)? + 1,
                    None => 1,
                }
            }
        };
        let mut added = Contribution::default();
        if let (Some(tag), Some(_)) = (&state.tag, to) {
            added = larder.contributions_to_move(&self.name, &self.tag, tag.version)?;
            tx.extend(added.changes.drain(..));
        }
        let mut head = state.head;
        head.moves += 1;
        tx.put(self.head_key.clone(), &head)?;
        let key = self.tag_key.clone();
        match to {
            Some((version, protected)) => {
                tx.put(key, &TagRecord::new(version, moved, number, by.clone(), protected))?;
            }
            None => tx.remove(key)?,
        }
        // The move is done without the history record that follows.
        let needed = tx.len();
        let key = record::move_key(&self.name, &self.tag, number)?;
        tx.put_new(key, &MoveRecord::new(to.map(|(version, _)| version), moved, by))?;
        match tx.commit_once()? {
            Committed::All => {}
            Committed::Conflict { made, .. } if made >= needed => {}
            Committed::Conflict { .. } => return Ok(Outcome::Retry),
        }
        added.committed();
        Ok(Outcome::Done(value))
    }
}

impl std::fmt::Display for TagSlot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.name, self.tag)
    }
}
