//! `load`: from a version to a component.

use std::any::{Any, type_name};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::objects::OBJECT;
use super::{Larder, Shelf};
use crate::component::{Component, ComponentType};
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
        self.load_as(&reference, T::TAG, type_name::<T>())
    }

    /// Loads the fields of a version of the type `tag` as a `T`.
    pub(crate) fn load_as<T: DeserializeOwned>(
        &self,
        reference: &Reference,
        tag: &str,
        type_name: &str,
    ) -> Result<T> {
        let (what, version, manifest) = self.open_version(reference)?;
        let found = manifest.type_tag().as_str();
        if found != tag {
            return Err(Error::WrongType {
                reference: what,
                expected: tag.to_owned(),
                found: found.to_owned(),
            });
        }
        self.check_strict(&what, &version)?;
        self.unpack(&what, type_name, &manifest, |guard, fields| guard.read(fields))
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
            let mut erased =
                <dyn erased_serde::Deserializer<'_>>::erase(guard.deserializer(fields));
            (entry.read)(&mut erased).map_err(serde::de::Error::custom)
        })?;
        #[cfg(feature = "files")]
        crate::class::ClassComponent::give_cache(&mut *component, &self.cache);
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
        let shelf =
            Shelf::new(Arc::clone(&self.store), Arc::clone(&self.registry), what.to_owned());
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
