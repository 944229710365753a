//! Artifacts: values whose bytes live outside the manifest.

mod fields;
mod stored;

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub(crate) use self::fields::Link;
pub use self::stored::StoredArtifact;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::larder::{ArtifactReader, ArtifactWriter};
use crate::manifest::ArtifactEntry;
use crate::serializer::Serializer;

/// A value of type `T` whose bytes the serializer `S` writes into a blob of its own.
///
/// An artifact is an ordinary serde field at any depth: in a `Vec`, an `Option`, an enum, a nested struct, another
/// artifact. `apply` streams its bytes into the store; `load` leaves them there until [`get`](Artifact::get) checks
/// and decodes them, once. An unchanged artifact is not encoded again.
///
/// Only [`get_mut`](Artifact::get_mut) and assigning another artifact count as changes. After a change through a `&T`
/// (a `Mutex`, a `Cell`, an atomic inside `T`), call `get_mut`.
///
/// Clones share the value until `get_mut` changes one of them.
///
/// The crate `larder` has an alias with MessagePack as the default `S`.
pub struct Artifact<T, S> {
    content: Arc<Content<T>>,
    /// The serializer chosen by name, if it is not `S`.
    chosen: Option<Arc<str>>,
    serializer: PhantomData<fn() -> S>,
}

/// A value, or bytes, or both.
struct Content<T> {
    value: OnceLock<T>,
    /// The stored bytes. Locked while decoding, so concurrent readers decode once.
    stored: Mutex<Option<StoredArtifact>>,
    /// Clones the value; set when an artifact is cloned, which alone makes the content shared.
    clone: OnceLock<fn(&T) -> T>,
}

impl<T> Content<T> {
    fn stored(&self) -> MutexGuard<'_, Option<StoredArtifact>> {
        // A panic in a decoder leaves the value unchanged.
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, S> Artifact<T, S> {
    /// Creates an artifact written by `S`.
    pub fn new(value: T) -> Self {
        Self::from_parts(OnceLock::from(value), None, None)
    }

    /// Creates an artifact written by the serializer that is registered under `name`.
    ///
    /// With `S` = [`ByName`](crate::serializers::ByName) the type needs no serializer at compile time.
    pub fn named(name: &str, value: T) -> Self {
        Self::from_parts(OnceLock::from(value), None, Some(name.into()))
    }

    /// Creates an artifact from its stored bytes, which the serializer `S` wrote.
    pub fn from_stored(stored: StoredArtifact) -> Self {
        Self::from_parts(OnceLock::new(), Some(stored), None)
    }

    fn from_parts(
        value: OnceLock<T>,
        stored: Option<StoredArtifact>,
        chosen: Option<Arc<str>>,
    ) -> Self {
        let content = Content { value, stored: Mutex::new(stored), clone: OnceLock::new() };
        Self { content: Arc::new(content), chosen, serializer: PhantomData }
    }

    /// Returns whether the value is in memory: it was created here, or [`get`](Artifact::get) was called.
    pub fn is_decoded(&self) -> bool {
        self.content.value.get().is_some()
    }

    /// Returns the digest of the value's bytes, if it was loaded or applied and not changed since.
    pub fn digest(&self) -> Option<Digest> {
        self.content.stored().as_ref().map(|stored| stored.entry.digest)
    }

    /// Returns the stored bytes, if it was loaded or applied and not changed since.
    pub fn stored(&self) -> Option<StoredArtifact> {
        self.content.stored().clone()
    }
}

impl<T: 'static, S: Serializer<T>> Artifact<T, S> {
    /// Returns the value, checked and decoded on first use.
    ///
    /// # Errors
    /// - [`Error::Corrupt`] if the bytes do not match their digest,
    /// - [`Error::NotLinked`] if their serializer is not linked in,
    /// - [`Error::Decode`] if they do not fit `T`, or the serializer panicked,
    /// - [`Error::Refused`] if the larder records another serializer under that name.
    pub fn get(&self) -> Result<&T> {
        let value = &self.content.value;
        if let Some(value) = value.get() {
            return Ok(value);
        }
        let stored = self.content.stored();
        if value.get().is_none()
            && let Some(stored) = &*stored
        {
            // Cannot fail: the lock is held.
            let _ = value.set(stored.decode::<T, S>()?);
        }
        drop(stored);
        value.get().ok_or_else(empty::<T>)
    }

