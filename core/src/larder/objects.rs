//! Values without a component type, stored by name and tag.

use std::any::type_name;
use std::marker::PhantomData;

use larder_records::{Reference, Selector};
use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer as SerdeSerializer};

use super::{Applied, Larder};
use crate::artifact::{Artifact, Link};
use crate::error::{Error, Result};
use crate::name::{Identifier, LATEST, TagName};
use crate::scope;
use crate::serializer::Serializer;

/// The type tag of values without a component type.
pub const VALUE_TYPE: &str = "larder/value";

/// The fields of their manifest.
#[derive(Serialize, Deserialize)]
struct Object<V> {
    value: V,
}

/// A borrowed value that is encoded as an artifact.
struct Lent<'a, T, S>(&'a T, PhantomData<S>);

impl<T: 'static, S: Serializer<T>> Serialize for Lent<'_, T, S> {
    fn serialize<Z: SerdeSerializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        let Some(packer) = scope::writer() else {
            return Err(Z::Error::custom("a lent value can only be applied to a larder"));
        };
        let packed = packer.pack::<T, S>(S::NAME, self.0);
        let entry = packed.map_err(|error| Z::Error::custom(packer.fail(error)))?.entry;
        Link { digest: entry.digest, serializer: entry.serializer }.serialize(serializer)
    }
}

/// Stores values without a component type, by name and tag, encoded by a serializer.
///
/// [`Objects`](https://docs.rs/larder/latest/larder/trait.Objects.html) of the crate `larder` uses MessagePack.
pub trait LarderObjects {
    /// Applies a value as a new version of `name`, and moves `tag` to it.
    ///
    /// Only the tag moves if the newest version has the same content.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the name or the tag, before anything is written: `latest` is reserved. As
    /// [`Larder::apply`].
    fn store_object_as<T: 'static, S: Serializer<T>>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        value: &T,
    ) -> Result<Applied>;

    /// Loads the value that `tag` of `name` names; `latest` is the newest version.
    ///
    /// The serializer that wrote it decodes it, which may differ from `S`.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::WrongType`] for a component; as [`Larder::load`] and [`Artifact::get`].
    fn load_object_as<T: 'static, S: Serializer<T>>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: &str,
    ) -> Result<T>;
}

impl LarderObjects for Larder {
    fn store_object_as<T: 'static, S: Serializer<T>>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        value: &T,
    ) -> Result<Applied> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let tag: TagName = tag.try_into().map_err(Into::into)?;
        let fields = Object { value: Lent::<T, S>(value, PhantomData) };
        let applied = self.commit_value(&name, VALUE_TYPE, &fields)?;
        self.tag(applied.version().reference(), tag)?;
        Ok(applied)
    }

    fn load_object_as<T: 'static, S: Serializer<T>>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: &str,
    ) -> Result<T> {
        let selector = match tag {
            LATEST => Selector::Latest,
            tag => Selector::Tag(TagName::new(tag)?),
        };
        let reference = Reference::new(name.try_into().map_err(Into::into)?, selector);
        let object: Object<Artifact<T, S>> =
            self.decode_fields(&self.resolve(&reference)?, VALUE_TYPE, type_name::<T>())?;
        object.value.into_inner()
    }
}
