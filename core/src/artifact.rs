//! Artifacts: values whose bytes live outside the manifest.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer as SerdeSerializer};

use crate::caught::caught;
use crate::digest::Digest;
use crate::error::{BoxError, Error, Result};
use crate::guard::GuardError;
use crate::larder::{ArtifactReader, ArtifactWriter};
use crate::manifest::ArtifactEntry;
use crate::scope;
use crate::serializer::Serializer;
use crate::store::{Blob, StoreExt};

/// A value of type `T` that is kept as bytes of its own, written by the serializer `S`.
///
/// An artifact is an ordinary serde field at any depth: in a `Vec`, an `Option`, an enum, a nested
/// struct, another artifact. `apply` streams its bytes into the store; `load` leaves them there until
/// [`get`](Artifact::get) is called, which checks and decodes them once. What was loaded or applied and
/// not changed since is not encoded again.
///
/// "Changed" means through [`get_mut`](Artifact::get_mut) or by putting another artifact in its place. A
/// change behind a `&T` (a `Mutex`, a `Cell`, an atomic inside `T`) is not seen: call `get_mut`
/// after it.
///
/// The crate `larder` has an alias that makes MessagePack the default for `S`.
pub struct Artifact<T, S> {
    /// Shared with a copy of the component that it is a field of, while that is applied.
    held: Arc<Held<T>>,
    /// The serializer chosen by name, if it is not `S`.
    chosen: Option<Arc<str>>,
    serializer: PhantomData<fn() -> S>,
}

/// What an artifact is: a value, or bytes, or both.
struct Held<T> {
    value: OnceLock<T>,
    /// Where the same bytes are stored; locked while they are decoded, so that it happens once.
    stored: Mutex<Option<StoredArtifact>>,
}

impl<T> Held<T> {
    fn slot(&self) -> MutexGuard<'_, Option<StoredArtifact>> {
        // A panic in a decoder leaves the slot as it was.
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An artifact's bytes on a shelf.
#[derive(Clone)]
pub struct StoredArtifact {
    pub(crate) entry: ArtifactEntry,
    pub(crate) shelf: Arc<ArtifactReader>,
}

impl StoredArtifact {
    /// Its entry in the manifest.
    pub fn entry(&self) -> &ArtifactEntry {
        &self.entry
    }

    /// Its blob, as the store has it; it is not checked.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn blob(&self) -> Result<Option<Blob>> {
        self.shelf.store().read_blob(&self.entry.digest)
    }

    /// The bytes of its blob, compared with its digest and size.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn bytes_of(&self, blob: Option<Blob>) -> Result<Bytes> {
        self.shelf.bytes_of(&self.entry, blob)
    }

    /// What to call it in an error.
    pub fn describe(&self) -> String {
        self.shelf.describe(&self.entry)
    }
}

impl<T, S> Artifact<T, S> {
    /// An artifact written by `S`.
    pub fn new(value: T) -> Self {
        Self::from_parts(OnceLock::from(value), None, None)
    }

    /// An artifact written by the serializer that is registered under `name`.
    ///
    /// With `S` = [`ByName`](crate::ByName) the type needs no serializer at compile time.
    pub fn named(name: &str, value: T) -> Self {
        Self::from_parts(OnceLock::from(value), None, Some(name.into()))
    }

    fn from_parts(
        value: OnceLock<T>,
        stored: Option<StoredArtifact>,
        chosen: Option<Arc<str>>,
    ) -> Self {
        let held = Arc::new(Held { value, stored: Mutex::new(stored) });
        Self { held, chosen, serializer: PhantomData }
    }

    /// Whether the value is in memory: it was made here, or [`get`](Artifact::get) was called.
    pub fn is_decoded(&self) -> bool {
        self.held.value.get().is_some()
    }

    /// The digest of the value's bytes, if they are stored: it was loaded or applied, and not changed
    /// since.
    pub fn digest(&self) -> Option<Digest> {
        self.slot().as_ref().map(|stored| stored.entry.digest)
    }

    /// Where its bytes are stored, if they are.
    pub fn stored(&self) -> Option<StoredArtifact> {
        self.slot().clone()
    }

    fn slot(&self) -> MutexGuard<'_, Option<StoredArtifact>> {
        self.held.slot()
    }
}

