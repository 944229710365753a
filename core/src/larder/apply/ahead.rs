//! Writing artifacts ahead of the apply that refers to them.

use super::ApplyOptions;
use super::artifact_writer::ArtifactWriter;
use super::blob_writes::BlobWrites;
use super::session::ApplySession;
use crate::artifact::StoredArtifact;
use crate::error::Result;
use crate::guard::uses;
use crate::larder::{ArtifactReader, Larder};
use crate::name::Identifier;
use crate::serializer::Serializer;

/// An artifact whose bytes are written, and being made durable.
///
/// Dropping it waits for that, too.
pub struct ArtifactAhead {
    stored: StoredArtifact,
    writes: BlobWrites,
}

impl ArtifactAhead {
    /// Returns the artifact. It is there once [`finish`](Self::finish) returns.
    pub fn stored(&self) -> &StoredArtifact {
        &self.stored
    }

    /// Waits until it is durable.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn finish(mut self) -> Result<StoredArtifact> {
        self.writes.finish()?;
        Ok(self.stored)
    }
}

impl Larder {
    /// Writes `value` as an artifact for a version of `name` that is applied later, and begins to make it durable.
    ///
    /// Until then, no version refers to it, and a collector removes it after the grace period.
    pub(crate) fn write_ahead<T: 'static, S: Serializer<T>>(
        &self,
        name: &Identifier,
        value: &T,
    ) -> Result<ArtifactAhead> {
        let larder = self.with_options(&ApplyOptions::new().read_back(false));
        let session = ApplySession::new(&larder, name);
        let reader = ArtifactReader::new(&larder, name.to_string());
        let writer = ArtifactWriter::new(reader, larder.watcher.begin("storing", None), session);
        let (stored, _) = uses::collect(|| writer.pack::<T, S>(S::NAME, value));
        let stored = stored?;
        let writes = writer.take_blob_writes();
        let (_, _, blobs) = writer.finish(&[])?;
        if !blobs.is_empty() {
            let mut tx = larder.transaction();
            tx.extend(blobs);
            tx.commit_unconditional()?;
        }
        Ok(ArtifactAhead { stored, writes })
    }
}
