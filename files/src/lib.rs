//! Files, folders and class models for Larder.
//!
//! A [`Tree`] is a file or a folder as a value, usable as a component and as a field of components. A [`ClassModel`] is
//! built from trees when it is loaded; a [`Run`] logs one. [`drafts`] keep what programs log before there is a version.

mod class;
pub mod drafts;
mod listing;
pub mod onnx_message;
mod tree;
mod wrong_content;

use larder_core::extend::LarderExt;
use std::path::PathBuf;

use larder_core::{Error, Identifier, Larder, Reference, Result};

pub use crate::class::{Artifacts, ClassModel, Run, class};
pub use crate::listing::{ListedFile, TreeListing};
pub use crate::tree::{FileBytes, FileContent, Tree, TreeFile, TreeKind};
pub use crate::wrong_content::WrongContent;

/// Adds files and class models to [`Larder`].
pub trait LarderFiles {
    /// Starts a run that logs a model under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    fn run(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Run>;

    /// Loads a class model as its own type, built from its files.
    ///
    /// # Errors
    /// As [`Larder::load`] and [`ClassModel::new`].
    fn load_class<M: ClassModel>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<M>;

    /// Writes a tree to the cache as [`Tree::materialise`] does, and returns its path.
    ///
    /// # Errors
    /// As [`Tree::materialise`].
    fn materialise(&self, tree: &Tree) -> Result<PathBuf>;
}

impl LarderFiles for Larder {
    fn run(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Run> {
        Run::new(self, name.try_into().map_err(Into::into)?)
    }

    fn load_class<M: ClassModel>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<M> {
        class::load(self, &reference.try_into().map_err(Into::into)?)
    }

    fn materialise(&self, tree: &Tree) -> Result<PathBuf> {
        tree.materialise(self.cache().path()?)
    }
}
