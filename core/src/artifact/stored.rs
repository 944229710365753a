//! Bytes of an artifact in a store.

use std::any::type_name;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::Artifact;
use crate::error::{BoxError, Error, Result};
use crate::guard::GuardError;
use crate::larder::{ArtifactReader, Larder, VersionInfo};
use crate::manifest::ArtifactEntry;
use crate::serializer::Serializer;
use crate::store::{Blob, StoreExt};

/// The stored bytes of an artifact.
#[derive(Clone)]
pub struct StoredArtifact {
    pub(crate) entry: ArtifactEntry,
    pub(crate) reader: Arc<ArtifactReader>,
}

impl StoredArtifact {
    /// Creates it from an entry of a manifest of `larder`; `what` names the owner in errors.
    ///
    /// The bytes are compared with the entry when they are read.
    pub fn new(larder: &Larder, entry: ArtifactEntry, what: &str) -> Self {
        let reader = ArtifactReader::new(larder, what.to_owned());
        reader.set_entries(std::slice::from_ref(&entry), &[]);
        Self { entry, reader: Arc::new(reader) }
    }

    /// Returns its entry in the manifest.
    pub fn entry(&self) -> &ArtifactEntry {
        &self.entry
    }

    /// Reads its blob from the store, unchecked.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn blob(&self) -> Result<Option<Blob>> {
        self.reader.store().read_blob(&self.entry.digest)
    }

    /// Returns the bytes of its blob, checked against its digest and size.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn bytes_of(&self, blob: Option<Blob>) -> Result<Bytes> {
        self.reader.bytes_of(&self.entry, blob)
    }

    /// Describes it for an error.
    pub fn describe(&self) -> String {
        self.reader.describe(&self.entry)
    }

    /// Returns the artifact as a part of a version whose manifest lists it; it holds no others.
    ///
    /// A version that is applied [onto](crate::ApplyOptions::onto) that one does not look for its blob again.
    #[must_use]
    pub fn of_version(self, larder: &Larder, version: &VersionInfo) -> Self {
        let reader = ArtifactReader::new(larder, version.reference().to_string());
        reader.set_entries(std::slice::from_ref(&self.entry), &[]);
        reader.set_manifest(version.digest);
        Self { entry: self.entry, reader: Arc::new(reader) }
    }

    /// Returns the artifact, read as a part of the version that `other` belongs to.
    ///
    /// Both must be artifacts of that version, and hold none themselves.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        Self { reader: Arc::clone(&other.reader), ..self }
    }

    /// Returns an artifact of these bytes, which are read on first use.
    pub fn into_artifact<T, S>(self) -> Artifact<T, S> {
        Artifact::from_parts(OnceLock::new(), Some(self), None)
    }

    pub(super) fn decode<T: 'static, S: Serializer<T>>(&self) -> Result<T> {
        let Self { entry, reader } = self;
        reader.check_serializer::<T, S>(&entry.serializer, || {
            format!("read {}", reader.describe(entry))
        })?;
        let bytes = reader.fetch(entry)?;
        let needed_by = || reader.describe(entry);
        reader
            .decode_with::<T, S>(&entry.serializer, &bytes, needed_by)?
            .map_err(|error| decode_error::<T>(reader.describe(entry), error))
    }
}

fn decode_error<T>(what: String, error: BoxError) -> Error {
    let (path, source) = match error.downcast::<GuardError>() {
        Ok(error) => error.into_parts(),
        Err(error) => (String::new(), error),
    };
    Error::Decode { what, type_name: type_name::<T>().into(), path, source }
}
