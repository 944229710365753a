//! Validation of an untrusted folder.
//!
//! Rejects links, so that a copy never reads outside the folder. A link created after this check is harmless: a copy
//! checks digests and records.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use larder_core::store::{Corruption, Digest};
use larder_core::{Error, Result};

use crate::entry_path::EntryPath;
use crate::limits::{Limits, record_too_large, too_large, too_many_files};
use crate::open::{check_document, refused};
use crate::unpack::invalid_path;

/// Maximum depth of folders, above the number of segments of any key.
const MAX_DEPTH: usize = 210;

/// Checks that a folder contains the files of a larder, complete, and nothing else.
pub(crate) fn check(root: &Path, limits: &Limits) -> Result<()> {
    let mut check = Check { root, limits, total: 0, files: 0 };
    if fs::symlink_metadata(root.join(EntryPath::Marker.path())).is_err() {
        return Err(refused(root, "not an export: it has no larder.json"));
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
    /// Checks the entries of a folder; `stem` is its path, empty or ending in `/`.
    fn folder(&mut self, folder: &Path, stem: &str, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(refused(self.root, "its folders are nested too deep"));
        }
        let failed = |error: io::Error| Error::store(format!("read {}", folder.display()), error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return Err(refused(self.root, "a file name is not UTF-8"));
            };
            let path = format!("{stem}{name}");
            // Does not follow links.
            let meta = fs::symlink_metadata(entry.path()).map_err(failed)?;
            if meta.is_symlink() {
                return Err(refused(self.root, format!("`{path}` is a symbolic link")));
            }
            match path.as_str() {
                // Unfinished writes are ignored.
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
        let Some(entry) = EntryPath::parse(path) else {
            return Err(refused(self.root, invalid_path(path)));
        };
        let Limits { total, record, files, .. } = *self.limits;
        self.files += 1;
        self.total = self.total.saturating_add(size);
        if self.files > files {
            return Err(refused(self.root, too_many_files(files)));
        }
        if self.total > total {
            return Err(refused(self.root, too_large(total)));
        }
        let failed = |error: io::Error| Error::store(format!("read {}", file.display()), error);
        let what = || format!("{path} in {}", self.root.display());
        if let EntryPath::Blob(digest) = entry {
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
            return Err(refused(self.root, record_too_large(path, size, record)));
        }
        check_document(&entry, &fs::read(file).map_err(failed)?, what)
    }
}
