//! The files of a stored [`Tree`], without their content.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use larder_core::extend::StoredArtifact;
use larder_core::manifest::{ArtifactEntry, Manifest};
use larder_core::store::{Corruption, Digest, TreePath, TypeTag};
use larder_core::{Artifact, ComponentType, Error, Larder, Result, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::tree::{FileBytes, Tree, TreeFile, TreeKind};

/// A file of a [`TreeListing`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedFile {
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its bytes.
    pub size: u64,
    /// The executable bit.
    pub executable: bool,
}

impl ListedFile {
    /// Returns it as a file of a tree, whose bytes are in `larder`; `what` names it in errors.
    pub fn to_file(&self, larder: &Larder, what: &str) -> TreeFile {
        let content = Artifact::from_stored(StoredArtifact::new(larder, entry(self), what));
        TreeFile { content, executable: self.executable }
    }
}

/// The files of a folder, by path: what the manifest of a [`Tree`] says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeListing {
    /// The files.
    pub files: BTreeMap<TreePath, ListedFile>,
}

/// The fields of a tree in a manifest.
#[derive(Serialize, Deserialize)]
struct Fields {
    kind: TreeKind,
    files: BTreeMap<TreePath, FileFields>,
    empty: Vec<TreePath>,
}

#[derive(Serialize, Deserialize)]
struct FileFields {
    content: Link,
    executable: bool,
}

#[derive(Serialize, Deserialize)]
struct Link {
    #[serde(rename = "$artifact")]
    digest: Digest,
    serializer: String,
}

impl TreeListing {
    /// Reads the manifest of a tree, or returns `None` for one of another type; `what` names it in errors.
    ///
    /// # Errors
    /// [`Error::Corrupt`].
    pub fn of(manifest: &Manifest, what: &str) -> Result<Option<Self>> {
        if manifest.type_tag().as_str() != Tree::TAG {
            return Ok(None);
        }
        let corrupt = |reason: String| Error::corrupt(what, Corruption::Unreadable(reason));
        let fields: Fields = serde_json::from_str(manifest.fields())
            .map_err(|error| corrupt(format!("its fields: {error}")))?;
        let sizes: HashMap<Digest, u64> =
            manifest.artifacts().iter().map(|entry| (entry.digest, entry.size)).collect();
        let mut files = BTreeMap::new();
        for (path, FileFields { content, executable }) in fields.files {
            let size = sizes.get(&content.digest).copied();
            let size = size.ok_or_else(|| corrupt(format!("its file {path} is not listed")))?;
            files.insert(path, ListedFile { digest: content.digest, size, executable });
        }
        Ok(Some(Self { files }))
    }

    /// Returns the manifest that a [`Tree`] of these files has.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if a file is the parent of another.
    pub fn to_manifest(&self) -> Result<Manifest> {
        self.check()?;
        let (mut artifacts, mut seen) = (Vec::new(), BTreeSet::new());
        let mut files = BTreeMap::new();
        for (path, file) in &self.files {
            if seen.insert(file.digest) {
                artifacts.push(entry(file));
            }
            let content = Link { digest: file.digest, serializer: FileBytes::NAME.to_owned() };
            files.insert(path.clone(), FileFields { content, executable: file.executable });
        }
        let fields = Fields { kind: TreeKind::Folder, files, empty: Vec::new() };
        let fields = serde_json::value::to_raw_value(&fields).map_err(|error| Error::Encode {
            what: "the listing of a folder".into(),
            source: error.into(),
        })?;
        let fields: Box<RawValue> = fields;
        Ok(Manifest::new((TypeTag::new(Tree::TAG)?, 1), fields, artifacts, Vec::new()))
    }

    /// Returns a folder of these files, whose bytes are in `larder`; `what` names it in errors.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if a file is the parent of another.
    pub fn to_tree(&self, larder: &Larder, what: &str) -> Result<Tree> {
        let files = self.files.iter();
        Tree::folder(files.map(|(path, file)| (path.clone(), file.to_file(larder, what))).collect())
    }

    fn check(&self) -> Result<()> {
        for path in self.files.keys() {
            for (at, _) in path.as_str().match_indices('/') {
                if self.files.contains_key(&TreePath::new(&path.as_str()[..at])?) {
                    let reason = "its parent is a file";
                    return Err(Error::invalid("path in a folder", path.as_str(), reason));
                }
            }
        }
        Ok(())
    }
}

fn entry(file: &ListedFile) -> ArtifactEntry {
    ArtifactEntry {
        digest: file.digest,
        size: file.size,
        serializer: FileBytes::NAME.to_owned(),
        holds: Vec::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use larder_core::Registry;
    use larder_core::store::StoreExt;

    use super::*;

    #[test]
    fn a_listing_and_a_tree_have_the_same_manifest() {
        let larder = Registry::linked().unwrap().open("memory:").unwrap();
        let mut listing = TreeListing::default();
        for (path, content) in [("a/b", "1"), ("a/c", "1"), ("d", "2"), ("empty", "")] {
            let digest = Digest::of(content.as_bytes());
            larder.store().put_blob(&digest, content.into()).unwrap();
            let file = ListedFile { digest, size: content.len() as u64, executable: path == "d" };
            listing.files.insert(TreePath::new(path).unwrap(), file);
        }
        let tree = listing.to_tree(&larder, "a test").unwrap();
        let applied = larder.apply("files", &tree).unwrap();
        let manifest = listing.to_manifest().unwrap().to_json().unwrap();
        assert_eq!(applied.version().digest, Digest::of(&manifest));
        let shown = larder.show("files").unwrap();
        assert_eq!(TreeListing::of(&shown.manifest, "it").unwrap().unwrap(), listing);

        let file = *listing.files.values().next().unwrap();
        listing.files.insert(TreePath::new("d/e").unwrap(), file);
        assert!(matches!(listing.to_manifest(), Err(Error::InvalidName { .. })));
        assert!(matches!(listing.to_tree(&larder, "a test"), Err(Error::InvalidName { .. })));
    }
}