impl<T: 'static, S: Serializer<T>> Artifact<T, S> {
    /// The value, checked and decoded on first use.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if the bytes are not those that were written, [`Error::NotLinked`] if their
    /// serializer is not linked in, [`Error::Decode`] if they do not fit `T` or the serializer panicked,
    /// [`Error::Refused`] if the serializer that is linked in is another than the one that the larder has a
    /// record of.
    pub fn get(&self) -> Result<&T> {
        let value = &self.held.value;
        if let Some(value) = value.get() {
            return Ok(value);
        }
        let stored = self.slot();
        if value.get().is_none()
            && let Some(stored) = &*stored
        {
            // The lock is held, so nobody else sets it meanwhile.
            let _ = value.set(read::<T, S>(stored)?);
        }
        drop(stored);
        value.get().ok_or_else(empty::<T>)
    }

    /// The value, to be changed: the next `apply` encodes it again.
    ///
    /// # Errors
    /// As [`get`](Artifact::get).
    pub fn get_mut(&mut self) -> Result<&mut T> {
        self.get()?;
        self.part()?;
        let held = Arc::get_mut(&mut self.held).ok_or_else(empty::<T>)?;
        *held.stored.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        held.value.get_mut().ok_or_else(empty::<T>)
    }

    /// The value itself.
    ///
    /// # Errors
    /// As [`get`](Artifact::get).
    pub fn into_inner(mut self) -> Result<T> {
        self.get()?;
        self.part()?;
        let held = Arc::into_inner(self.held).ok_or_else(empty::<T>)?;
        held.value.into_inner().ok_or_else(empty::<T>)
    }

    /// Sees to it that the value is nobody else's: one that is shared is encoded and decoded.
    fn part(&mut self) -> Result<()> {
        if Arc::get_mut(&mut self.held).is_some() {
            return Ok(());
        }
        let value = self.get()?;
        let copied = caught(S::NAME, || {
            scope::copying(|| {
                let mut bytes = Vec::new();
                S::encode(value, &mut bytes)?;
                S::decode(&bytes.into())
            })
        });
        let value = copied.and_then(|copied| copied).map_err(|source| Error::Encode {
            what: format!("a copy of the artifact `{}`", type_name::<T>()),
            source,
        })?;
        let held = Held { value: OnceLock::from(value), stored: Mutex::default() };
        self.held = Arc::new(held);
        Ok(())
    }

    /// Sees to it that the bytes are in the packer's store.
    fn pack(&self, packer: &ArtifactWriter) -> Result<ArtifactEntry> {
        let stored = self.slot().clone();
        if let Some(stored) = stored {
            match packer.adopt(&stored) {
                Ok(()) => return Ok(stored.entry),
                // The bytes are gone, but the value is here: it is written anew.
                Err(_) if self.is_decoded() => {}
                Err(error) => return Err(error),
            }
        }
        let name = self.chosen.as_deref().unwrap_or(S::NAME);
        let fresh = packer.pack::<T, S>(name, self.get()?)?;
        if !packer.is_dry_run() {
            *self.slot() = Some(fresh.clone());
        }
        Ok(fresh.entry)
    }
}

/// An artifact always has a value or stored bytes.
fn empty<T>() -> Error {
    Error::Decode {
        what: "an artifact".into(),
        type_name: type_name::<T>().into(),
        path: String::new(),
        source: "it holds neither a value nor stored bytes".into(),
    }
}

fn read<T: 'static, S: Serializer<T>>(stored: &StoredArtifact) -> Result<T> {
    let StoredArtifact { entry, shelf } = stored;
    shelf.check_serializer::<T, S>(&entry.serializer, || {
        format!("read {}", shelf.describe(entry))
    })?;
    let bytes = shelf.fetch(entry)?;
    let name = &*entry.serializer;
    let decoded = caught(name, || {
        scope::unpacking(shelf, || {
            if name == S::NAME {
                return Ok(S::decode(&bytes));
            }
            let needed_by = shelf.describe(entry);
            shelf.registry().decode::<T, S>(name, &bytes, &needed_by)
        })
    });
    let value = decoded.unwrap_or_else(|panic| Ok(Err(panic)));
    value
        .map_err(|error| shelf.explain(error))?
        .map_err(|error| decode_error::<T>(shelf.describe(entry), error))
}

fn decode_error<T>(what: String, error: BoxError) -> Error {
    let (path, source) = match error.downcast::<GuardError>() {
        Ok(error) => error.into_parts(),
        Err(error) => (String::new(), error),
    };
    Error::Decode { what, type_name: type_name::<T>().into(), path, source }
}

