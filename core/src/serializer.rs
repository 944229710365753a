//! Serializers: named pairs of encoder and decoder.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};

use crate::error::BoxError;

/// A typed pair of encoder and decoder, known at compile time.
///
/// The formats of `larder-serializers` implement it for every serde type. For a type without serde, implement it for
/// that type.
///
/// Manifests record `NAME`, and bytes are always decoded by the serializer with that name. It identifies format and
/// configuration: change it whenever older bytes could be misread.
///
/// Encoders may write in any number of pieces. Decoders must consume the whole input, and must return an error for any
/// invalid input.
///
/// ```
/// use std::io::Write;
/// use larder_core::{BoxError, Serializer};
/// use larder_core::bytes::Bytes;
///
/// struct Celsius(f32); // a type without serde
/// struct CelsiusBytes; // its serializer
///
/// impl Serializer<Celsius> for CelsiusBytes {
///     const NAME: &'static str = "celsius-le";
///     fn encode(value: &Celsius, out: &mut dyn Write) -> Result<(), BoxError> {
///         Ok(out.write_all(&value.0.to_le_bytes())?)
///     }
///     fn decode(bytes: &Bytes) -> Result<Celsius, BoxError> {
///         Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?)))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a serializer for `{T}`",
    note = "a serde format needs `{T}: Serialize + DeserializeOwned`",
    note = "for a type without serde, write `impl Serializer<{T}> for YourFormat` and name the field \
            `Artifact<{T}, YourFormat>`"
)]
pub trait Serializer<T>: 'static {
    /// Format and configuration, such as `msgpack-named`.
    const NAME: &'static str;

    /// The source of the serializer, such as a crate; shown in its record and in errors where it is not linked in.
    const NOTE: Option<&'static str> = None;

    /// Writes `value` to `out`.
    ///
    /// # Errors
    /// The value cannot be restored exactly.
    fn encode(value: &T, out: &mut dyn Write) -> Result<(), BoxError>;

    /// Reads a value from all of `bytes`.
    ///
    /// # Errors
    /// The bytes are invalid. It must not panic.
    fn decode(bytes: &Bytes) -> Result<T, BoxError>;

    /// Returns a sample value. The serializer's record keeps its bytes, and a serializer of that name that reads them as
    /// another value is refused.
    ///
    /// Its encoding must be deterministic. To change the sample, change `NAME`.
    fn sample() -> Option<T> {
        None
    }

    /// Compares a value with what was read back from its bytes, if `T` is a serde type; serde formats implement it.
    ///
    /// Without it, `apply` compares the bytes of both.
    fn compare(_value: &T, _read: &T) -> Option<Result<(), BoxError>> {
        None
    }

    /// Writes `value` in another format, if `T` is a serde type; serde formats implement it.
    fn encode_by(
        _format: &dyn Format,
        _value: &T,
        _out: &mut dyn Write,
    ) -> Option<Result<(), BoxError>> {
        None
    }

    /// Reads a value in another format, if `T` is a serde type; serde formats implement it.
    fn decode_by(_format: &dyn Format, _bytes: &Bytes) -> Option<Result<T, BoxError>> {
        None
    }
}

/// The serializer of artifacts whose serializer is chosen by name at run time.
///
/// Create such an artifact with [`Artifact::named`](crate::Artifact::named); the registry resolves the name.
#[derive(Debug, Clone, Copy)]
pub struct ByName;

impl<T: 'static> Serializer<T> for ByName {
    const NAME: &'static str = "";

    fn encode(_: &T, _: &mut dyn Write) -> Result<(), BoxError> {
        Err("no serializer is named: make the artifact with `Artifact::named(name, value)`".into())
    }

    fn decode(_: &Bytes) -> Result<T, BoxError> {
        Err("no serializer is named in the manifest".into())
    }
}

/// Properties of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FormatTraits {
    /// True if other tools can read the bytes without the Rust type.
    pub self_describing: bool,
    /// True if older bytes can be read after fields with a default are added.
    pub fields_may_be_added: bool,
    /// True if the format has a written, stable specification.
    pub stable_specification: bool,
}

impl FormatTraits {
    /// Creates the properties, in the order of the fields.
    pub const fn new(
        self_describing: bool,
        fields_may_be_added: bool,
        stable_specification: bool,
    ) -> Self {
        Self { self_describing, fields_may_be_added, stable_specification }
    }
}

