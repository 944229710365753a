//! Opening what somebody exported.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use larder_core::store::Corruption;
use larder_core::{Error, Larder, Registry, Result};
use larder_store_fs::{FsStore, marker};
use tempfile::TempDir;

use crate::limits::Limits;
use crate::place::EntryPath;
use crate::{folder, unpack};

/// An export that was checked: a larder to [copy from](Larder::copy_to). What was unpacked is removed with it.
#[derive(Debug)]
pub struct Archive {
    larder: Larder,
    _unpacked: Option<TempDir>,
}

impl Archive {
    /// What is in it.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }
}

/// Opens the folder or file that [`export`](crate::export) made.
///
/// Every name, size and digest in it is checked before this returns. A file is unpacked into a private folder
/// among the system's temporary files.
///
/// # Errors
/// [`Error::Refused`] for what no export is, or what is beyond the limits; [`Error::Corrupt`];
/// [`Error::NewerFormat`]; [`Error::Store`]. Nothing is left of it then.
pub fn open(path: &Path, limits: &Limits) -> Result<Archive> {
    open_in(path, limits, &std::env::temp_dir())
}

/// As [`open`], with the private folder in `temp`.
///
/// # Errors
/// As [`open`].
pub fn open_in(path: &Path, limits: &Limits, temp: &Path) -> Result<Archive> {
    let failed = |error: io::Error| Error::store(format!("read {}", path.display()), error);
    if fs::metadata(path).map_err(failed)?.is_dir() {
        folder::check(path, limits)?;
        return Ok(Archive { larder: larder(path)?, _unpacked: None });
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".larder-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    let unpacked = builder.tempdir_in(temp).map_err(|error| {
        Error::store(format!("create a temporary folder in {}", temp.display()), error)
    })?;
    unpack::unpack(path, limits, unpacked.path())?;
    Ok(Archive { larder: larder(unpacked.path())?, _unpacked: Some(unpacked) })
}

fn larder(folder: &Path) -> Result<Larder> {
    Ok(Larder::new(Arc::new(FsStore::open(folder)?), Registry::new()))
}

/// The format of larder.json and of records, and the newest that is read.
const FORMAT: u64 = 1;

#[derive(serde::Deserialize)]
struct Stated {
    larder: u64,
}

/// Makes sure that a record or a larder.json is JSON of a known format.
pub(crate) fn check_document(
    place: &EntryPath,
    json: &[u8],
    what: impl Fn() -> String,
) -> Result<()> {
    let unreadable = |reason: String| Error::corrupt(what(), Corruption::Unreadable(reason));
    match serde_json::from_slice(json) {
        Ok(Stated { larder: FORMAT }) => {}
        Ok(Stated { larder }) if larder > FORMAT => {
            return Err(Error::NewerFormat { what: what(), found: larder, known: FORMAT });
        }
        Ok(_) => return Err(unreadable("it states no format under `larder`".into())),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    match place {
        EntryPath::Marker if json != marker().as_bytes() => {
            Err(unreadable("it is not that of a larder in a folder".into()))
        }
        _ => Ok(()),
    }
}

/// The refusal of an import.
pub(crate) fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Refused { action: format!("import {}", path.display()), reason: reason.into() }
}
