//! Writing artifacts ahead of the apply that refers to them.

use super::ApplyOptions;
use super::artifact_writer::ArtifactWriter;
use super::session::ApplySession;
use crate::artifact::StoredArtifact;
use crate::error::Result;
use crate::guard::uses;
use crate::larder::{ArtifactReader, Larder};
use crate::name::Identifier;
use crate::serializer::Serializer;

impl Larder {
    /// Writes `value` as an artifact, durably, for a version of `name` that is applied later.
    ///
    /// Until then, no version refers to it, and a collector removes it after the grace period.
    pub(crate) fn write_ahead<T: 'static, S: Serializer<T>>(
        &self,
        name: &Identifier,
        value: &T,
    ) -> Result<StoredArtifact> {
        let larder = self.with_options(&ApplyOptions::new().read_back(false));
        let session = ApplySession::new(&larder, name);
        let reader = ArtifactReader::new(&larder, name.to_string());
        let writer = ArtifactWriter::new(reader, larder.watcher.begin("storing", None), session);
        let (stored, _) = uses::collect(|| writer.pack::<T, S>(S::NAME, value));
        let stored = stored?;
        let (_, _, blobs) = writer.finish(&[])?;
        if !blobs.is_empty() {
            let mut tx = larder.transaction();
            tx.extend(blobs);
            tx.commit_unconditional()?;
        }
        Ok(stored)
    }
}
