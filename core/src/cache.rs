//! The folder into which a larder extracts files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// A folder set by the user, or a temporary one that is removed with its last clone.
#[derive(Debug, Clone, Default)]
pub struct CacheFolder(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    named: Option<PathBuf>,
    temporary: OnceLock<TempDir>,
    creating: Mutex<()>,
}

impl CacheFolder {
    /// Uses the folder at `path`, which other users must not be able to write to.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { named: Some(path.into()), ..Inner::default() }))
    }

    /// Returns the folder set by the user, if there is one.
    pub fn named(&self) -> Option<&Path> {
        self.0.named.as_deref()
    }

    /// Returns the folder; creates a temporary one on first use.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn path(&self) -> Result<&Path> {
        if let Some(named) = &self.0.named {
            return Ok(named);
        }
        if self.0.temporary.get().is_none() {
            let _creating = self.0.creating.lock().unwrap_or_else(PoisonError::into_inner);
            if self.0.temporary.get().is_none() {
                let made = temp_folder(&std::env::temp_dir());
                let made =
                    made.map_err(|error| Error::store("create a temporary folder", error))?;
                // Cannot fail: the lock is held.
                let _ = self.0.temporary.set(made);
            }
        }
        let missing = || Error::store("create a temporary folder", "it was not created");
        self.0.temporary.get().map(TempDir::path).ok_or_else(missing)
    }
}

/// Creates a temporary folder in `parent` that only its owner may read.
///
/// # Errors
/// Those of the file system.
pub fn temp_folder(parent: &Path) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".larder-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    builder.tempdir_in(parent)
}
