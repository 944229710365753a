//! Manifests: the immutable description of one version.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::error::{Error, Fault, Result};
use crate::name::TypeTag;
use crate::source::Source;

/// The format of manifests that this Larder writes, and the newest that it reads.
pub const FORMAT: u64 = 1;

/// The JSON of one version: the type's tag, the fields, and what bytes they refer to.
///
/// The digest of exactly these bytes is the version's identity. The keys are written in the order of
/// the fields here. `docs/format.md` specifies it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    larder: u64,
    /// The tag of the component's type.
    #[serde(rename = "type")]
    type_tag: TypeTag,
    /// The component's fields.
    fields: Box<RawValue>,
    /// The blobs that the fields refer to, each once, in the order of their first appearance.
    artifacts: Vec<ArtifactEntry>,
}

/// One blob that a manifest refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactEntry {
    /// The digest of the blob.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// The serializer that wrote it and that reads it.
    pub serializer: String,
    /// The entries before this one in the manifest, by index from 0, that the blob itself refers to: an
    /// artifact may hold artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<usize>,
}

impl ArtifactEntry {
    /// What tells entries of one manifest apart.
    pub(crate) fn key(&self) -> (Digest, String) {
        (self.digest, self.serializer.clone())
    }
}

/// How deep artifacts may lie in artifacts.
pub(crate) const MOST_NESTING: usize = 32;

impl Manifest {
    pub(crate) fn new(
        type_tag: TypeTag,
        fields: Box<RawValue>,
        artifacts: Vec<ArtifactEntry>,
    ) -> Self {
        Self { larder: FORMAT, type_tag, fields, artifacts }
    }

    /// Reads a manifest; `what` names it in errors.
    ///
    /// # Errors
    /// [`Error::NewerFormat`] or [`Error::Corrupt`].
    pub fn from_json(json: &[u8], what: &str) -> Result<Self> {
        check_format(json, "larder", FORMAT, what)?;
        let manifest: Self =
            serde_json::from_slice(json).map_err(|error| unreadable(what, &error))?;
        match manifest.fault_in_artifacts() {
            None => Ok(manifest),
            Some(fault) => Err(Error::corrupt(what, Fault::Unreadable(fault.into()))),
        }
    }

    fn fault_in_artifacts(&self) -> Option<&'static str> {
        let mut levels = Vec::with_capacity(self.artifacts.len());
        for entry in &self.artifacts {
            let mut level = 1;
            for &held in &entry.holds {
                match levels.get(held) {
                    Some(inner) => level = level.max(inner + 1),
                    None => return Some("an artifact holds one that is not listed before it"),
                }
            }
            if level > MOST_NESTING {
                return Some("artifacts lie in artifacts deeper than 32 levels");
            }
            levels.push(level);
        }
        None
    }

    pub(crate) fn to_json(&self) -> Result<Bytes> {
        serde_json::to_vec(self)
            .map(Bytes::from)
            .map_err(|error| Error::Encode { what: "the manifest".into(), source: error.into() })
    }

    /// The tag of the component's type.
    pub fn type_tag(&self) -> &TypeTag {
        &self.type_tag
    }

    /// The component's fields, as JSON text.
    pub fn fields(&self) -> &str {
        self.fields.get()
    }

    /// The source text that the component keeps, if it is a code model.
    pub fn source(&self) -> Option<Source> {
        #[derive(Deserialize)]
        struct Fields {
            source: Source,
        }
        serde_json::from_str(self.fields()).ok().map(|Fields { source }| source)
    }

    /// The blobs that the fields refer to.
    pub fn artifacts(&self) -> &[ArtifactEntry] {
        &self.artifacts
    }
}

/// Refuses a JSON document whose format, under `key`, is newer than `known`.
///
/// Only the format is looked at, so that a newer document is called newer and not corrupt.
pub(crate) fn check_format(json: &[u8], key: &str, known: u64, what: &str) -> Result<()> {
    let entries: std::collections::BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_slice(json).map_err(|error| unreadable(what, &error))?;
    let found = entries.get(key).and_then(|value| value.get().parse().ok());
    match found {
        Some(found) if found > known => {
            Err(Error::NewerFormat { what: what.to_owned(), found, known })
        }
        Some(1..) => Ok(()),
        _ => Err(Error::corrupt(
            what,
            Fault::Unreadable(format!("it states no format under `{key}`")),
        )),
    }
}

pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> Error {
    Error::corrupt(what, Fault::Unreadable(error.to_string()))
}
