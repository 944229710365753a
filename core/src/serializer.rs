//! Serializers: named ways from a value to bytes and back.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer};

use crate::error::BoxError;

/// A typed pair of encoder and decoder, known at compile time.
///
/// The formats of `larder-serializers` implement it for every serde type. For a type without serde,
/// implement it once, for that type; nothing else is needed.
///
/// `NAME` is written into every manifest beside the bytes, and says both format and configuration:
/// change it whenever older bytes could be misread. Bytes are always read by the serializer that
/// their manifest names.
///
/// An encoder streams: it may write in as many pieces as it likes. A decoder must use the input up
/// to the last byte and must survive any input with an error.
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
    message = "`{Self}` is no serializer for `{T}`",
    note = "a serde format needs `{T}: Serialize + DeserializeOwned`",
    note = "for a type without serde, write `impl Serializer<{T}> for YourFormat` and name the field \
            `Artifact<{T}, YourFormat>`"
)]
pub trait Serializer<T>: 'static {
    /// Format and configuration, such as `msgpack-named`.
    const NAME: &'static str;

    /// Where others get the serializer: kept in its record, and told to whoever lacks it.
    const NOTE: Option<&'static str> = None;

    /// Writes `value` to `out`.
    ///
    /// # Errors
    /// Whatever keeps the value from coming back exactly as it is.
    fn encode(value: &T, out: &mut dyn Write) -> Result<(), BoxError>;

    /// Reads the value that `bytes` hold, all of them.
    ///
    /// # Errors
    /// Whatever is wrong with the bytes; never a panic.
    fn decode(bytes: &Bytes) -> Result<T, BoxError>;

    /// A value that stands for all: the record of the serializer keeps what is written for it, and a
    /// serializer of that name which reads those bytes as another value is refused.
    ///
    /// Written, it is the same each time. Never change it: change `NAME`.
    fn sample() -> Option<T> {
        None
    }

    /// Writes `value` by another format, if `T` can be written by any; serde formats implement it.
    fn encode_by(
        _format: &dyn Format,
        _value: &T,
        _out: &mut dyn Write,
    ) -> Option<Result<(), BoxError>> {
        None
    }

    /// Reads a value written by another format, if `T` can be read by any; serde formats implement
    /// it.
    fn decode_by(_format: &dyn Format, _bytes: &Bytes) -> Option<Result<T, BoxError>> {
        None
    }
}

/// The serializer of artifacts whose serializer is chosen by name at run time.
///
/// Such an artifact is made by [`Artifact::named`](crate::Artifact::named); its name is looked up in
/// the registry.
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

/// What a format can bear, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[non_exhaustive]
pub struct FormatTraits {
    /// Whether the bytes say what they hold, so that other tools can read them.
    pub self_describing: bool,
    /// Whether fields with a default may be added to a type and older bytes still read.
    pub fields_may_be_added: bool,
    /// Whether the format has a written, stable specification.
    pub stable_specification: bool,
}

impl FormatTraits {
    /// The traits in the order of the fields.
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

/// The object-safe twin of a serializer that serves every serde type.
///
/// It is used where a type meets a format only at run time: by name, out of the registry.
pub trait Format: Send + Sync + 'static {
    /// The same name as [`Serializer::NAME`].
    fn name(&self) -> &str;

    /// What it can bear.
    fn traits(&self) -> FormatTraits;

    /// Writes any serde value.
    ///
    /// # Errors
    /// As [`Serializer::encode`].
    fn encode(
        &self,
        value: &dyn erased_serde::Serialize,
        out: &mut dyn Write,
    ) -> Result<(), BoxError>;

    /// Reads any serde value: calls `read` once with a deserializer.
    ///
    /// # Errors
    /// As [`Serializer::decode`].
    fn decode(&self, bytes: &Bytes, read: &mut ReadWith<'_>) -> Result<(), BoxError>;
}

impl dyn Format {
    /// Reads a `T`.
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

/// The seed that a [`Format`] gives to its own typed reader, to call `read` with its deserializer.
pub struct ErasedSeed<'a, 'r>(pub &'a mut ReadWith<'r>);

impl<'de> DeserializeSeed<'de> for ErasedSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let mut erased = <dyn erased_serde::Deserializer<'_>>::erase(deserializer);
        (self.0)(&mut erased).map_err(serde::de::Error::custom)
    }
}

/// The object-safe twin of a serializer that serves one type.
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

/// A [`Serializer`] for one type, as the registry holds it.
pub(crate) struct StaticSerializer<T, S>(PhantomData<fn() -> (T, S)>);

impl<T, S> StaticSerializer<T, S> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

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

/// The error of a pair that is given a value of another type.
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
