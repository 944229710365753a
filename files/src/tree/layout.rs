//! From a [`Tree`] to files on disk: complete and checked before they are seen.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::TempPath;

use super::walk::{failed, is_executable};
use super::{Tree, TreeFile, TreeKind};
use larder_core::extend::temp_folder;
use larder_core::store::Digest;
use larder_core::store::TreePath;
use larder_core::store::files::{absent, temp_file};
use larder_core::store::{Blob, Corruption};
use larder_core::{Error, Result};

/// How often a place in a cache that others write to is tried again.
const MOST_TRIES: usize = 10;

impl Tree {
    /// Lays the tree out in the folder `cache`, if it is not there yet, and gives the path of the file or
    /// folder.
    ///
    /// Its place is named by the digest of its listing, so that every process and version that has the same
    /// files shares it, and it appears as a whole. Bytes are checked when they are laid out; a place that is
    /// there is looked at for names, sizes and rights only. The files are read-only; whoever wants to change
    /// one copies it. The folder may be deleted when nobody uses it.
    ///
    /// A file that the store keeps as a file is copied by the system, which shares the bytes on file systems
    /// that can (Btrfs, XFS, APFS). It is never linked: a write through a hard link would change
    /// the store's own bytes, and those of every version that has the file.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for damaged bytes; [`Error::Refused`] for a file that changed meanwhile;
    /// [`Error::Store`].
    pub fn materialise(&self, cache: impl AsRef<Path>) -> Result<PathBuf> {
        let cache = cache.as_ref();
        let listing = Listing::of(self)?;
        let place = cache.join(listing.digest()?.to_hex());
        let path = match self.single_file() {
            Some((name, _)) => name.below(&place)?,
            None => place.clone(),
        };
        if listing.is_at(&place)? {
            return Ok(path);
        }
        let write = |error| failed("write to the cache", cache, error);
        create_private(cache).map_err(write)?;
        let staged = temp_folder(cache).map_err(write)?;
        let tree = staged.path().join("tree");
        self.lay_out(&tree, &listing, Access::ReadOnly)?;
        for tries in 0..MOST_TRIES {
            let Err(error) = fs::rename(&tree, &place) else { return Ok(path) };
            // Another process was faster, or what is there is damaged and makes room.
            if listing.is_at(&place)? {
                return Ok(path);
            }
            let aside = staged.path().join(format!("damaged-{tries}"));
            if absent(fs::rename(&place, aside)).map_err(write)?.is_none() {
                return Err(write(error));
            }
        }
        Err(Error::Conflict { what: place.display().to_string() })
    }

    /// Writes the file or folder to `path`, where nothing may be.
    ///
    /// It appears as a whole, checked, with the rights that the process gives to new files.
    ///
    /// # Errors
    /// [`Error::Refused`] if something is there; as [`materialise`](Tree::materialise) otherwise.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        self.put_at(path.as_ref(), false)
    }

    /// Writes the file or folder to `path`, in the place of a file or folder, whole, that may be there.
    ///
    /// # Errors
    /// [`Error::Refused`] if a file is to take the place of a folder, or a folder that of a file; as
    /// [`materialise`](Tree::materialise) otherwise.
    pub fn replace(&self, path: impl AsRef<Path>) -> Result<()> {
        self.put_at(path.as_ref(), true)
    }

    fn put_at(&self, path: &Path, replace: bool) -> Result<()> {
        let there = absent(fs::symlink_metadata(path));
        let there = there.map_err(|error| failed("look at", path, error))?;
        if let Some(meta) = &there {
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
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let staged = temp_folder(parent.unwrap_or(Path::new("."))).map_err(write)?;
        let (tree, old) = (staged.path().join("tree"), staged.path().join("old"));
        self.lay_out(&tree, &Listing::of(self)?, Access::Ordinary)?;
        let file = self.single_file().map(|(name, _)| name.below(&tree)).transpose()?;
        let put = || match &file {
            Some(file) => {
                let file = TempPath::try_from_path(file)?;
                let put = if replace { file.persist(path) } else { file.persist_noclobber(path) };
                put.map_err(|error| error.error)
            }
            None => {
                if there.is_some() {
                    fs::rename(path, &old)?;
                }
                // If it fails, what was there comes back.
                fs::rename(&tree, path).inspect_err(|_| drop(fs::rename(&old, path)))
            }
        };
        put().map_err(write)
    }

    /// Writes every file and folder below `root`, which is new.
    fn lay_out(&self, root: &Path, listing: &Listing<'_>, access: Access) -> Result<()> {
        let make = |folder: &Path| {
            fs::create_dir_all(folder).map_err(|error| failed("create", folder, error))
        };
        make(root)?;
        let rights = Rights::of(root, access).map_err(|error| failed("write to", root, error))?;
        let mut folder = root.to_owned();
        for ((path, file), listed) in self.files.iter().zip(&listing.files) {
            let to = path.below(root)?;
            if let Some(parent) = to.parent().filter(|parent| **parent != *folder) {
                make(parent)?;
                folder = parent.to_owned();
            }
            file.put(&to, listed)?;
            let rights = rights.of_file(file.executable);
            fs::set_permissions(&to, rights).map_err(|error| failed("write", &to, error))?;
        }
        self.empty.iter().try_for_each(|path| make(&path.below(root)?))
    }
}

