//! Manifests: the immutable description of one version.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::name::{Identifier, TypeTag};
use crate::source::Source;
use crate::store::record::read_versioned;
use crate::store::{Link, for_each_link};

pub use crate::store::record::FORMAT;

/// The JSON of one version: the type tag, the fields, and the blobs they refer to.
///
/// The digest of these bytes is the version's identity. Keys are in the order of these fields. `docs/format.md` specifies it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    larder: u64,
    /// The tag of the component's type.
    #[serde(rename = "type")]
    type_tag: TypeTag,
    /// The version of the type that wrote the fields.
    #[serde(default = "first", skip_serializing_if = "is_first")]
    type_version: u32,
    /// The component's fields.
    fields: Box<RawValue>,
    /// The blobs of the fields, without duplicates, in order of first use.
    artifacts: Vec<ArtifactEntry>,
    /// The children of the fields, without duplicates, in order of first use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<ChildEntry>,
}

/// A child in a manifest, by its digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildEntry {
    /// Its name.
    pub name: Identifier,
    /// The digest of its manifest.
    pub manifest: Digest,
}

/// A blob in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactEntry {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// Its serializer.
    pub serializer: String,
    /// The entries before this one in the manifest, by index from 0, that the blob itself refers to: an
    /// artifact may hold artifacts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<usize>,
}

impl ArtifactEntry {
    /// Returns the key that identifies it in its manifest.
    pub fn key(&self) -> (Digest, String) {
        (self.digest, self.serializer.clone())
    }
}

fn first() -> u32 {
    1
}

fn is_first(version: &u32) -> bool {
    *version == 1
}

/// Returns true for a name that a serializer may have.
pub fn is_serializer_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The maximum nesting of artifacts.
pub const MOST_NESTING: usize = 32;

impl Manifest {
    /// Creates the manifest of a component of a type and version of it, with its fields as JSON.
    pub fn new(
        (type_tag, type_version): (TypeTag, u32),
        fields: Box<RawValue>,
        artifacts: Vec<ArtifactEntry>,
        children: Vec<ChildEntry>,
    ) -> Self {
        Self { larder: FORMAT, type_tag, type_version, fields, artifacts, children }
    }

    /// Parses a manifest; `what` names it in errors.
    ///
    /// # Errors
    /// [`Error::NewerFormat`] or [`Error::Corrupt`].
    pub fn from_json(json: &[u8], what: &str) -> Result<Self> {
        let manifest: Self =
            read_versioned(json, FORMAT, |manifest: &Self| manifest.larder, || what.to_owned())?;
        match manifest.fault_in_lists() {
            None => Ok(manifest),
            Some(fault) => Err(Error::corrupt(what, Corruption::Unreadable(fault.into()))),
        }
    }

    fn fault_in_lists(&self) -> Option<&'static str> {
        let mut children = HashSet::with_capacity(self.children.len());
        if !self.children.iter().all(|child| children.insert(child)) {
            return Some("it lists a child twice");
        }
        let (mut pairs, mut sizes) = (HashSet::new(), HashMap::new());
        let mut levels = Vec::with_capacity(self.artifacts.len());
        for entry in &self.artifacts {
            if !pairs.insert((entry.digest, &entry.serializer)) {
                return Some("it lists an artifact twice");
            }
            if *sizes.entry(entry.digest).or_insert(entry.size) != entry.size {
                return Some("it lists a blob with two sizes");
            }
            if !is_serializer_name(&entry.serializer) {
                return Some("it lists an artifact whose serializer has no valid name");
            }
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

    /// Returns the links in the fields that the manifest does not list, with their paths; `what` names it in errors.
    ///
    /// Reading a component refuses such a link. Callers that read only the lists would lose its blob.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the fields cannot be read.
    pub fn unlisted_links(&self, what: &str) -> Result<Vec<(String, Link)>> {
        if self.lists_its_links() {
            return Ok(Vec::new());
        }
        let mut links = Vec::new();
        for_each_link(self.fields(), &mut |path, link| links.push((path.to_owned(), link)))
            .map_err(|error| {
                let reason = format!("its fields: {error}");
                Error::corrupt(what, Corruption::Unreadable(reason))
            })?;
        if links.is_empty() {
            return Ok(links);
        }
        let artifacts = self.listed();
        let children: HashSet<_> = self.children.iter().map(|it| (&it.name, it.manifest)).collect();
        links.retain(|(_, link)| match link {
            Link::Artifact { digest, serializer } => {
                !artifacts.contains(&(*digest, serializer.as_str()))
            }
            Link::Child { name, manifest } => !children.contains(&(name, *manifest)),
        });
        Ok(links)
    }

    fn listed(&self) -> HashSet<(Digest, &str)> {
        self.artifacts.iter().map(|it| (it.digest, it.serializer.as_str())).collect()
    }

    /// Returns true if all links in the fields are listed, and written as Larder writes them. Needs no parser.
    fn lists_its_links(&self) -> bool {
        let fields = self.fields();
        if fields.contains("$component") || fields.contains("\\u") {
            return false;
        }
        let artifacts = self.listed();
        // A JSON text cannot match, because its quotes are escaped.
        let listed = |(at, key): (usize, &str)| {
            fields.get(..at)?.strip_suffix("{\"")?;
            let (digest, rest) =
                fields.get(at + key.len()..)?.strip_prefix("\":\"")?.split_once('"')?;
            let (serializer, rest) = rest.strip_prefix(",\"serializer\":\"")?.split_once('"')?;
            rest.strip_prefix('}')?;
            artifacts.contains(&(digest.parse().ok()?, serializer)).then_some(())
        };
        fields.match_indices("$artifact").all(|found| listed(found).is_some())
    }

    /// Returns the bytes that are stored.
    ///
    /// # Errors
    /// [`Error::Encode`].
    pub fn to_json(&self) -> Result<Bytes> {
        serde_json::to_vec(self)
            .map(Bytes::from)
            .map_err(|error| Error::Encode { what: "the manifest".into(), source: error.into() })
    }

    /// Returns the type tag.
    pub fn type_tag(&self) -> &TypeTag {
        &self.type_tag
    }

    /// Returns the version of the type that wrote the fields.
    pub fn type_version(&self) -> u32 {
        self.type_version
    }

    /// Returns the component's fields, as JSON.
    pub fn fields(&self) -> &str {
        self.fields.get()
    }

    /// Returns the source text, if it is a code model.
    pub fn source(&self) -> Option<Source> {
        #[derive(Deserialize)]
        struct Fields {
            source: Source,
        }
        serde_json::from_str(self.fields()).ok().map(|Fields { source }| source)
    }

    /// Returns the blobs of the fields.
    pub fn artifacts(&self) -> &[ArtifactEntry] {
        &self.artifacts
    }

    /// Returns the children of the fields.
    pub fn children(&self) -> &[ChildEntry] {
        &self.children
    }
}
