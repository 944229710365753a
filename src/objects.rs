//! Serde values by name and tag, in MessagePack.

use larder_core::serializers::LarderObjects;
use larder_core::store::TagName;
use larder_core::{Applied, Error, Identifier, Larder, Result, Serializer};
use larder_serializers::MsgPack;

/// Stores and loads values of any serde type by name and tag, without a component type.
///
/// ```
/// use larder::prelude::*;
///
/// let larder = larder::open("memory:")?;
/// larder.store_object("wine/limits", "prod", &vec![0.5, 14.9])?;
/// let limits: Vec<f64> = larder.load_object("wine/limits", "prod")?;
/// assert_eq!(limits, [0.5, 14.9]);
/// # Ok::<(), larder::Error>(())
/// ```
pub trait Objects {
    /// Stores `value` as a new version of `name`, and tags it.
    ///
    /// # Errors
    /// As [`LarderObjects::store_object_as`].
    fn store_object<T: 'static>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        value: &T,
    ) -> Result<Applied>
    where
        MsgPack: Serializer<T>;

    /// Loads the value with the `tag` of `name`; `latest` is the newest version.
    ///
    /// # Errors
    /// As [`LarderObjects::load_object_as`].
    fn load_object<T: 'static>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: &str,
    ) -> Result<T>
    where
        MsgPack: Serializer<T>;
}

impl Objects for Larder {
    fn store_object<T: 'static>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: impl TryInto<TagName, Error: Into<Error>>,
        value: &T,
    ) -> Result<Applied>
    where
        MsgPack: Serializer<T>,
    {
        self.store_object_as::<T, MsgPack>(name, tag, value)
    }

    fn load_object<T: 'static>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        tag: &str,
    ) -> Result<T>
    where
        MsgPack: Serializer<T>,
    {
        self.load_object_as::<T, MsgPack>(name, tag)
    }
}
