//! Opening an untrusted export.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use larder_core::record::VERSIONS;
use larder_core::store::{Corruption, StoreExt};
use larder_core::{Error, Larder, Registry, Result};
use larder_store_fs::{FsStore, marker};
use tempfile::TempDir;

use crate::entry_path::EntryPath;
use crate::limits::Limits;
use crate::{folder, unpack};

/// A validated export, to [copy from](larder_maintenance::Maintenance::copy). Dropping it removes the unpacked files.
#[derive(Debug)]
pub struct Archive {
    larder: Larder,
    _unpacked: Option<TempDir>,
}

impl Archive {
    /// Returns the larder of the export.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Refuses an export without a version, of which nothing would be imported.
    fn with_a_version(self, path: &Path) -> Result<Self> {
        let version = self.larder.store().records(VERSIONS).next().transpose()?;
        version.map(|_| self).ok_or_else(|| refused(path, "it has no version"))
    }
}

/// Opens a folder or archive written by [`export`](crate::export).
///
/// Checks every name, size and digest. Unpacks an archive into a private folder in the system's temporary folder.
///
/// # Errors
/// [`Error::Refused`] if it is not an export, has no version or exceeds the limits; [`Error::Corrupt`]; [`Error::NewerFormat`];
/// [`Error::Store`]. On error, no unpacked files are left.
pub fn open(path: &Path, limits: &Limits) -> Result<Archive> {
    open_in(path, limits, &std::env::temp_dir())
}

/// Opens an export as [`open`], with `temp` as the temporary folder.
///
/// # Errors
/// As [`open`].
pub fn open_in(path: &Path, limits: &Limits, temp: &Path) -> Result<Archive> {
    let failed = |error: io::Error| Error::store(format!("read {}", path.display()), error);
    if fs::metadata(path).map_err(failed)?.is_dir() {
        folder::check(path, limits)?;
        return Archive { larder: larder(path)?, _unpacked: None }.with_a_version(path);
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".larder-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let unpacked = builder.tempdir_in(temp).map_err(|error| {
        Error::store(format!("create a temporary folder in {}", temp.display()), error)
    })?;
    unpack::unpack(path, limits, unpacked.path())?;
    let larder = larder(unpacked.path())?;
    Archive { larder, _unpacked: Some(unpacked) }.with_a_version(path)
}

fn larder(folder: &Path) -> Result<Larder> {
    Ok(Larder::new(Arc::new(FsStore::open(folder)?), Registry::new()))
}

/// Newest known format of larder.json and of records.
const FORMAT: u64 = 1;

#[derive(serde::Deserialize)]
struct Document {
    larder: u64,
}

/// Checks that a record or a larder.json is JSON of a known format.
pub(crate) fn check_document(
    entry: &EntryPath,
    json: &[u8],
    what: impl Fn() -> String,
) -> Result<()> {
    let unreadable = |reason: String| Error::corrupt(what(), Corruption::Unreadable(reason));
    match serde_json::from_slice(json) {
        Ok(Document { larder: FORMAT }) => {}
        Ok(Document { larder }) if larder > FORMAT => {
            return Err(Error::NewerFormat { what: what(), found: larder, known: FORMAT });
        }
        Ok(_) => return Err(unreadable("the format number `larder` is 0".into())),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    match entry {
        EntryPath::Marker if json != marker().as_bytes() => {
            Err(unreadable("it does not describe a larder in a folder".into()))
        }
        _ => Ok(()),
    }
}

/// Returns the error of a rejected import.
pub(crate) fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Refused { action: format!("import {}", path.display()), reason: reason.into() }
}