impl<T, S> From<T> for Artifact<T, S> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default, S> Default for Artifact<T, S> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Clone, S> Clone for Artifact<T, S> {
    fn clone(&self) -> Self {
        let stored = self.slot();
        Self::from_parts(self.held.value.clone(), stored.clone(), self.chosen.clone())
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Artifact<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.held.value.get(), &*self.slot()) {
            (Some(value), _) => write!(f, "Artifact({value:?})"),
            (None, Some(stored)) => write!(f, "Artifact({:?}, not read yet)", stored.entry.digest),
            (None, None) => f.write_str("Artifact"),
        }
    }
}

/// What stands in a manifest's fields, or in an artifact's bytes, in the place of an artifact.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Link {
    #[serde(rename = "$artifact")]
    pub(crate) digest: Digest,
    pub(crate) serializer: String,
}

/// What an artifact is outside of a larder: its bytes, and who wrote them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Embedded {
    serializer: String,
    bytes: EmbeddedBytes,
}

impl<T: 'static, S: Serializer<T>> Serialize for Artifact<T, S> {
    fn serialize<Z: SerdeSerializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        if let Some(copying) = scope::copying_now() {
            let digest = copying.lend(Arc::clone(&self.held));
            let name = self.chosen.as_deref().unwrap_or(S::NAME).to_owned();
            return Link { digest, serializer: name }.serialize(serializer);
        }
        match scope::packer() {
            Some(packer) => {
                let entry =
                    self.pack(&packer).map_err(|error| Z::Error::custom(packer.fail(error)))?;
                Link { digest: entry.digest, serializer: entry.serializer }.serialize(serializer)
            }
            None => {
                let value = self.get().map_err(Z::Error::custom)?;
                if self.chosen.is_some() {
                    return Err(Z::Error::custom(
                        "an artifact whose serializer is chosen by name can only be applied to a larder",
                    ));
                }
                let mut bytes = Vec::new();
                caught(S::NAME, || S::encode(value, &mut bytes))
                    .and_then(|encoded| encoded)
                    .map_err(Z::Error::custom)?;
                Embedded { serializer: S::NAME.to_owned(), bytes: EmbeddedBytes(bytes.into()) }
                    .serialize(serializer)
            }
        }
    }
}

impl<'de, T: 'static, S: Serializer<T>> Deserialize<'de> for Artifact<T, S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if let Some(copying) = scope::copying_now() {
            let Link { digest, serializer } = Link::deserialize(deserializer)?;
            let held = copying.borrow(&digest).ok_or_else(|| {
                D::Error::custom("it was an artifact of another type when it was written")
            })?;
            let chosen = (serializer != S::NAME).then(|| serializer.into());
            return Ok(Self { held, chosen, serializer: PhantomData });
        }
        match scope::shelf() {
            Some(shelf) => {
                let link = Link::deserialize(deserializer)?;
                // Without a serializer of its own the field goes on with the one that was chosen.
                let chosen = S::NAME.is_empty().then(|| link.serializer.as_str().into());
                let entry = shelf.entry(link).map_err(D::Error::custom)?;
                Ok(Self::from_parts(OnceLock::new(), Some(StoredArtifact { entry, shelf }), chosen))
            }
            None => {
                let embedded = Embedded::deserialize(deserializer)?;
                if embedded.serializer != S::NAME {
                    return Err(D::Error::custom(format_args!(
                        "the artifact was written by `{}` and cannot be read by `{}`",
                        embedded.serializer,
                        S::NAME
                    )));
                }
                caught(S::NAME, || S::decode(&embedded.bytes.0))
                    .and_then(|decoded| decoded)
                    .map(Self::new)
                    .map_err(D::Error::custom)
            }
        }
    }
}

/// Bytes; in formats for people, base64.
struct EmbeddedBytes(Bytes);

impl Serialize for EmbeddedBytes {
    fn serialize<Z: SerdeSerializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
        use base64::Engine as _;
        if serializer.is_human_readable() {
            serializer.serialize_str(&base64::prelude::BASE64_STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for EmbeddedBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use base64::Engine as _;
        if deserializer.is_human_readable() {
            let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            let bytes = base64::prelude::BASE64_STANDARD.decode(text.as_bytes());
            bytes.map(|bytes| Self(bytes.into())).map_err(D::Error::custom)
        } else {
            Bytes::deserialize(deserializer).map(Self)
        }
    }
}
