//! Records of serializers.

use std::any::TypeId;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::{Applied, ArtifactReader, Larder};
use crate::component::ComponentType;
use crate::error::{BoxError, Error, ItemKind, Result};
use crate::name::Identifier;
use crate::panics::catch_serializer_panic;
use crate::registry;
use crate::scope;
use crate::serializer::{DynSerializer, Serializer, StaticSerializer};
use crate::serializer_record::SerializerRecord;

/// The records of serializers: [`Larder::serializers`].
#[derive(Debug, Clone, Copy)]
pub struct Serializers<'a>(&'a Larder);

impl Larder {
    /// Returns the handle on the records of serializers.
    pub fn serializers(&self) -> Serializers<'_> {
        Serializers(self)
    }
}

impl Serializers<'_> {
    /// Applies a record of the registered serializer `serializer` as the component `serializers/NAME`.
    ///
    /// The record holds the crate that provides the serializer, where to get it, its types, and the encoding of its
    /// sample. From then on
    /// - errors of programs without the serializer name its source;
    /// - a serializer of the same name that decodes the sample to another value is refused before it reads or writes.
    ///
    /// ```
    /// use larder_core::{BoxError, Item, Registry, Serializer};
    /// use larder_core::bytes::Bytes;
    ///
    /// # #[derive(Debug)]
    /// struct Kelvin(f32); // a type without serde
    /// struct KelvinBytes; // its serializer
    ///
    /// impl Serializer<Kelvin> for KelvinBytes {
    ///     const NAME: &'static str = "kelvin-le";
    ///     const NOTE: Option<&'static str> = Some("the crate `oven`, with its feature `larder`");
    ///     fn encode(value: &Kelvin, out: &mut dyn std::io::Write) -> Result<(), BoxError> {
    ///         Ok(out.write_all(&value.0.to_le_bytes())?)
    ///     }
    ///     fn decode(bytes: &Bytes) -> Result<Kelvin, BoxError> {
    ///         Ok(Kelvin(f32::from_le_bytes(bytes[..].try_into()?)))
    ///     }
    ///     fn sample() -> Option<Kelvin> {
    ///         Some(Kelvin(294.65))
    ///     }
    /// }
    ///
    /// larder_core::link!(Item::serializer::<Kelvin, KelvinBytes>());
    ///
    /// let larder = Registry::linked()?.open("memory:")?;
    /// assert!(larder.serializers().apply("kelvin-le")?.is_created());
    /// let record = larder.serializers().record("kelvin-le")?.expect("it was just applied");
    /// assert!(record.types[0].fingerprint().is_some());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotLinked`] if it is not registered; [`Error::InvalidName`] if its name cannot be part of an
    /// identifier; [`Error::Refused`] if it decodes the sample of an earlier record to another value;
    /// [`Error::Encode`] if its sample does not encode the same each time or does not decode again; as
    /// [`Larder::apply`].
    pub fn apply(&self, serializer: &str) -> Result<Applied> {
        let identifier = identifier(serializer)?;
        let known = self.0.registry.serializer(serializer, &identifier.to_string())?;
        let earlier = self.record(serializer)?;
        for pair in self.0.registry.pairs(serializer) {
            if let Some(earlier) = &earlier
                && let Some(fault) = earlier.fault_in(&**pair)?
            {
                return Err(Error::Refused {
                    action: format!("record the serializer `{serializer}`"),
                    reason: format!(
                        "it {fault}, and would misread stored data; give it another name"
                    ),
                });
            }
        }
        self.0.apply(identifier, &SerializerRecord::of(&self.0.registry, known)?)
    }

    /// Returns the newest record of a serializer.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::NewerFormat`]; [`Error::Decode`]; [`Error::Store`].
    pub fn record(&self, serializer: &str) -> Result<Option<SerializerRecord>> {
        let Ok(identifier) = identifier(serializer) else { return Ok(None) };
        match self.0.head(&identifier)?.and_then(|head| head.latest) {
            Some(latest) if latest.type_tag.as_str() == SerializerRecord::TAG => {
                match self.0.load::<SerializerRecord>(&identifier) {
                    Ok(record) => Ok(Some(record).filter(|it| it.serializer == serializer)),
                    // It was removed meanwhile.
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(None),
        }
    }
}

/// Returns the name of a serializer's record.
fn identifier(serializer: &str) -> Result<Identifier> {
    Identifier::new(&format!("serializers/{serializer}"))
}

impl ArtifactReader {
    /// Refuses a serializer that differs from its record; `action` is for the error.
    pub(crate) fn check_serializer<T: 'static, S: Serializer<T>>(
        &self,
        name: &str,
        action: impl FnOnce() -> String,
    ) -> Result<()> {
        let key = || (name.to_owned(), TypeId::of::<StaticSerializer<T, S>>());
        if registry::is_trusted(name) || self.registry().compared().contains(&key()) {
            return Ok(());
        }
        let own = StaticSerializer::<T, S>::new();
        let pair: Option<&dyn DynSerializer> = match name == S::NAME {
            true => Some(&own),
            false => registry::find_pair::<T>(name, self.registry().pairs(name)).ok(),
        };
        // A missing serializer fails later.
        if let Some(pair) = pair
            && let Some(record) = self.larder().serializers().record(name)?
            && let Some(fault) = record.fault_in(pair)?
        {
            return Err(Error::Refused {
                action: action(),
                reason: format!(
                    "the serializer `{name}` that is linked in {fault}; it was written with the one from {}",
                    record.whereabouts()
                ),
            });
        }
        self.registry().compared().insert(key());
        Ok(())
    }

    /// Encodes a value with the serializer `name`; the inner result is the serializer's.
    pub(crate) fn encode_with<T: 'static, S: Serializer<T>>(
        &self,
        name: &str,
        value: &T,
        out: &mut dyn Write,
    ) -> Result<Result<(), BoxError>> {
        let encoded = catch_serializer_panic(name, || {
            if name == S::NAME {
                return Ok(S::encode(value, out));
            }
            self.registry().encode::<T, S>(name, value, out)
        });
        encoded.unwrap_or_else(|panic| Ok(Err(panic))).map_err(|error| self.explain(error))
    }

    /// Decodes a value with the serializer `name`; the inner result is the serializer's.
    pub(crate) fn decode_with<T: 'static, S: Serializer<T>>(
        self: &Arc<Self>,
        name: &str,
        bytes: &Bytes,
        needed_by: impl FnOnce() -> String,
    ) -> Result<Result<T, BoxError>> {
        let decoded = catch_serializer_panic(name, || {
            scope::with_reader(self, || {
                if name == S::NAME {
                    return Ok(S::decode(bytes));
                }
                self.registry().decode::<T, S>(name, bytes, &needed_by())
            })
        });
        decoded.unwrap_or_else(|panic| Ok(Err(panic))).map_err(|error| self.explain(error))
    }

    /// Adds the source of a serializer to the error that it is not linked.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::NotLinked {
                kind: kind @ ItemKind::Serializer,
                name,
                needed_by,
                hint,
                has_source,
                known,
            } => {
                // An error of the record would hide that the serializer is missing.
                let record = self.larder().serializers().record(&name).ok().flatten();
                let hint = match record {
                    Some(record) => format!("its record says: {}", record.whereabouts()),
                    None => hint,
                };
                Error::NotLinked { kind, name, needed_by, hint, has_source, known }
            }
            error => error,
        }
    }
}