/// Receives the deserializer of a [`Format`].
pub type ReadWith<'a> =
    dyn FnMut(&mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> + 'a;

/// An object-safe serializer for every serde type, found by name in the registry.
pub trait Format: Send + Sync + 'static {
    /// The same name as [`Serializer::NAME`].
    fn name(&self) -> &str;

    /// Returns its properties.
    fn traits(&self) -> FormatTraits;

    /// Encodes any serde value.
    ///
    /// # Errors
    /// As [`Serializer::encode`].
    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        out: &mut dyn Write,
    ) -> Result<(), BoxError>;

    /// Decodes any serde value: calls `read` once with a deserializer.
    ///
    /// # Errors
    /// As [`Serializer::decode`].
    fn decode(&self, bytes: &Bytes, read: &mut ReadWith<'_>) -> Result<(), BoxError>;
}

impl dyn Format {
    /// Decodes a `T`.
    ///
    /// # Errors
    /// As [`Serializer::decode`].
    pub fn read<T: DeserializeOwned>(&self, bytes: &Bytes) -> Result<T, BoxError> {
        let mut value = None;
        self.decode(bytes, &mut |deserializer| {
            value = Some(erased_serde::deserialize(deserializer)?);
            Ok(())
        })?;
        value.ok_or_else(|| format!("the format `{}` read nothing", self.name()).into())
    }
}

/// A seed that calls `read` with the deserializer of a [`Format`].
pub struct ErasedSeed<'a, 'r>(pub &'a mut ReadWith<'r>);

impl<'de> DeserializeSeed<'de> for ErasedSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        (self.0)(&mut erased).map_err(serde::de::Error::custom)
    }
}

/// An object-safe serializer for one type.
pub trait DynSerializer: Send + Sync + 'static {
    /// The name recorded in manifests.
    fn name(&self) -> &str;

    /// The type it serves.
    fn value_type(&self) -> TypeId;

    /// The name of that type, for people.
    fn type_name(&self) -> &'static str;

    /// As [`Serializer::NOTE`].
    fn note(&self) -> Option<&str> {
        None
    }

    /// As [`Serializer::sample`].
    fn sample(&self) -> Option<Box<dyn Any>> {
        None
    }

    /// Writes `value`, which is of the type it serves.
    ///
    /// # Errors
    /// As [`Serializer::encode`]; also if `value` is of another type.
    fn encode(&self, value: &dyn Any, out: &mut dyn Write) -> Result<(), BoxError>;

    /// Reads a value of the type it serves.
    ///
    /// # Errors
    /// As [`Serializer::decode`].
    fn decode(&self, bytes: &Bytes) -> Result<Box<dyn Any>, BoxError>;
}

/// A [`Serializer`] for one type, in the registry.
pub(crate) struct StaticSerializer<T, S>(PhantomData<fn() -> (T, S)>);

impl<T, S> StaticSerializer<T, S> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

#[deny(clippy::missing_trait_methods)]
impl<T: 'static, S: Serializer<T>> DynSerializer for StaticSerializer<T, S> {
    fn name(&self) -> &str {
        S::NAME
    }

    fn value_type(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn note(&self) -> Option<&str> {
        S::NOTE
    }

    fn sample(&self) -> Option<Box<dyn Any>> {
        S::sample().map(|sample| Box::new(sample) as Box<dyn Any>)
    }

    fn encode(&self, value: &dyn Any, out: &mut dyn Write) -> Result<(), BoxError> {
        match value.downcast_ref() {
            Some(value) => S::encode(value, out),
            None => Err(not_served(self)),
        }
    }

    fn decode(&self, bytes: &Bytes) -> Result<Box<dyn Any>, BoxError> {
        Ok(Box::new(S::decode(bytes)?))
    }
}

/// Returns the error for a value of another type.
pub fn not_served(pair: &dyn DynSerializer) -> BoxError {
    format!("the serializer `{}` serves `{}` only", pair.name(), pair.type_name()).into()
}

impl fmt::Debug for dyn Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Format({})", self.name())
    }
}

impl fmt::Debug for dyn DynSerializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnSerializer({} for {})", self.name(), self.type_name())
    }
}
