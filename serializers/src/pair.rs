//! Pairs of an encoder and a decoder, as values.

use std::any::{Any, TypeId, type_name};
use std::fmt;
use std::io::Write;

use larder_core::BoxError;
use larder_core::bytes::Bytes;
use larder_core::serializers::{DynSerializer, not_served};

type Encode<T> = Box<dyn Fn(&T, &mut dyn Write) -> Result<(), BoxError> + Send + Sync>;
type Decode<T> = Box<dyn Fn(&Bytes) -> Result<T, BoxError> + Send + Sync>;
type Sample<T> = Box<dyn Fn() -> T + Send + Sync>;

/// A serializer for one type, with or without serde, made of two functions at run time.
///
/// Where both are known at compile time, `impl Serializer<T>` needs no registration.
///
/// ```
/// use larder_core::{Artifact, Item, Registry};
/// use larder_core::serializers::ByName;
/// use larder_serializers::FnSerializer;
///
/// struct Celsius(f32); // a type without serde
///
/// let pair = FnSerializer::<Celsius>::new(
///     "celsius-le",
///     |value, out| Ok(out.write_all(&value.0.to_le_bytes())?),
///     |bytes| Ok(Celsius(f32::from_le_bytes(bytes[..].try_into()?))),
/// );
/// let mut registry = Registry::linked()?;
/// registry.register(Item::pair(pair))?;
///
/// // A field of this type is written by the pair:
/// let field: Artifact<Celsius, ByName> = Artifact::named("celsius-le", Celsius(21.5));
/// # Ok::<(), larder_core::Error>(())
/// ```
pub struct FnSerializer<T> {
    name: String,
    encode: Encode<T>,
    decode: Decode<T>,
    note: Option<String>,
    sample: Option<Sample<T>>,
}

impl<T: 'static> FnSerializer<T> {
    /// A pair under a name that says format and configuration.
    ///
    /// The decoder must use the bytes up to the last one, and must survive any bytes with an error.
    pub fn new(
        name: &str,
        encode: impl Fn(&T, &mut dyn Write) -> Result<(), BoxError> + Send + Sync + 'static,
        decode: impl Fn(&Bytes) -> Result<T, BoxError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.to_owned(),
            encode: Box::new(encode),
            decode: Box::new(decode),
            note: None,
            sample: None,
        }
    }

    /// The same pair, with where others get it: see [`Serializer::NOTE`](larder_core::Serializer::NOTE).
    #[must_use]
    pub fn with_note(mut self, note: &str) -> Self {
        self.note = Some(note.to_owned());
        self
    }

    /// The same pair, with a value that stands for all: see
    /// [`Serializer::sample`](larder_core::Serializer::sample).
    #[must_use]
    pub fn with_sample(mut self, sample: impl Fn() -> T + Send + Sync + 'static) -> Self {
        self.sample = Some(Box::new(sample));
        self
    }
}

impl<T: 'static> DynSerializer for FnSerializer<T> {
    fn name(&self) -> &str {
        &self.name
    }

    fn value_type(&self) -> TypeId {
        TypeId::of::<T>()
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    fn sample(&self) -> Option<Box<dyn Any>> {
        self.sample.as_ref().map(|sample| Box::new(sample()) as Box<dyn Any>)
    }

    fn encode(&self, value: &dyn Any, out: &mut dyn Write) -> Result<(), BoxError> {
        match value.downcast_ref() {
            Some(value) => (self.encode)(value, out),
            None => Err(not_served(self)),
        }
    }

    fn decode(&self, bytes: &Bytes) -> Result<Box<dyn Any>, BoxError> {
        Ok(Box::new((self.decode)(bytes)?))
    }
}

impl<T> fmt::Debug for FnSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnSerializer({} for {})", self.name, type_name::<T>())
    }
}
