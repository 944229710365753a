//! Serializers of one's own: keeping a record of them, and asking it.

use std::any::TypeId;

use super::{Applied, ArtifactReader, Larder};
use crate::component::ComponentType;
use crate::error::{Error, ItemKind, Result};
use crate::name::Identifier;
use crate::registry;
use crate::serializer::{DynSerializer, Serializer, StaticSerializer};
use crate::serializer_record::SerializerRecord;

impl Larder {
    /// Keeps a record of the serializer that is registered under `serializer`, as the component
    /// `serializers/NAME`.
    ///
    /// It says which crate brought the serializer, where to get it, which types it serves, and what it
    /// wrote for its sample. From then on
    /// - a program without the serializer is told where to get it;
    /// - a program with another serializer of that name, which reads the sample as another value, is refused
    ///   before it reads or writes anything by it.
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
    /// assert!(larder.apply_serializer("kelvin-le")?.is_created());
    /// let record = larder.serializer_record("kelvin-le")?.expect("it was just applied");
    /// assert!(record.types[0].fingerprint().is_some());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotLinked`] if there is none of that name; [`Error::InvalidName`] if its name cannot be part
    /// of an identifier; [`Error::Refused`] if it reads the sample of an earlier record as something else:
    /// then it wants a name of its own; [`Error::Encode`] if its sample is not written the same each time
    /// or does not come back; and as [`apply`](Larder::apply).
    pub fn apply_serializer(&self, serializer: &str) -> Result<Applied> {
        let identifier = identifier(serializer)?;
        let known = self.registry.serializer(serializer, &identifier.to_string())?;
        let earlier = self.serializer_record(serializer)?;
        for pair in self.registry.pairs(serializer) {
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
        self.apply(identifier, &SerializerRecord::of(&self.registry, known)?)
    }

    /// The newest record of a serializer, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::NewerFormat`]; [`Error::Decode`]; [`Error::Store`].
    pub fn serializer_record(&self, serializer: &str) -> Result<Option<SerializerRecord>> {
        let Ok(identifier) = identifier(serializer) else { return Ok(None) };
        match self.head(&identifier)?.and_then(|head| head.latest) {
            Some(latest) if latest.type_tag.as_str() == SerializerRecord::TAG => {
                match self.load::<SerializerRecord>(&identifier) {
                    Ok(record) => Ok(Some(record).filter(|it| it.serializer == serializer)),
                    // It was removed just now.
                    Err(Error::NotFound { .. }) => Ok(None),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(None),
        }
    }
}

/// Where the record of a serializer is.
fn identifier(serializer: &str) -> Result<Identifier> {
    Identifier::new(&format!("serializers/{serializer}"))
}

impl ArtifactReader {
    /// Refuses a serializer that the larder has a record of and that is not the one recorded. `what` is to
    /// be done with it, for people.
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
        // If there is none, whoever asks for it will say so.
        if let Some(pair) = pair
            && let Some(record) = self.larder().serializer_record(name)?
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

    /// The error of a serializer that is not linked in, with what the larder knows of it.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match error {
            Error::NotLinked { kind: ItemKind::Serializer, name, needed_by, hint, known } => {
                // Whatever befalls the record, what is missing is the serializer.
                let record = self.larder().serializer_record(&name).ok().flatten();
                let hint = match record {
                    Some(record) => format!("its record says: {}", record.whereabouts()),
                    None => hint,
                };
                Error::NotLinked { kind: ItemKind::Serializer, name, needed_by, hint, known }
            }
            error => error,
        }
    }
}
