//! Files and folders as components and as fields of components.

mod content;
mod layout;
mod walk;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use content::{FileBytes, FileContent};

use larder_core::Artifact;
use larder_core::Item;
use larder_core::store::TreePath;
use larder_core::{Component, ComponentType};
use larder_core::{Error, Result};

/// A file or a folder, by value: every file is an artifact of its own.
///
/// It is a component, and a plain serde field of any other. Equal files are stored once, in one version
/// and across all.
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
/// Kept are the names, the bytes, whether a file may be executed, and folders that are empty. Owners, other
/// rights and times are not.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Tree {
    kind: TreeKind,
    files: BTreeMap<TreePath, TreeFile>,
    /// The folders that hold nothing; the others follow from the files.
    empty: Vec<TreePath>,
}

/// Whether a [`Tree`] is one file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TreeKind {
    /// One file, with its own name.
    File,
    /// A folder, whose own name is not kept.
    Folder,
}

/// One file of a [`Tree`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TreeFile {
    /// Its bytes.
    pub content: Artifact<FileContent, FileBytes>,
    /// Whether it may be executed.
    pub executable: bool,
}

impl Tree {
    /// A file called `name`, which may not be executed, of bytes in memory.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if `name` is no name of a file.
    pub fn file(name: &str, bytes: impl Into<Bytes>) -> Result<Self> {
        let content = Artifact::from(FileContent::of(bytes));
        let files =
            BTreeMap::from([(TreePath::new(name)?, TreeFile { content, executable: false })]);
        let tree = Self { kind: TreeKind::File, files, empty: Vec::new() };
        tree.check().map(|()| tree)
    }

    /// Whether it is one file or a folder.
    pub fn kind(&self) -> TreeKind {
        self.kind
    }

    /// The files, in the order of their paths.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&TreePath, &TreeFile)> {
        self.files.iter()
    }

    /// The folders that hold nothing.
    pub fn empty_folders(&self) -> &[TreePath] {
        &self.empty
    }

    /// The file, if it is one.
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

/// A tree as it is stored, not checked yet.
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
    /// Refuses what no file system could hold; each path by itself is checked already.
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
                (Some(path), _) => refused(path, "one file has one name and nothing beside it"),
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
                let around = TreePath::new(&path.as_str()[..at])?;
                if self.files.contains_key(&around) || self.empty.binary_search(&around).is_ok() {
                    return refused(path, "what it lies in is a file or an empty folder");
                }
            }
        }
        Ok(())
    }
}
