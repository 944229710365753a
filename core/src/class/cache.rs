//! Where files are laid out for models to open them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::error::{Error, Result};
use crate::larder::Larder;
use crate::tree::{Tree, temp_folder};

/// A folder that the user named, or one of this process's own that goes with it.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    named: Option<PathBuf>,
    own: OnceLock<TempDir>,
    making: Mutex<()>,
}

impl Cache {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { named: Some(folder), ..Self::default() }
    }

    /// The folder that the user named, if one was.
    pub(crate) fn named(&self) -> Option<&Path> {
        self.named.as_deref()
    }

    pub(crate) fn folder(&self) -> Result<&Path> {
        if let Some(named) = &self.named {
            return Ok(named);
        }
        if self.own.get().is_none() {
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            if self.own.get().is_none() {
                let made = temp_folder(&std::env::temp_dir());
                let made =
                    made.map_err(|error| Error::store("create a temporary folder", error))?;
                // The lock is held, so nobody else sets it meanwhile.
                let _ = self.own.set(made);
            }
        }
        let gone = || Error::store("create a temporary folder", "it was not made");
        self.own.get().map(TempDir::path).ok_or_else(gone)
    }
}

impl Larder {
    /// Lays a tree out in the cache, as [`Tree::materialise`] says, and gives its path.
    ///
    /// # Errors
    /// As [`Tree::materialise`].
    pub fn materialise(&self, tree: &Tree) -> Result<PathBuf> {
        tree.materialise(self.cache().folder()?)
    }
}
