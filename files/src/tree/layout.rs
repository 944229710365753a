//! Writing a [`Tree`] to disk, verified and atomically.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use larder_core::extend::temp_folder;
use larder_core::store::files::{absent, check_parents, temp_file};
use larder_core::store::{Blob, Corruption, Digest, TreePath};
use larder_core::{Error, Result};
use serde::Serialize;
use tempfile::TempPath;

use super::walk::{failed, is_executable};
use super::{Tree, TreeFile, TreeKind};

/// Maximum attempts to replace a damaged entry of a shared cache.
const MAX_TRIES: usize = 10;

impl Tree {
    /// Writes the tree to the folder `cache` unless it is there, and returns the path of the file or folder.
    ///
    /// Cache entries are named by the digest of the listing, shared by all processes and versions with the same files, and
    /// appear atomically. Bytes are verified when written; for an existing entry only names, sizes and permissions are
    /// checked. The files are read-only. The folder may be deleted while unused.
    ///
    /// Files of a local store are copied by the operating system, which shares the bytes on Btrfs, XFS and APFS. They are
    /// never hard-linked: a write through a hard link would change the blob in the store.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damaged bytes; [`Error::Refused`] for a file that changed meanwhile;
    /// [`Error::Store`].
    pub fn materialise(&self, cache: impl AsRef<Path>) -> Result<PathBuf> {
        let cache = cache.as_ref();
        let listing = Listing::of(self)?;
        let entry = cache.join(listing.digest()?.to_hex());
        let path = match self.single_file() {
            Some((name, _)) => name.below(&entry)?,
            None => entry.clone(),
        };
        if listing.is_at(&entry)? {
            return Ok(path);
        }
        let write = |error| failed("write to the cache", cache, error);
        create_private(cache).map_err(write)?;
        let staged = temp_folder(cache).map_err(write)?;
        let tree = staged.path().join("tree");
        self.write_files(&tree, &listing, Access::ReadOnly)?;
        for tries in 0..MAX_TRIES {
            let Err(error) = fs::rename(&tree, &entry) else { return Ok(path) };
            // Another process was faster, or the existing entry is damaged and is moved away.
            if listing.is_at(&entry)? {
                return Ok(path);
            }
            let aside = staged.path().join(format!("damaged-{tries}"));
            if absent(fs::rename(&entry, aside)).map_err(write)?.is_none() {
                return Err(write(error));
            }
        }
        Err(Error::Conflict { what: entry.display().to_string() })
    }

    /// Writes the file or folder to `path`, which must not exist.
    ///
    /// It appears atomically, verified, with the default permissions of new files.
    ///
    /// # Errors
    /// [`Error::Refused`] if `path` exists; as [`materialise`](Tree::materialise) otherwise.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_to(path.as_ref(), false)
    }

    /// Writes the file or folder to `path`, replacing an existing one.
    ///
    /// # Errors
    /// [`Error::Refused`] if a file would replace a folder or a folder a file; as
    /// [`materialise`](Tree::materialise) otherwise.
    pub fn replace(&self, path: impl AsRef<Path>) -> Result<()> {
        self.write_to(path.as_ref(), true)
    }

    fn write_to(&self, path: &Path, replace: bool) -> Result<()> {
        let existing = absent(fs::symlink_metadata(path));
        let existing = existing.map_err(|error| failed("look at", path, error))?;
        if let Some(meta) = &existing {
            let reason = match (replace, meta.is_dir(), self.kind) {
                (false, ..) => "something is there already",
                (true, true, TreeKind::File) => "it is a folder, and the replacement is a file",
                (true, false, TreeKind::Folder) => "it is a file, and the replacement is a folder",
                _ => "",
            };
            if !reason.is_empty() {
                let action = format!("write to {}", path.display());
                return Err(Error::Refused { action, reason: reason.into() });
            }
        }
        let write = |error| failed("write", path, error);
        check_parents(path).map_err(write)?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let staged = temp_folder(parent.unwrap_or(Path::new("."))).map_err(write)?;
        let (tree, old) = (staged.path().join("tree"), staged.path().join("old"));
        self.write_files(&tree, &Listing::of(self)?, Access::Ordinary)?;
        let file = self.single_file().map(|(name, _)| name.below(&tree)).transpose()?;
        let put = || match &file {
            Some(file) => {
                let file = TempPath::try_from_path(file)?;
                let put = if replace { file.persist(path) } else { file.persist_noclobber(path) };
                put.map_err(|error| error.error)
            }
            None => {
                if existing.is_some() {
                    fs::rename(path, &old)?;
                }
                // On failure, the old folder is moved back.
                fs::rename(&tree, path).inspect_err(|_| drop(fs::rename(&old, path)))
            }
        };
        put().map_err(write)
    }

    /// Writes all files and folders below the new folder `root`.
    fn write_files(&self, root: &Path, listing: &Listing<'_>, access: Access) -> Result<()> {
        let make = |folder: &Path| {
            fs::create_dir_all(folder).map_err(|error| failed("create", folder, error))
        };
        make(root)?;
        let permissions =
            FilePermissions::of(root, access).map_err(|error| failed("write to", root, error))?;
        let mut folder = root.to_owned();
        for ((path, file), listed) in self.files.iter().zip(&listing.files) {
            let to = path.below(root)?;
            if let Some(parent) = to.parent().filter(|parent| **parent != *folder) {
                make(parent)?;
                folder = parent.to_owned();
            }
            file.write(&to, listed)?;
            let permissions = permissions.of_file(file.executable);
            fs::set_permissions(&to, permissions).map_err(|error| failed("write", &to, error))?;
        }
        self.empty.iter().try_for_each(|path| make(&path.below(root)?))
    }
}

