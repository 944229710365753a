//! `load`: from a version to a component.

use std::any::{Any, type_name};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::objects::OBJECT;
use super::{Larder, Shelf};
use crate::component::{Component, ComponentType, no_migration};
use crate::error::{Error, Result};
use crate::guard::{Guard, Rules};
use crate::manifest::Manifest;
use crate::model::{Model, Signature};
use crate::record::VersionRecord;
use crate::reference::{Reference, Selector};
use crate::scope;
use crate::store::StoreExt;

impl Larder {
    /// Loads the component that `reference` names, as its own type.
    ///
    /// Its fields are checked and decoded; its artifacts stay in the store until they are used. Nothing
    /// that is stored is executed.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::WrongType`] if it is of another type; [`Error::Decode`] if a field was
    /// removed, added without a default or retyped since; [`Error::Corrupt`]; [`Error::NewerFormat`].
    pub fn load<T: ComponentType>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<T> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let (what, version, manifest) = self.open_version(&reference)?;
        check_tag(&what, &manifest, T::TAG, T::ALIASES)?;
        self.check_strict(&what, &version)?;
        #[cfg_attr(not(feature = "files"), expect(unused_mut))]
        let mut component: T =
            self.unpack(&what, type_name::<T>(), &manifest, |guard, fields| {
                match manifest.type_version() {
                    wrote if wrote == T::VERSION => guard.read(fields),
                    older => erased(guard, fields, |fields| T::migrate(older, fields)),
                }
            })?;
        #[cfg(feature = "files")]
        self.give_cache(&mut component);
        Ok(component)
    }

    /// Tells a loaded component of the cache that the user named.
    #[cfg(feature = "files")]
    fn give_cache(&self, component: &mut dyn Component) {
        if let Some(folder) = self.cache.named() {
            component.set_cache(folder);
        }
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
    /// # Errors
    /// As [`load_component`](Larder::load_component); [`Error::NotAModel`] if it cannot predict.
    pub fn load_model(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Arc<dyn Model>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let (what, component) = self.load_named(&reference)?;
        let type_tag = component.type_tag();
        match component.as_model() {
            Some(_) => Ok(Arc::new(Loaded(component))),
            None => Err(Error::NotAModel { reference: what, type_tag: type_tag.to_owned() }),
        }
    }

    fn load_named(&self, reference: &Reference) -> Result<(String, Box<dyn Component>)> {
        let (what, version, manifest) = self.open_version(reference)?;
        let tag = manifest.type_tag().as_str();
        if tag == OBJECT {
            return Err(Error::Refused {
                what: format!("loading {what} as a component"),
                reason: "it is a plain value: `load_object` loads it".into(),
            });
        }
        self.check_strict(&what, &version)?;
        let found = self.registry.find_type(tag, &what, version.origin.as_deref());
        let entry = found.map_err(|error| with_source(error, &what, &manifest))?;
        #[cfg_attr(not(feature = "files"), expect(unused_mut))]
        let mut component = self.unpack(&what, entry.rust_type(), &manifest, |guard, fields| {
            erased(guard, fields, |fields| match manifest.type_version() {
                wrote if wrote == entry.version => (entry.read)(fields),
                older => (entry.migrate)(older, fields),
            })
        })?;
        #[cfg(feature = "files")]
        {
            crate::class::ClassComponent::give_cache(&mut *component, &self.cache);
            self.give_cache(&mut *component);
        }
        Ok((what, component))
    }

    /// The version that a reference means: what to call it, its record, its manifest.
    pub(crate) fn open_version(
        &self,
        reference: &Reference,
    ) -> Result<(String, VersionRecord, Manifest)> {
        let version = self.find(reference)?;
        let selector = Selector::Version(version.version);
        let what = Reference::new(reference.identifier().clone(), selector).to_string();
        let json = self
            .store
            .get_checked(&version.manifest, None, || format!("the manifest of {what}"))?;
        let manifest = Manifest::from_json(&json, &what)?;
        Ok((what, version, manifest))
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
        let shelf = Shelf::new(self, what.to_owned());
        shelf.set_entries(manifest.artifacts());
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
fn erased<'de, T, D: serde::Deserializer<'de>>(
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
            hint += &format!(
                "; its source{file}{} is kept: `larder show --source {what}` prints it",
                source.file
            );
            Error::NotLinked { kind, name, needed_by, hint, known }
        }
        (error, _) => error,
    }
}

/// A component that is known to be a model.
struct Loaded(Box<dyn Component>);

impl Loaded {
    fn model(&self) -> Result<&dyn Model> {
        self.0.as_model().ok_or_else(|| Error::predict("the component is no longer a model"))
    }
}

impl Model for Loaded {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_batch_erased(input, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_json_erased(input)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_batch_json_erased(input)
    }

    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        self.model()?.predict_any(input, output)
    }

    fn signature(&self) -> Signature {
        match self.0.as_model() {
            Some(model) => model.signature(),
            None => Signature::default(),
        }
    }
}
