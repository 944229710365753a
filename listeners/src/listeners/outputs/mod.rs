//! The outputs of a listener: fragments of rows, the newest of a row counts.

mod columns;
mod merge;
mod rows;
mod view;

use std::collections::BTreeMap;

use larder_core::__private::typetag;
use larder_core::store::Digest;
use larder_core::{Artifact, Component, ComponentType, Identifier, Item, Reference, Result};
use serde::{Deserialize, Serialize};

use super::listener::Listener;
use larder_collections::FieldType;
use larder_collections::{ArrowFile, ArrowIpc};

pub(super) use merge::{FragmentAhead, append, written};
pub use rows::OutputStatus;
pub(crate) use rows::{Fingerprint, NewRows, RowState};
pub(crate) use view::{Found, View};

/// The outputs of a listener, `larder/outputs`.
///
/// A row of a later fragment replaces the same row of an earlier one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// The collection.
    pub(crate) collection: Identifier,
    /// What the listener reads; other outputs than these are of other inputs.
    pub(crate) definition: String,
    /// The version of the collection up to which changes were handled.
    pub(crate) seen: u64,
    /// The versions of outputs of other listeners up to which changes were handled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) seen_outputs: BTreeMap<String, u64>,
    /// The model whose outputs are up to date; none for vectors of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<ModelVersion>,
    /// The type of the outputs; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<FieldType>,
    /// The id of the first row that the back-fill has not reached; none if it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fill_from: Option<u64>,
    /// The number of rows with an output of the model.
    pub(crate) ok: u64,
    /// The number of rows that failed.
    pub(crate) failed: u64,
    /// The number of rows without an input.
    pub(crate) empty: u64,
    /// The fragments, oldest first.
    pub(crate) fragments: Vec<OutputFragment>,
}

/// A model, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelVersion {
    /// Its name.
    pub name: Identifier,
    /// The number that the version had.
    pub version: u64,
    /// The digest of its manifest.
    pub digest: Digest,
}

impl ModelVersion {
    /// Returns the reference of exactly this version.
    ///
    /// # Errors
    /// None for a version that is stored.
    pub fn reference(&self) -> Result<Reference> {
        exact(&self.name, &self.digest)
    }
}

/// Returns the reference of a version by its content.
fn exact(name: &Identifier, digest: &Digest) -> Result<Reference> {
    format!("{name}@b3:{}", digest.to_hex()).parse()
}

impl std::fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.version)
    }
}

/// Outputs of rows, ascending by id.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutputFragment {
    /// An Arrow IPC file with the columns `row`, `status`, `input`, `error` and `value`, of which some may follow from the others.
    pub(crate) data: Artifact<ArrowFile, ArrowIpc>,
    pub(crate) rows: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) bytes: u64,
    /// The digest of the model's manifest; none for vectors of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<Digest>,
    /// The version of the collection that has the inputs, if there is no column `input`; 0 if it is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seen: Option<u64>,
}

impl OutputFragment {
    /// Returns true if both are stored, and the same outputs of the same rows. Equal files do not tell: row ids that follow
    /// each other are not written.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let rows = |it: &Self| (it.rows, it.first, it.last);
        let digest = self.data.digest();
        digest.is_some() && digest == other.data.digest() && rows(self) == rows(other)
    }
}

impl Outputs {
    /// Creates outputs without rows, of a collection whose changes up to a version are part of the back-fill.
    pub(crate) fn new(listener: &Listener, seen: u64) -> Self {
        Self {
            collection: listener.collection.clone(),
            definition: listener.definition(),
            seen,
            seen_outputs: BTreeMap::new(),
            model: None,
            column: None,
            fill_from: Some(0),
            ok: 0,
            failed: 0,
            empty: 0,
            fragments: Vec::new(),
        }
    }

    pub(crate) fn digest(&self) -> Option<Digest> {
        self.model.as_ref().map(|model| model.digest)
    }

    /// Makes them those of a model, whose outputs are of the type `column`, if it is known before the first one. What is there
    /// of another model is stale until it is computed again. Returns false if they are of this model.
    pub(super) fn follow(
        &mut self,
        model: Option<ModelVersion>,
        column: Option<FieldType>,
    ) -> bool {
        let is_same = self.digest() == model.as_ref().map(|it| it.digest);
        self.model = model;
        if !is_same {
            (self.ok, self.failed, self.empty) = (0, 0, 0);
            self.fill_from = Some(0);
            self.column = column;
        }
        !is_same
    }

    /// Counts a row that changed from one state to another.
    pub(super) fn count(&mut self, old: Option<OutputStatus>, new: Option<OutputStatus>) {
        let mut add = |status, by: i64| {
            let count = match status {
                OutputStatus::Ok => &mut self.ok,
                OutputStatus::Failed => &mut self.failed,
                OutputStatus::Empty => &mut self.empty,
                _ => return,
            };
            *count = count.saturating_add_signed(by);
        };
        if let Some(old) = old {
            add(old, -1);
        }
        if let Some(new) = new {
            add(new, 1);
        }
    }
}

#[typetag::serde(name = "larder/outputs")]
impl Component for Outputs {}

impl ComponentType for Outputs {
    const TAG: &'static str = "larder/outputs";
}

larder_core::link!(Item::component::<Outputs>());