impl TreeFile {
    /// Returns the digest and size, from the manifest or, before apply, from the bytes.
    fn identity(&self) -> Result<(Digest, u64)> {
        if let Some(stored) = self.content.stored() {
            return Ok((stored.entry().digest, stored.entry().size));
        }
        let (content, mut hasher) = (self.content.get()?, blake3::Hasher::new());
        content.copy_to(&mut hasher)?;
        Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), content.len()))
    }

    /// Writes the bytes to the new file `to` and verifies them.
    fn write(&self, to: &Path, listed: &Listed<'_>) -> Result<()> {
        let write = |error| failed("write", to, error);
        if fs::symlink_metadata(to).is_ok() {
            let reason =
                "this file system does not distinguish its name from another file's in the folder";
            return Err(Error::Refused {
                action: format!("write {}", to.display()),
                reason: reason.into(),
            });
        }
        let Some(stored) = self.content.stored() else {
            let mut file = File::create_new(to).map_err(write)?;
            return self
                .content
                .get()?
                .copy_to(&mut file)
                .and_then(|()| verify(to, listed, to.display()));
        };
        let blob = stored.blob()?;
        if let Some(from) = blob.as_ref().and_then(Blob::path)
            && absent(fs::copy(from, to)).map_err(write)?.is_some()
        {
            return verify(to, listed, stored.describe());
        }
        let bytes = stored.bytes_of(blob)?;
        File::create_new(to).and_then(|mut file| file.write_all(&bytes)).map_err(write)
    }
}

/// Reads a copy back and compares its digest and size; `what` names the source in errors.
fn verify(copy: &Path, listed: &Listed<'_>, what: impl ToString) -> Result<()> {
    let mut hasher = blake3::Hasher::new();
    let read = File::open(copy).and_then(|file| hasher.update_reader(file).map(drop));
    read.map_err(|error| failed("read", copy, error))?;
    let found = Digest::from_bytes(*hasher.finalize().as_bytes());
    let fault = if hasher.count() != listed.size {
        Corruption::Size { expected: listed.size, found: hasher.count() }
    } else if found != listed.digest {
        Corruption::Digest { expected: listed.digest, found }
    } else {
        return Ok(());
    };
    Err(Error::corrupt(what.to_string(), fault))
}

/// The content of a tree without the bytes. The digest of its JSON names the cache entry.
#[derive(Serialize)]
struct Listing<'a> {
    kind: TreeKind,
    files: Vec<Listed<'a>>,
    empty: &'a [TreePath],
}

#[derive(Serialize)]
struct Listed<'a> {
    path: &'a TreePath,
    digest: Digest,
    size: u64,
    executable: bool,
}

impl<'a> Listing<'a> {
    fn of(tree: &'a Tree) -> Result<Self> {
        let listed = |(path, file): (&'a TreePath, &'a TreeFile)| {
            let (digest, size) = file.identity()?;
            Ok(Listed { path, digest, size, executable: file.executable })
        };
        let files = tree.files.iter().map(listed).collect::<Result<_>>()?;
        Ok(Self { kind: tree.kind, files, empty: &tree.empty })
    }

    fn digest(&self) -> Result<Digest> {
        let json = serde_json::to_vec(self);
        json.map(|json| Digest::of(&json)).map_err(|error| Error::Encode {
            what: "the listing of a folder".into(),
            source: error.into(),
        })
    }

    /// Returns `true` if the entry at `path` matches by names, sizes and permissions.
    fn is_at(&self, root: &Path) -> Result<bool> {
        for folder in self.empty {
            if !fs::symlink_metadata(folder.below(root)?).is_ok_and(|meta| meta.is_dir()) {
                return Ok(false);
            }
        }
        for file in &self.files {
            let matches = fs::symlink_metadata(file.path.below(root)?).is_ok_and(|meta| {
                meta.is_file()
                    && meta.len() == file.size
                    && meta.permissions().readonly()
                    && (cfg!(not(unix)) || is_executable(&meta) == file.executable)
            });
            if !matches {
                return Ok(false);
            }
        }
        Ok(root.is_dir())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Cache entries.
    ReadOnly,
    /// Default permissions of new files.
    Ordinary,
}

/// The permissions of written files.
struct FilePermissions {
    plain: Permissions,
    access: Access,
}

impl FilePermissions {
    /// Determines the default permissions by creating a file.
    fn of(folder: &Path, access: Access) -> io::Result<Self> {
        Ok(Self { plain: temp_file(folder)?.as_file().metadata()?.permissions(), access })
    }

    #[cfg(unix)]
    fn of_file(&self, executable: bool) -> Permissions {
        use std::os::unix::fs::PermissionsExt;
        let mut mode = self.plain.mode() & 0o666;
        if self.access == Access::ReadOnly {
            mode &= 0o444;
        }
        if executable {
            // Executable by everyone with read access.
            mode |= (mode & 0o444) >> 2;
        }
        Permissions::from_mode(mode)
    }

    #[cfg(not(unix))]
    fn of_file(&self, _: bool) -> Permissions {
        let mut plain = self.plain.clone();
        plain.set_readonly(self.access == Access::ReadOnly);
        plain
    }
}

/// Creates a folder that only the owner can read, unless it exists.
fn create_private(folder: &Path) -> io::Result<()> {
    check_parents(folder)?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        result => result,
    }
}
