//! Placing blobs: the folders that hold them, and what makes their entries durable.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::{BlobFolder, absent, create_dir, create_dir_durably, has_dir, sync_dir, writer};
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::threads::{AT_ONCE, at_once};

/// The folders whose entries in the root are durable for certain.
#[derive(Debug)]
pub(super) struct Durable([AtomicBool; 256]);

impl Default for Durable {
    fn default() -> Self {
        Self([const { AtomicBool::new(false) }; 256])
    }
}

/// A small blob that is durable, and has no name yet: [`BlobFolder::place`] gives it one.
#[derive(Debug)]
pub struct StagedBlob {
    digest: Digest,
    /// `None` if the blob is there already.
    file: Option<NamedTempFile>,
}

impl BlobFolder {
    pub(super) fn folder_of(&self, digest: &Digest) -> PathBuf {
        self.shard(shard_of(digest))
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.root.join(format!("{shard:02x}"))
    }

    /// Returns whether the blob exists with this size. A blob of another size is damaged.
    pub(super) fn holds(&self, digest: &Digest, size: u64) -> io::Result<bool> {
        let meta = absent(fs::metadata(self.path(digest)))?;
        Ok(meta.is_some_and(|meta| meta.len() == size))
    }

    /// Creates the folder of a blob. [`sync_folders`](Self::sync_folders) makes it durable.
    pub(super) fn create_folder(&self, digest: &Digest) -> io::Result<()> {
        let folder = self.folder_of(digest);
        if has_dir(&folder) {
            return Ok(());
        }
        create_dir_durably(&self.root)?;
        self.durable.0[usize::from(shard_of(digest))].store(false, Ordering::Release);
        create_dir(&folder, &self.root)
    }

    /// Makes the entries of blobs durable, and those of their folders.
    ///
    /// A folder may be of a writer that has not synced the root yet.
    pub(super) fn sync_folders<'a>(
        &self,
        digests: impl IntoIterator<Item = &'a Digest>,
    ) -> io::Result<()> {
        let shards: BTreeSet<u8> = digests.into_iter().map(shard_of).collect();
        let durable = |shard: &u8| &self.durable.0[usize::from(*shard)];
        let mut folders: Vec<PathBuf> = shards.iter().map(|shard| self.shard(*shard)).collect();
        if !shards.iter().all(|shard| durable(shard).load(Ordering::Acquire)) {
            folders.push(self.root.clone());
        }
        at_once(folders, |folder| sync_dir(&folder))?;
        shards.iter().for_each(|shard| durable(shard).store(true, Ordering::Release));
        Ok(())
    }

    /// Writes a small blob to `tmp`, durably, unless it exists.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn stage(&self, digest: &Digest, bytes: &[u8]) -> io::Result<StagedBlob> {
        if self.holds(digest, bytes.len() as u64)? {
            return Ok(StagedBlob { digest: *digest, file: None });
        }
        // Before the sync of the file, so that a journal takes both at once.
        self.create_folder(digest)?;
        let file = writer::stage(self, bytes)?;
        Ok(StagedBlob { digest: *digest, file: Some(file) })
    }

    /// Gives staged blobs their names, durably. Existing ones are made durable too: their writers may not have done so yet.
    ///
    /// # Errors
    /// Errors of the system.
    pub fn place(&self, staged: Vec<StagedBlob>) -> io::Result<()> {
        let digests = self.rename(staged)?;
        self.sync_folders(&digests)
    }

    fn rename(&self, staged: Vec<StagedBlob>) -> io::Result<Vec<Digest>> {
        let rename = |StagedBlob { digest, file }| {
            if let Some(file) = file {
                file.persist(self.path(&digest))?;
            }
            Ok(digest)
        };
        staged.into_iter().map(rename).collect()
    }

    /// Writes small blobs, durably. Existing ones stay as they are.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn put_all(&self, blobs: &[(Digest, Bytes)]) -> Result<()> {
        let put = || {
            let mut digests = Vec::with_capacity(blobs.len());
            for blobs in blobs.chunks(AT_ONCE) {
                let folder = self.clone();
                let staged =
                    at_once(blobs.to_vec(), move |(digest, bytes)| folder.stage(&digest, &bytes))?;
                digests.extend(self.rename(staged)?);
            }
            self.sync_folders(&digests)
        };
        put()
            .map_err(|error| Error::store(format!("write blobs to {}", self.root.display()), error))
    }
}

fn shard_of(digest: &Digest) -> u8 {
    digest.as_bytes()[0]
}
