//! What a writer needs, and what it may not change: for servers, whose clients may lie.

use super::Action;
use super::{Record, RecordKey, RecordKind};
use crate::error::Result;
use crate::name::Identifier;

/// An action that a writer needs, on a name or, without one, on the larder.
pub type Need = (Action, Option<Identifier>);

/// Lists what a writer of a record needs, instead of the action of its kind on its owner.
pub type WriterNeeds = fn(&RecordKey, &Record) -> Result<Vec<Need>>;

/// Returns what is wrong with replacing a record by another one, or with removing it (`None`).
pub type ReplaceRule = fn(&RecordKey, &Record, Option<&Record>) -> Option<String>;

impl RecordKind {
    /// Sets what a writer needs, where that is more than an action on the owner. Removing a record needs no `Read`.
    #[must_use]
    pub const fn needs(mut self, needs: WriterNeeds) -> Self {
        self.needs = Some(needs);
        self
    }

    /// Sets what may not change in a record that exists.
    #[must_use]
    pub const fn replaces(mut self, rule: ReplaceRule) -> Self {
        self.replaces = rule;
        self
    }

    /// Sets the action that removes its records, if it is another than the one that writes them.
    #[must_use]
    pub const fn removed_by(mut self, action: Action) -> Self {
        self.access.remove = action;
        self
    }

    /// Lists what a writer of a record needs, if that is more than an action on the owner.
    ///
    /// # Errors
    /// As [`check`](RecordKind::check).
    pub fn needs_of(&self, key: &RecordKey, record: &Record) -> Option<Result<Vec<Need>>> {
        self.needs.map(|needs| needs(key, record))
    }

    /// Returns what is wrong with replacing `old` by `new`, or with removing it.
    pub fn replace_fault(
        &self,
        key: &RecordKey,
        old: &Record,
        new: Option<&Record>,
    ) -> Option<String> {
        (self.replaces)(key, old, new)
    }
}
