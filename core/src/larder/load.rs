//! `load`: resolves a reference, and decodes the version.

use std::sync::Arc;

use larder_records::Reference;

use super::ready::ReadyModel;
use super::{Larder, LarderExt, Ready};
use crate::component::{Component, ComponentType};
use crate::error::{Error, Result};
use crate::model::Model;

impl Larder {
    /// Loads a component as a `T`.
    ///
    /// Its artifacts are loaded on first use. Nothing stored is executed. Of its [`Hooks`](crate::Hooks), `post_init`
    /// runs; [`load_ready`](Larder::load_ready) also runs `setup` on first use.
    ///
    /// # Errors
    /// [`Error::Hook`] if `post_init` fails; [`Error::NotFound`]; [`Error::WrongType`] if it is of another type;
    /// [`Error::Decode`] if a field was removed, retyped or added without a default; [`Error::Corrupt`];
    /// [`Error::NewerFormat`].
    pub fn load<T: ComponentType>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<T> {
        self.decode_as(&self.resolve(&reference.try_into().map_err(Into::into)?)?)
    }

    /// Loads a component as a `T`, with `setup` on first use.
    ///
    /// # Errors
    /// As [`load`](Larder::load).
    pub fn load_ready<T: ComponentType>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Ready<T>> {
        let version = self.resolve(&reference.try_into().map_err(Into::into)?)?;
        Ok(Ready::new(self, version.info(), Box::new(self.decode_as(&version)?)))
    }

    /// Loads a component of any linked type.
    ///
    /// # Errors
    /// As [`load`](Larder::load); [`Error::NotLinked`] if its type is not linked in.
    pub fn load_component(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Box<dyn Component>> {
        self.decode_component(&self.resolve(&reference.try_into().map_err(Into::into)?)?)
    }

    /// Loads a model of any linked type, with [`setup`](crate::Hooks::setup) before the first prediction.
    ///
    /// # Errors
    /// As [`load_component`](Larder::load_component); [`Error::NotAModel`] if it cannot predict.
    pub fn load_model(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Arc<dyn Model>> {
        let model = self.load_component_ready(reference)?;
        match model.peek().as_model() {
            Some(_) => Ok(Arc::new(ReadyModel(model))),
            None => Err(Error::NotAModel {
                reference: model.version().reference().to_string(),
                type_tag: model.peek().type_tag().to_owned(),
            }),
        }
    }
}