impl TreeFile {
    /// Its digest and size, from the manifest, or from its bytes if it is not stored.
    fn identity(&self) -> Result<(Digest, u64)> {
        if let Some(stored) = self.content.stored() {
            return Ok((stored.entry().digest, stored.entry().size));
        }
        let (content, mut hasher) = (self.content.get()?, blake3::Hasher::new());
        content.copy_to(&mut hasher)?;
        Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), content.len()))
    }

    /// Writes its bytes to the new file `to`, checked.
    fn put(&self, to: &Path, listed: &Listed<'_>) -> Result<()> {
        let write = |error| failed("write", to, error);
        if fs::symlink_metadata(to).is_ok() {
            let reason = "this file system treats its name as that of another file in the folder";
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
                .and_then(|()| check(to, listed, to.display()));
        };
        let blob = stored.blob()?;
        if let Some(from) = blob.as_ref().and_then(Blob::path)
            && absent(fs::copy(from, to)).map_err(write)?.is_some()
        {
            return check(to, listed, stored.describe());
        }
        let bytes = stored.bytes_of(blob)?;
        File::create_new(to).and_then(|mut file| file.write_all(&bytes)).map_err(write)
    }
}

/// Reads a copy back, and compares it with what it is to be; `what` is what it was copied from.
fn check(copy: &Path, listed: &Listed<'_>, what: impl ToString) -> Result<()> {
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

/// What a tree holds, without the bytes. Its JSON's digest names the tree's place in a cache.
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

    /// Whether all of it is at `place`, by names, sizes and rights.
    fn is_at(&self, place: &Path) -> Result<bool> {
        for folder in self.empty {
            if !fs::symlink_metadata(folder.below(place)?).is_ok_and(|meta| meta.is_dir()) {
                return Ok(false);
            }
        }
        for file in &self.files {
            let whole = fs::symlink_metadata(file.path.below(place)?).is_ok_and(|meta| {
                meta.is_file()
                    && meta.len() == file.size
                    && meta.permissions().readonly()
                    && (cfg!(not(unix)) || is_executable(&meta) == file.executable)
            });
            if !whole {
                return Ok(false);
            }
        }
        Ok(place.is_dir())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// For a cache.
    ReadOnly,
    /// As other new files.
    Ordinary,
}

/// The rights of files that are laid out.
struct Rights {
    plain: Permissions,
    access: Access,
}

impl Rights {
    /// Those that the process gives to new files, found by making one.
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
            // Whoever may read it may execute it.
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

/// Creates a folder that nobody else can look into, unless it is there.
fn create_private(folder: &Path) -> io::Result<()> {
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
