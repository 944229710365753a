//! The records of drafts and of names.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use larder_core::record::FORMAT;
use larder_core::store::record::unique;
use larder_core::store::{Digest, RecordKey, Timestamp, VersionNumber};
use larder_core::{Error, Identifier, Result};
use serde::{Deserialize, Deserializer, Serialize};

/// The prefix of the records of drafts.
pub(super) const DRAFTS: &str = "drafts/@";
/// The prefix of the records about names.
pub const ABOUT: &str = "about/";
/// The most entries of a map or list of a record.
const MOST_ENTRIES: usize = 1_000;
/// The most bytes of a key or a name.
const MOST_KEY: usize = 250;
/// The most bytes of a value.
const MOST_VALUE: usize = 8_000;
/// The most bytes of a description.
const MOST_DESCRIPTION: usize = 4_096;

/// The id of a draft: `[a-z0-9][a-z0-9-]*`, at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DraftId(String);

impl DraftId {
    /// Checks an id.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn new(text: &str) -> Result<Self> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let is_id =
            (1..=64).contains(&text.len()) && !text.starts_with('-') && text.bytes().all(allowed);
        match is_id {
            true => Ok(Self(text.to_owned())),
            false => Err(Error::invalid("id of a draft", text, "it has 1 to 64 of a-z 0-9 -")),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn key(&self) -> Result<RecordKey> {
        RecordKey::new(&format!("{DRAFTS}{self}"))
    }
}

impl fmt::Display for DraftId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DraftId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for DraftId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The kind of a [`Draft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DraftKind {
    /// A run of a training program.
    Run,
    /// The files of a model.
    Model,
}

/// The state of a [`Draft`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DraftStatus {
    /// It is being written.
    Open,
    /// It is complete.
    Done,
    /// Its program failed.
    Failed,
    /// Its program was stopped.
    Killed,
}

/// A number that a program logged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftMetric {
    /// The newest value; finite.
    pub value: f64,
    /// The step of the program.
    pub step: i64,
    /// The time that the program states.
    pub at: Timestamp,
}

/// A version that was made of a [`Draft`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftVersion {
    /// Its name.
    pub name: Identifier,
    /// Its number.
    pub version: VersionNumber,
}

/// A run, or the files of a model, before there is a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    pub(super) larder: u64,
    /// The kind.
    pub kind: DraftKind,
    /// The state.
    pub status: DraftStatus,
    /// A name for people.
    pub name: String,
    /// The principal that wrote it; `None` without access control.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
    /// When its program ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// A name that runs for the same purpose have in common.
    pub experiment: String,
    /// The run that wrote the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<DraftId>,
    /// The models that the run wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<DraftId>,
    /// Parameters of the program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub parameters: BTreeMap<String, String>,
    /// Metrics.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub metrics: BTreeMap<String, DraftMetric>,
    /// Texts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub labels: BTreeMap<String, String>,
    /// The manifest of its files, a [`Tree`](crate::Tree).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// The versions that were made of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<DraftVersion>,
}

impl Draft {
    /// Creates an open draft.
    pub fn new(kind: DraftKind, name: &str, experiment: &str, at: Timestamp) -> Self {
        Self {
            larder: FORMAT,
            kind,
            status: DraftStatus::Open,
            name: name.to_owned(),
            by: None,
            created: at,
            changed: at,
            ended: None,
            experiment: experiment.to_owned(),
            run: None,
            models: Vec::new(),
            parameters: BTreeMap::new(),
            metrics: BTreeMap::new(),
            labels: BTreeMap::new(),
            files: None,
            versions: Vec::new(),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        let texts = || self.parameters.iter().chain(&self.labels);
        let counts = [
            self.parameters.len(),
            self.labels.len(),
            self.metrics.len(),
            self.models.len(),
            self.versions.len(),
        ];
        if counts.into_iter().any(|count| count > MOST_ENTRIES) {
            return Some("it has more than 1,000 entries of a kind");
        }
        let mut keys = texts().map(|(key, _)| key).chain(self.metrics.keys());
        let names = [&self.name, &self.experiment];
        if keys.any(|key| key.is_empty() || key.len() > MOST_KEY)
            || names.into_iter().any(|name| name.len() > MOST_KEY)
        {
            return Some("it has a name that is empty, or longer than 250 bytes");
        }
        if texts().any(|(_, value)| value.len() > MOST_VALUE) {
            return Some("it has a text that is longer than 8,000 bytes");
        }
        None
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub(super) fn check(&self) -> Result<()> {
        match self.fault() {
            Some(fault) => Err(Error::invalid("draft", &self.name, fault)),
            None => Ok(()),
        }
    }
}

/// Labels and description of a name, whether or not it has versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub(super) larder: u64,
    /// When it was created.
    pub created: Timestamp,
    /// When it was last changed.
    pub changed: Timestamp,
    /// A description for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Texts by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "unique")]
    pub labels: BTreeMap<String, String>,
}

impl About {
    /// Creates the record of a name of which nothing is known.
    pub fn new(at: Timestamp) -> Self {
        let (description, labels) = (None, BTreeMap::new());
        Self { larder: FORMAT, created: at, changed: at, description, labels }
    }

    fn fault(&self) -> Option<&'static str> {
        if self.labels.len() > MOST_ENTRIES {
            return Some("it has more than 1,000 labels");
        }
        if self.labels.keys().any(|key| key.is_empty() || key.len() > MOST_KEY) {
            return Some("it has a label whose name is empty, or longer than 250 bytes");
        }
        if self.labels.values().any(|value| value.len() > MOST_VALUE) {
            return Some("it has a label that is longer than 8,000 bytes");
        }
        let description = self.description.as_deref().unwrap_or_default();
        (description.len() > MOST_DESCRIPTION)
            .then_some("its description is longer than 4,096 bytes")
    }

    /// Checks the limits.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub(super) fn check(&self, name: &Identifier) -> Result<()> {
        match self.fault() {
            Some(fault) => Err(Error::invalid("description of a name", name.as_str(), fault)),
            None => Ok(()),
        }
    }
}

larder_core::store::documents!(Draft: draft_fault, About: about_fault);

fn draft_fault(draft: &Draft, _: &RecordKey) -> Option<&'static str> {
    draft.fault()
}

fn about_fault(about: &About, _: &RecordKey) -> Option<&'static str> {
    about.fault()
}

/// The key of the record about a name.
pub(super) fn about_key(name: &Identifier) -> Result<RecordKey> {
    RecordKey::new(&format!("{ABOUT}{name}"))
}
