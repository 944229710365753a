//! Reading a [`Tree`] from disk.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use larder_core::store::TreePath;
use larder_core::{Artifact, Error, Result};

use super::{FileContent, Tree, TreeFile, TreeKind};

impl Tree {
    /// Lists the file or folder at `path`.
    ///
    /// The content is read on apply, which fails if a file has changed meanwhile.
    ///
    /// # Errors
    /// [`Error::Refused`] for a link, a device, a pipe or a socket; [`Error::InvalidName`] for a name that is not UTF-8
    /// or not portable; [`Error::Store`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let meta = fs::symlink_metadata(path).map_err(|error| failed("look at", path, error))?;
        let mut walk = Walk::default();
        let kind = if meta.is_dir() {
            walk.folder(path)?;
            TreeKind::Folder
        } else {
            let name =
                path.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_utf8(path))?;
            walk.file(path.to_owned(), TreePath::new(name)?, &meta)?;
            TreeKind::File
        };
        let Walk { files, mut empty } = walk;
        empty.sort_unstable();
        Ok(Self { kind, files, empty })
    }
}

#[derive(Default)]
struct Walk {
    files: BTreeMap<TreePath, TreeFile>,
    empty: Vec<TreePath>,
}

impl Walk {
    fn folder(&mut self, root: &Path) -> Result<()> {
        let mut folders = vec![(root.to_owned(), None::<TreePath>)];
        while let Some((folder, place)) = folders.pop() {
            let entries = fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
            let entries = entries.map_err(|error| failed("list", &folder, error))?;
            if let (true, Some(place)) = (entries.is_empty(), &place) {
                self.empty.push(place.clone());
            }
            for entry in &entries {
                let (path, inner) = (entry.path(), tree_path(entry, place.as_ref())?);
                // `DirEntry::metadata` does not follow links.
                let meta = entry.metadata().map_err(|error| failed("look at", &path, error))?;
                if meta.is_dir() {
                    folders.push((path, Some(inner)));
                } else {
                    self.file(path, inner, &meta)?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, place: TreePath, meta: &Metadata) -> Result<()> {
        if !meta.is_file() {
            let reason = if meta.is_symlink() {
                "it is a link; name its target, or replace it with a copy"
            } else {
                "it is a device, a pipe or a socket; only files and folders are stored"
            };
            let action = format!("read {}", path.display());
            return Err(Error::Refused { action, reason: reason.into() });
        }
        let content = Artifact::new(FileContent::at(path, meta));
        self.files.insert(place, TreeFile { content, executable: is_executable(meta) });
        Ok(())
    }
}

fn tree_path(entry: &DirEntry, parent: Option<&TreePath>) -> Result<TreePath> {
    let name = entry.file_name();
    let name = name.to_str().ok_or_else(|| not_utf8(&entry.path()))?;
    match parent {
        Some(parent) => TreePath::new(&format!("{parent}/{name}")),
        None => TreePath::new(name),
    }
}

fn not_utf8(path: &Path) -> Error {
    Error::invalid("file name", &path.display().to_string(), "it is not UTF-8 text")
}

pub(super) fn failed(verb: &str, path: &Path, error: io::Error) -> Error {
    Error::store(format!("{verb} {}", path.display()), error)
}

#[cfg(unix)]
pub(super) fn is_executable(meta: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o111 != 0
}

/// Other systems have no executable bit.
#[cfg(not(unix))]
pub(super) fn is_executable(_: &Metadata) -> bool {
    false
}