    /// Returns the value for changes; the next `apply` encodes it again.
    ///
    /// A value that is shared with a clone of the artifact is cloned first.
    ///
    /// # Errors
    /// As [`get`](Artifact::get).
    pub fn get_mut(&mut self) -> Result<&mut T> {
        self.make_unique()?;
        let content = Arc::get_mut(&mut self.content).ok_or_else(empty::<T>)?;
        *content.stored.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
        content.value.get_mut().ok_or_else(empty::<T>)
    }

    /// Returns the value itself, cloned if it is shared.
    ///
    /// # Errors
    /// As [`get`](Artifact::get).
    pub fn into_inner(mut self) -> Result<T> {
        self.make_unique()?;
        let content = Arc::into_inner(self.content).ok_or_else(empty::<T>)?;
        content.value.into_inner().ok_or_else(empty::<T>)
    }

    /// Decodes the value, and clones it if the content is shared.
    fn make_unique(&mut self) -> Result<()> {
        let value = self.get()?;
        if let Some(clone) = self.content.clone.get()
            && Arc::strong_count(&self.content) > 1
        {
            let value = OnceLock::from(clone(value));
            *self = Self::from_parts(value, None, self.chosen.clone());
        }
        Ok(())
    }

    /// Returns the link; digests the bytes of a value that is not stored.
    fn link(&self, reader: &ArtifactReader) -> Result<Link> {
        if let Some(StoredArtifact { entry, .. }) = self.stored() {
            return Ok(Link { digest: entry.digest, serializer: entry.serializer });
        }
        let serializer = self.chosen.as_deref().unwrap_or(S::NAME).to_owned();
        let mut hasher = blake3::Hasher::new();
        let encoded = reader.encode_with::<T, S>(&serializer, self.get()?, &mut hasher)?;
        encoded.map_err(|source| Error::Encode { what: "an artifact".into(), source })?;
        let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
        Ok(Link { digest, serializer })
    }

    /// Writes the bytes into the writer's store, unless they are there.
    fn write(&self, writer: &ArtifactWriter) -> Result<ArtifactEntry> {
        let stored = self.stored();
        if let Some(stored) = stored {
            match writer.adopt(&stored) {
                Ok(()) => return Ok(stored.entry),
                // The bytes are gone, but the value is in memory: encode it again.
                Err(_) if self.is_decoded() => {}
                Err(error) => return Err(error),
            }
        }
        let name = self.chosen.as_deref().unwrap_or(S::NAME);
        let written = writer.pack::<T, S>(name, self.get()?)?;
        if !writer.is_dry_run() {
            *self.content.stored() = Some(written.clone());
        }
        Ok(written.entry)
    }
}

/// The error for a broken invariant: an artifact has a value or stored bytes.
fn empty<T>() -> Error {
    Error::Decode {
        what: "an artifact".into(),
        type_name: type_name::<T>().into(),
        path: String::new(),
        source: "it has neither a value nor stored bytes".into(),
    }
}

impl<T, S> From<T> for Artifact<T, S> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Compares the values. Two artifacts that are not both decoded are equal if their bytes are; otherwise the value is
/// read, and one that cannot be read equals nothing.
impl<T: PartialEq + 'static, S: Serializer<T>> PartialEq for Artifact<T, S> {
    fn eq(&self, other: &Self) -> bool {
        let bytes = |artifact: &Self| {
            artifact.stored().map(|stored| (stored.entry.digest, stored.entry.serializer))
        };
        if !(self.is_decoded() && other.is_decoded())
            && let (Some(one), Some(two)) = (bytes(self), bytes(other))
            && one == two
        {
            return true;
        }
        matches!((self.get(), other.get()), (Ok(one), Ok(two)) if one == two)
    }
}

impl<T: Eq + 'static, S: Serializer<T>> Eq for Artifact<T, S> {}

impl<T: Default, S> Default for Artifact<T, S> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Clone, S> Clone for Artifact<T, S> {
    fn clone(&self) -> Self {
        self.content.clone.get_or_init(|| T::clone);
        Self {
            content: Arc::clone(&self.content),
            chosen: self.chosen.clone(),
            serializer: PhantomData,
        }
    }
}

impl<T: fmt::Debug, S> fmt::Debug for Artifact<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.content.value.get(), &*self.content.stored()) {
            (Some(value), _) => write!(f, "Artifact({value:?})"),
            (None, Some(stored)) => write!(f, "Artifact({:?}, not read yet)", stored.entry.digest),
            (None, None) => f.write_str("Artifact"),
        }
    }
}
