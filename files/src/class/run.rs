//! A run: what a class model is made of, gathered and then kept as one version.

use larder_core::extend::LarderExt;
use std::any::type_name;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use super::{Artifacts, ClassComponent, ClassFields, ClassModel};
use crate::tree::Tree;
use larder_core::Identifier;
use larder_core::store::ItemKind;
use larder_core::{Applied, Larder};
use larder_core::{Error, Result};

/// Gathers the artifacts of a class model, and keeps the model with [`log_model`](Run::log_model).
///
/// Nothing is written before that. See [`ClassModel`].
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

    /// Takes the file or folder at `path` as the artifact `key`.
    ///
    /// It is listed now and read when the model is logged.
    ///
    /// # Errors
    /// [`Error::Refused`] if the key is taken; as [`Tree::read`].
    pub fn log_artifact(&mut self, key: &str, path: impl AsRef<Path>) -> Result<()> {
        check_key(key)?;
        match self.artifacts.entry(key.to_owned()) {
            Entry::Occupied(_) => Err(Error::Refused {
                action: format!("add the artifact `{key}` to {}", self.name),
                reason: "the key is taken; replace it with `overwrite_artifact`".into(),
            }),
            Entry::Vacant(free) => {
                free.insert(Tree::read(path)?);
                Ok(())
            }
        }
    }

    /// Takes the file or folder at `path` as the artifact `key`, whether the key is taken or not.
    ///
    /// # Errors
    /// As [`Tree::read`].
    pub fn overwrite_artifact(&mut self, key: &str, path: impl AsRef<Path>) -> Result<()> {
        check_key(key)?;
        self.artifacts.insert(key.to_owned(), Tree::read(path)?);
        Ok(())
    }

    /// Notes what the model needs where it runs, such as `kiddo 5`, for people.
    ///
    /// The crate that brings the class, its version and features, rustc, the target and `Cargo.lock` are recorded without being
    /// asked for, and compared by [`Larder::differences`].
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

    /// The artifacts under `keys` on disk, as the model will get them: to rehearse it before it is logged.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key; as [`Tree::materialise`].
    pub fn fetch_artifacts(&self, keys: &[&str]) -> Result<Artifacts> {
        let chosen = self.chosen(keys)?;
        Artifacts::materialise(chosen.into_iter(), self.larder.cache())
    }

    /// Keeps the class `M` with the artifacts under `keys` as a new version.
    ///
    /// It ends the run. What would not load again is refused before anything is written.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key without an artifact; [`Error::Refused`] for a key that `M` needs and
    /// that is not given; [`Error::NotLinked`] for a class that is not linked in; as [`Larder::apply`].
    pub fn log_model<M: ClassModel>(self, keys: &[&str]) -> Result<Applied> {
        self.check_linked::<M>()?;
        let artifacts = self.chosen(keys)?;
        let missing: Vec<_> =
            M::ARTIFACTS.iter().filter(|key| !keys.contains(key)).copied().collect();
        if !missing.is_empty() {
            let keys = missing.join("`, `");
            return Err(Error::Refused {
                action: format!("apply the model {} (a `{}`)", self.name, M::TAG),
                reason: format!("it also needs the artifacts `{keys}`; pass their keys"),
            });
        }
        let own = |(key, tree): (&String, &Tree)| (key.clone(), tree.clone());
        let artifacts = artifacts.into_iter().map(own).collect();
        let fields = ClassFields { artifacts, requirements: self.requirements };
        self.larder.apply(self.name, &ClassComponent::of::<M>(fields))
    }

    fn chosen(&self, keys: &[&str]) -> Result<Vec<(&String, &Tree)>> {
        let unknown: Vec<_> =
            keys.iter().filter(|key| !self.artifacts.contains_key(**key)).copied().collect();
        if !unknown.is_empty() {
            return Err(Error::NotFound {
                reference: format!("the artifact `{}` of {}", unknown.join("`, `"), self.name),
                similar: self.artifacts.keys().cloned().collect(),
            });
        }
        Ok(self.artifacts.iter().filter(|(key, _)| keys.contains(&key.as_str())).collect())
    }

    /// A class that is not linked in could be kept, and never loaded.
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
                known: known.iter().map(|entry| entry.tag().to_owned()).collect(),
            }),
        }
    }
}

fn check_key(key: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if key.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && key.len() <= 64
        && key.bytes().all(plain)
    {
        return Ok(());
    }
    let reason = "a key is up to 64 of a-z A-Z 0-9 . _ - and begins with a letter or digit";
    Err(Error::invalid("artifact key", key, reason))
}
