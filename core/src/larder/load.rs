//! `load`: from a version to a component.

use std::any::type_name;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::hooks::post_init;
use super::objects::VALUE_TYPE;
use super::ready::ReadyModel;
use super::{ArtifactReader, Larder};
use crate::component::{Component, ComponentType, no_migration};
use crate::error::{Error, Result};
use crate::guard::{Guard, Rules};
use crate::manifest::Manifest;
use crate::model::Model;
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::reference::{Reference, Selector};
use crate::scope;
use crate::store::StoreExt;

/// What a `post_init` that fails leaves.
const NOT_LOADED: &str = "it was not loaded";

impl Larder {
    /// Loads the component that `reference` names, as its own type.
    ///
    /// Its fields are checked and decoded; its artifacts stay in the store until they are used. Nothing
    /// that is stored is executed. Of its [`Hooks`](crate::Hooks), `post_init` runs;
    /// [`load_ready`](Larder::load_ready) runs `setup` too, when it is used first.
    ///
    /// # Errors
    /// [`Error::Hook`] if its `post_init` refuses it;
    /// [`Error::NotFound`]; [`Error::WrongType`] if it is of another type; [`Error::Decode`] if a field was
    /// removed, added without a default or retyped since; [`Error::Corrupt`]; [`Error::NewerFormat`].
    pub fn load<T: ComponentType>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<T> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        self.load_typed(&reference).map(|(_, component)| component)
    }

    /// The component, and the record of the version that it is.
    pub(super) fn load_typed<T: ComponentType>(
        &self,
        reference: &Reference,
    ) -> Result<(VersionRecord, T)> {
        let version = self.find(reference)?;
        let component = self.load_typed_at(reference.identifier(), &version)?;
        Ok((version, component))
    }

    /// The component that a version is.
    pub(crate) fn load_typed_at<T: ComponentType>(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<T> {
        let (what, manifest) = self.open_record(name, version)?;
        check_tag(&what, &manifest, T::TAG, T::ALIASES)?;
        self.check_strict(&what, version)?;
        let mut component: T =
            self.unpack(&what, type_name::<T>(), &manifest, |guard, fields| {
                match manifest.type_version() {
                    wrote if wrote == T::VERSION => guard.read(fields),
                    older => erased(guard, fields, |fields| T::migrate(older, fields)),
                }
            })?;
        component.set_cache(&self.cache);
        post_init(&mut component, || what, NOT_LOADED)?;
        Ok(component)
    }

    /// Loads the fields of a version of the type `tag`, which has but one version, as a `T`.
    pub(crate) fn load_as<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        tag: &str,
        type_name: &str,
    ) -> Result<T> {
        let (what, version, manifest) = self.open_version(reference)?;
        check_tag(&what, &manifest, tag, &[])?;
        self.check_strict(&what, &version)?;
        self.unpack(&what, type_name, &manifest, |guard, fields| match manifest.type_version() {
            1 => guard.read(fields),
            other => Err(serde::de::Error::custom(no_migration(other, 1))),
        })
    }

    /// Loads the component that `reference` names, of whatever type.
    ///
    /// # Errors
    /// As [`load`](Larder::load); [`Error::NotLinked`] if its type is not linked in.
    pub fn load_component(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Box<dyn Component>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        self.load_named(&reference).map(|(_, component)| component)
    }

    /// Loads the model that `reference` names, of whatever type: any format in, any format out.
    ///
    /// Before it predicts first, [`setup`](crate::Hooks::setup) runs.
    ///
    /// # Errors
    /// As [`load_component`](Larder::load_component); [`Error::NotAModel`] if it cannot predict.
    pub fn load_model(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Arc<dyn Model>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let model = self.load_component_ready(reference)?;
        match model.peek().as_model() {
            Some(_) => Ok(Arc::new(ReadyModel(model))),
            None => Err(Error::NotAModel {
                reference: model.version().reference().to_string(),
                type_tag: model.peek().type_tag().to_owned(),
            }),
        }
    }

    /// The component, and the record of the version that it is.
    pub(super) fn load_named(
        &self,
        reference: &Reference,
    ) -> Result<(VersionRecord, Box<dyn Component>)> {
        let version = self.find(reference)?;
        let component = self.load_at(reference.identifier(), &version)?;
        Ok((version, component))
    }

    /// The component that a version is, of whatever type.
    pub(crate) fn load_at(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Box<dyn Component>> {
        let (what, manifest) = self.open_record(name, version)?;
        let tag = manifest.type_tag().as_str();
        if tag == VALUE_TYPE {
            return Err(Error::Refused {
                action: format!("load {what} as a component"),
                reason: "it is a plain value; use `load_object`".into(),
            });
        }
        self.check_strict(&what, version)?;
        let found = self.registry.find_type(tag, &what, version.origin.as_deref());
        let entry = found.map_err(|error| with_source(error, &what, &manifest))?;
        let mut component = self.unpack(&what, entry.rust_type(), &manifest, |guard, fields| {
            erased(guard, fields, |fields| match manifest.type_version() {
                wrote if wrote == entry.version => (entry.read)(fields),
                older => (entry.migrate)(older, fields),
            })
        })?;
        component.set_cache(&self.cache);
        post_init(&mut *component, || what, NOT_LOADED)?;
        Ok(component)
    }

    /// The version that a reference means: what to call it, its record, its manifest.
    pub(crate) fn open_version(
        &self,
        reference: &Reference,
    ) -> Result<(String, VersionRecord, Manifest)> {
        let version = self.find(reference)?;
        let (what, manifest) = self.open_record(reference.identifier(), &version)?;
        Ok((what, version, manifest))
    }

    /// What to call a version, and its manifest.
    pub(crate) fn open_record(
        &self,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<(String, Manifest)> {
        let selector = Selector::Version(version.version);
        let what = Reference::new(name.clone(), selector).to_string();
        let json = self
            .store
            .get_checked(&version.manifest, None, || format!("the manifest of {what}"))?;
        let manifest = Manifest::from_json(&json, &what)?;
        Ok((what, manifest))
    }

    fn unpack<T>(
        &self,
        what: &str,
        type_name: &str,
        manifest: &Manifest,
        read: impl FnOnce(
            &Guard,
            &mut serde_json::Deserializer<serde_json::de::StrRead<'_>>,
        ) -> serde_json::Result<T>,
    ) -> Result<T> {
        let shelf = ArtifactReader::new(self, what.to_owned());
        shelf.set_entries(manifest.artifacts(), manifest.children());
        let guard = Guard::for_bytes(Rules::JSON, manifest.fields().len());
        let mut fields = serde_json::Deserializer::from_str(manifest.fields());
        let value = scope::unpacking(&Arc::new(shelf), || {
            let value = read(&guard, &mut fields)?;
            fields.end().map(|()| value)
        });
        value.map_err(|error| {
            let (path, source) = guard.error(error).into_parts();
            let (what, type_name) = (what.to_owned(), type_name.to_owned());
            Error::Decode { what, type_name, path, source }
        })
    }
}

fn check_tag(what: &str, manifest: &Manifest, tag: &str, aliases: &[&str]) -> Result<()> {
    let found = manifest.type_tag().as_str();
    if found == tag || aliases.contains(&found) {
        return Ok(());
    }
    Err(Error::WrongType {
        reference: what.to_owned(),
        expected: tag.to_owned(),
        found: found.to_owned(),
    })
}

/// Reads fields behind `dyn`.
pub(super) fn erased<'de, T, D: serde::Deserializer<'de>>(
    guard: &Guard,
    fields: D,
    read: impl FnOnce(&mut dyn erased_serde::Deserializer<'de>) -> Result<T, erased_serde::Error>,
) -> Result<T, D::Error> {
    let mut fields = <dyn erased_serde::Deserializer<'_>>::erase(guard.deserializer(fields));
    read(&mut fields).map_err(serde::de::Error::custom)
}

/// The error, with the way to the source text if the manifest keeps one.
fn with_source(error: Error, what: &str, manifest: &Manifest) -> Error {
    match (error, manifest.source()) {
        (Error::NotLinked { kind, name, needed_by, mut hint, known }, Some(source)) => {
            let file = if source.file.is_empty() { "" } else { " of " };
            hint += &format!("; its source{file}{} is stored with {what}", source.file);
            Error::NotLinked { kind, name, needed_by, hint, known }
        }
        (error, _) => error,
    }
}
