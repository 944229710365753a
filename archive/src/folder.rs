//! Checking a folder that anyone may have made.
//!
//! Links are refused, so that a copy never reads outside of the folder. If somebody puts one there between
//! this check and the copy, what it leads to is not copied either: no byte is taken whose digest is not the
//! one asked for, and a record must be one of a larder.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use larder_core::store::{Corruption, Digest};
use larder_core::{Error, Result};

use crate::limits::Limits;
use crate::open::{check_document, refused};
use crate::place::EntryPath;
use crate::unpack::fault_in_path;

/// More folders in folders than any key has parts.
const MOST_DEPTH: usize = 210;

/// Makes sure that a folder holds the files of a larder, whole, and nothing else.
pub(crate) fn check(root: &Path, limits: &Limits) -> Result<()> {
    let mut check = Check { root, limits, total: 0, files: 0 };
    if fs::symlink_metadata(root.join(EntryPath::Marker.path())).is_err() {
        return Err(refused(root, "it is no export: it holds no larder.json"));
    }
    check.folder(root, "", 0)
}

struct Check<'a> {
    root: &'a Path,
    limits: &'a Limits,
    total: u64,
    files: u64,
}

impl Check<'_> {
    /// Checks what is in the folder `stem`, which is empty or ends in `/`.
    fn folder(&mut self, folder: &Path, stem: &str, depth: usize) -> Result<()> {
        if depth > MOST_DEPTH {
            return Err(refused(self.root, "folders in it are too deep"));
        }
        let failed = |error: io::Error| Error::store(format!("read {}", folder.display()), error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(refused(self.root, "a name in it is not UTF-8"));
            };
            let path = format!("{stem}{name}");
            // It says what the entry itself is, not what a link leads to.
            let meta = fs::symlink_metadata(entry.path()).map_err(failed)?;
            if meta.is_symlink() {
                return Err(refused(self.root, format!("`{path}` is a symbolic link")));
            }
            match path.as_str() {
                // What is half-written is nobody's business.
                "tmp" | "blobs/tmp" if meta.is_dir() => {}
                "lock" if meta.is_file() => {}
                _ if meta.is_dir() => {
                    self.folder(&entry.path(), &format!("{path}/"), depth + 1)?;
                }
                _ if meta.is_file() => self.file(&entry.path(), &path, meta.len())?,
                _ => {
                    return Err(refused(self.root, format!("`{path}` is a device or a pipe")));
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, file: &Path, path: &str, size: u64) -> Result<()> {
        let Some(place) = EntryPath::at(path) else {
            return Err(refused(self.root, fault_in_path(path)));
        };
        let Limits { total, record, files, .. } = *self.limits;
        self.files += 1;
        self.total = self.total.saturating_add(size);
        if self.files > files {
            return Err(refused(self.root, format!("it holds more than {files} files")));
        }
        if self.total > total {
            let reason =
                format!("it holds more than {total} bytes; raise the limit if you trust it");
            return Err(refused(self.root, reason));
        }
        let failed = |error: io::Error| Error::store(format!("read {}", file.display()), error);
        let what = || format!("{path} in {}", self.root.display());
        if let EntryPath::Blob(digest) = place {
            let mut hasher = blake3::Hasher::new();
            let mut open = File::open(file).map_err(failed)?;
            hasher.update_reader(&mut open).map_err(failed)?;
            let found = Digest::from_bytes(*hasher.finalize().as_bytes());
            return match found == digest {
                true => Ok(()),
                false => {
                    Err(Error::corrupt(what(), Corruption::Digest { expected: digest, found }))
                }
            };
        }
        if size > record {
            let reason = format!("`{path}` has {size} bytes, and a record has {record} at most");
            return Err(refused(self.root, reason));
        }
        check_document(&place, &fs::read(file).map_err(failed)?, what)
    }
}
