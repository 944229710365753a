//! Files and folders as values.

mod content;
mod layout;
mod walk;

use std::collections::BTreeMap;

use bytes::Bytes;
use larder_core::store::TreePath;
use larder_core::{Artifact, Component, ComponentType, Error, Item, Result};
use serde::{Deserialize, Serialize};

pub use content::{FileBytes, FileContent};

use crate::wrong_content::WrongContent;

/// Maximum size of a pointer, in bytes; Git LFS reads no larger ones.
const MAX_POINTER: u64 = 1024;

/// A file or a folder as a value; each file is an artifact.
///
/// A component, and a serde field of any other component. Equal files are stored once, within and across versions.
///
/// ```
/// use larder_core::Registry;
/// use larder_files::Tree;
///
/// # let here = tempfile::tempdir()?;
/// # let (folder, copy) = (here.path().join("saved_model"), here.path().join("copy"));
/// std::fs::create_dir(&folder)?;
/// std::fs::write(folder.join("weights.bin"), [1, 2, 3])?;
///
/// let larder = Registry::linked()?.open("memory:")?;
/// larder.apply("wine/net", &Tree::read(&folder)?)?;
/// larder.load::<Tree>("wine/net")?.write(&copy)?;
/// assert_eq!(std::fs::read(copy.join("weights.bin"))?, [1, 2, 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Stores names, bytes, the executable bit and empty folders; not owners, other permissions or times.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Tree {
    kind: TreeKind,
    files: BTreeMap<TreePath, TreeFile>,
    /// Empty folders; the others follow from the paths of the files.
    empty: Vec<TreePath>,
}

/// The kind of a [`Tree`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TreeKind {
    /// One file, with its name.
    File,
    /// A folder, without its name.
    Folder,
}

/// A file of a [`Tree`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TreeFile {
    /// The bytes.
    pub content: Artifact<FileContent, FileBytes>,
    /// The executable bit.
    pub executable: bool,
}

impl Tree {
    /// Creates a non-executable file `name` from bytes in memory.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if `name` is not a file name.
    pub fn file(name: &str, bytes: impl Into<Bytes>) -> Result<Self> {
        let content = Artifact::from(FileContent::of(bytes));
        let files =
            BTreeMap::from([(TreePath::new(name)?, TreeFile { content, executable: false })]);
        let tree = Self { kind: TreeKind::File, files, empty: Vec::new() };
        tree.check().map(|()| tree)
    }

    /// Creates a folder from its files.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if a file is the parent of another.
    pub fn folder(files: BTreeMap<TreePath, TreeFile>) -> Result<Self> {
        let tree = Self { kind: TreeKind::Folder, files, empty: Vec::new() };
        tree.check().map(|()| tree)
    }

    /// Returns the kind.
    pub fn kind(&self) -> TreeKind {
        self.kind
    }

    /// Returns the files, ordered by path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&TreePath, &TreeFile)> {
        self.files.iter()
    }

    /// Returns the empty folders.
    pub fn empty_folders(&self) -> &[TreePath] {
        &self.empty
    }

    /// Refuses a pointer file of Git LFS or git-annex.
    ///
    /// # Errors
    /// [`Error::Refused`] with the first such file; as [`FileContent::bytes`].
    pub fn check_pointers(&self, action: impl FnOnce() -> String) -> Result<()> {
        for (path, file) in &self.files {
            let content = file.content.get()?;
            if content.len() > MAX_POINTER {
                continue;
            }
            if let Some(wrong) =
                WrongContent::of(&content.bytes()?).filter(WrongContent::is_pointer)
            {
                return Err(Error::Refused {
                    action: action(),
                    reason: format!("its file {path} cannot be right: {wrong}"),
                });
            }
        }
        Ok(())
    }

    /// Returns the file, if the tree is one file.
    pub fn single_file(&self) -> Option<(&TreePath, &TreeFile)> {
        self.files.iter().next().filter(|_| self.kind == TreeKind::File)
    }
}

#[typetag::serde(name = "larder/files")]
impl Component for Tree {}

impl ComponentType for Tree {
    const TAG: &'static str = "larder/files";
}

larder_core::link!(Item::component::<Tree>());
larder_core::link!(Item::serializer::<FileContent, FileBytes>());

/// A stored tree before validation.
#[derive(Deserialize)]
struct Fields {
    kind: TreeKind,
    files: BTreeMap<TreePath, TreeFile>,
    empty: Vec<TreePath>,
}

impl TryFrom<Fields> for Tree {
    type Error = Error;

    fn try_from(Fields { kind, files, empty }: Fields) -> Result<Self> {
        let tree = Self { kind, files, empty };
        tree.check().map(|()| tree)
    }
}

impl Tree {
    /// Rejects listings that no file system can hold; each path is valid by itself.
    fn check(&self) -> Result<()> {
        let refused = |path: &TreePath, reason| {
            Err(Error::invalid("path in a folder", path.as_str(), reason))
        };
        if self.kind == TreeKind::File {
            let mut paths = self.files.keys().chain(&self.empty);
            return match (paths.next(), paths.next()) {
                (Some(only), None) if self.empty.is_empty() && !only.as_str().contains('/') => {
                    Ok(())
                }
                (Some(path), _) => refused(path, "a single file has one name and nothing else"),
                (None, _) => Err(Error::invalid("file", "", "it has no name")),
            };
        }
        for (at, path) in self.empty.iter().enumerate() {
            if self.files.contains_key(path) || at > 0 && self.empty[at - 1] >= *path {
                return refused(
                    path,
                    "the folder is a file too, or is listed twice or out of order",
                );
            }
        }
        for path in self.files.keys().chain(&self.empty) {
            for (at, _) in path.as_str().match_indices('/') {
                let parent = TreePath::new(&path.as_str()[..at])?;
                if self.files.contains_key(&parent) || self.empty.binary_search(&parent).is_ok() {
                    return refused(path, "its parent is a file or an empty folder");
                }
            }
        }
        Ok(())
    }
}
