//! Runs collect the artifacts of a class model and log it as a version.

use larder_core::extend::LarderExt;
use std::any::type_name;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use larder_core::store::{Absence, ItemKind};
use larder_core::{Applied, Error, Identifier, Larder, Result};

use super::{Artifacts, ClassComponent, ClassFields, ClassModel};
use crate::tree::Tree;

/// Collects the artifacts of a [`ClassModel`] and logs the model with [`log_model`](Run::log_model).
///
/// Nothing is stored before that.
#[derive(Debug)]
pub struct Run {
    larder: Larder,
    name: Identifier,
    artifacts: BTreeMap<String, Tree>,
    requirements: Vec<String>,
}

impl Run {
    pub(crate) fn new(larder: &Larder, name: Identifier) -> Result<Self> {
        let (artifacts, requirements) = (BTreeMap::new(), Vec::new());
        Ok(Self { larder: larder.clone(), name, artifacts, requirements })
    }

    /// Adds the file or folder at `path` as the artifact `key`.
    ///
    /// It is listed now and read when the model is logged.
    ///
    /// # Errors
    /// [`Error::Refused`] if the key exists; as [`Tree::read`].
    pub fn log_artifact(&mut self, key: &str, path: impl AsRef<Path>) -> Result<()> {
        check_key(key)?;
        match self.artifacts.entry(key.to_owned()) {
            Entry::Occupied(_) => Err(Error::Refused {
                action: format!("add the artifact `{key}` to {}", self.name),
                reason: "the key is taken; replace it with `overwrite_artifact`".into(),
            }),
            Entry::Vacant(entry) => {
                entry.insert(Tree::read(path)?);
                Ok(())
            }
        }
    }

    /// Adds or replaces the artifact `key` with the file or folder at `path`.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn overwrite_artifact(&mut self, key: &str, path: impl AsRef<Path>) -> Result<()> {
        check_key(key)?;
        self.artifacts.insert(key.to_owned(), Tree::read(path)?);
        Ok(())
    }

    /// Records requirements of the runtime environment as free text, such as `kiddo 5`.
    ///
    /// The crate of the class, its version and features, rustc, the target and `Cargo.lock` are recorded automatically and
    /// compared by [`Larder::differences`].
    ///
    /// # Errors
    /// [`Error::InvalidName`] for text that is empty, longer than 200 bytes, or not on one line.
    pub fn log_requirements(&mut self, requirements: &[&str]) -> Result<()> {
        for text in requirements {
            if text.trim().is_empty() || text.len() > 200 || text.contains(char::is_control) {
                let reason = "a requirement is one line of up to 200 bytes";
                return Err(Error::invalid("requirement", text, reason));
            }
        }
        for text in requirements {
            if !self.requirements.iter().any(|known| known == text) {
                self.requirements.push((*text).to_owned());
            }
        }
        Ok(())
    }

    /// Writes the artifacts under `keys` to disk as the model receives them, to test it before it is logged.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key; as [`Tree::materialise`].
    pub fn fetch_artifacts(&self, keys: &[&str]) -> Result<Artifacts> {
        let selected = self.select(keys)?;
        Artifacts::materialise(selected.into_iter(), self.larder.cache())
    }

    /// Logs the class `M` with the artifacts under `keys` as a new version, and ends the run.
    ///
    /// A model that could not be loaded is refused before anything is written.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key without an artifact; [`Error::Refused`] for a missing required key, or a file that is
    /// a pointer of Git LFS;
    /// [`Error::NotLinked`] for a class that is not linked in; as [`Larder::apply`].
    pub fn log_model<M: ClassModel>(self, keys: &[&str]) -> Result<Applied> {
        self.check_linked::<M>()?;
        let artifacts = self.select(keys)?;
        let missing: Vec<_> =
            M::ARTIFACTS.iter().filter(|key| !keys.contains(key)).copied().collect();
        if !missing.is_empty() {
            let keys = missing.join("`, `");
            return Err(Error::Refused {
                action: format!("apply the model {} (a `{}`)", self.name, M::TAG),
                reason: format!("it also needs the artifacts `{keys}`; pass their keys"),
            });
        }
        for (key, tree) in &artifacts {
            tree.check_pointers(|| {
                format!("apply the model {} (a `{}`) with the artifact `{key}`", self.name, M::TAG)
            })?;
        }
        let cloned = |(key, tree): (&String, &Tree)| (key.clone(), tree.clone());
        let artifacts = artifacts.into_iter().map(cloned).collect();
        let fields = ClassFields { artifacts, requirements: self.requirements };
        self.larder.apply(self.name, &ClassComponent::of::<M>(fields))
    }

    fn select(&self, keys: &[&str]) -> Result<Vec<(&String, &Tree)>> {
        let unknown: Vec<_> =
            keys.iter().filter(|key| !self.artifacts.contains_key(**key)).copied().collect();
        if !unknown.is_empty() {
            return Err(Error::NotFound {
                reference: format!("the artifact `{}` of {}", unknown.join("`, `"), self.name),
                absence: Absence::Unknown,
                similar: self.artifacts.keys().cloned().collect(),
            });
        }
        Ok(self.artifacts.iter().filter(|(key, _)| keys.contains(&key.as_str())).collect())
    }

    /// Refuses a class that is not linked in, because it could not be loaded.
    fn check_linked<M: ClassModel>(&self) -> Result<()> {
        let known: Vec<_> = self.larder.registry().types().map(|(entry, _)| entry).collect();
        match known.iter().find(|entry| entry.tag() == M::TAG) {
            Some(entry) if entry.rust_type() == type_name::<M>() => Ok(()),
            Some(entry) => Err(Error::Duplicate {
                kind: ItemKind::Type,
                name: M::TAG.into(),
                first: format!("`{}`", entry.rust_type()),
                second: format!("`{}`", type_name::<M>()),
            }),
            None => Err(Error::NotLinked {
                kind: ItemKind::Type,
                name: M::TAG.into(),
                needed_by: self.name.to_string(),
                hint: "write `larder::link!(larder::files::class::<…>())` beside the class".into(),
                has_source: false,
                known: known.iter().map(|entry| entry.tag().to_owned()).collect(),
            }),
        }
    }
}

fn check_key(key: &str) -> Result<()> {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if key.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && key.len() <= 64
        && key.bytes().all(is_allowed)
    {
        return Ok(());
    }
    let reason =
        "a key is 1 to 64 characters of a-z A-Z 0-9 . _ - and begins with a letter or digit";
    Err(Error::invalid("artifact key", key, reason))
}
