//! From a file or folder on disk to a [`Tree`].

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use super::{FileContent, Tree, TreeFile, TreeKind};
use larder_core::Artifact;
use larder_core::store::TreePath;
use larder_core::{Error, Result};

impl Tree {
    /// The file or folder at `path`.
    ///
    /// It is listed now and read when it is applied. A file that has changed by then is an error.
    ///
    /// # Errors
    /// [`Error::Refused`] for a link, a device, a pipe or a socket; [`Error::InvalidName`] for a name that is
    /// not UTF-8 or that other systems would take for a path; [`Error::Store`].
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let meta = fs::symlink_metadata(path).map_err(|error| failed("look at", path, error))?;
        let mut walk = Walk::default();
        let kind = if meta.is_dir() {
            walk.folder(path)?;
            TreeKind::Folder
        } else {
            let name =
                path.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_text(path))?;
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
                let (path, inner) = (entry.path(), place_of(entry, place.as_ref())?);
                // This does not follow links.
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

fn place_of(entry: &DirEntry, around: Option<&TreePath>) -> Result<TreePath> {
    let name = entry.file_name();
    let name = name.to_str().ok_or_else(|| not_text(&entry.path()))?;
    match around {
        Some(around) => TreePath::new(&format!("{around}/{name}")),
        None => TreePath::new(name),
    }
}

fn not_text(path: &Path) -> Error {
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

/// Elsewhere files have no such right.
#[cfg(not(unix))]
pub(super) fn is_executable(_: &Metadata) -> bool {
    false
}
