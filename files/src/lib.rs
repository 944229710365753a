//! Files and folders as artifacts of Larder, and class models, which are built from them.
//!
//! A [`Tree`] is a file or a folder as a value: a component, and a field of any component. A [`ClassModel`] is
//! built from trees when it is loaded; a [`Run`] keeps one.

mod class;
mod tree;

use larder_core::extend::LarderExt;
use std::path::PathBuf;

use larder_core::{Error, Identifier, Larder, Reference, Result};

pub use crate::class::{Artifacts, ClassModel, Run, class};
pub use crate::tree::{FileBytes, FileContent, Tree, TreeFile, TreeKind};

/// Adds files and class models to [`Larder`].
pub trait LarderFiles {
    /// Begins a run whose model is to be kept under `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    fn run(&self, name: impl TryInto<Identifier, Error: Into<Error>>) -> Result<Run>;

    /// Loads the class model that `reference` names, as its own type: builds it from its files.
    ///
    /// # Errors
    /// As [`Larder::load`], and those of [`ClassModel::new`].
    fn load_class<M: ClassModel>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<M>;

    /// Lays out a tree in the cache, as [`Tree::materialise`] does, and returns its path.
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
