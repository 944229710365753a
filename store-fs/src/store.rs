//! The store.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use larder_store::Digest;
use larder_store::files::{AT_ONCE, BlobFolder, absent, at_once, create_dir_durably};
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Expected, Record, RecordKey, Revision, Store,
};
use larder_store::{Error, Result};

use crate::layout::Layout;
use crate::marker;

/// A store in a folder.
#[derive(Debug, Clone)]
pub struct FsStore {
    layout: Layout,
    blobs: BlobFolder,
}

impl FsStore {
    /// Opens the larder in the folder `path`. Creates one if the folder is empty or missing.
    ///
    /// # Errors
    /// [`Error::Refused`] for a file, and for a folder with other content; [`Error::NewerFormat`]; [`Error::Corrupt`];
    /// [`Error::Store`].
    pub fn open(path: &Path) -> Result<Self> {
        let layout = Layout::new(path);
        if path.exists() && !path.is_dir() {
            return Err(marker::no_folder(path));
        }
        create_dir_durably(path).map_err(|error| {
            Error::store(format!("create the folder {}", path.display()), error)
        })?;
        marker::check_or_create(&layout)?;
        let blobs = BlobFolder::open(&layout.blobs());
        Ok(Self { layout, blobs })
    }

    fn read(&self, key: &RecordKey) -> Result<Option<Record>> {
        let path = self.layout.record(key);
        let value = absent(fs::read(&path))
            .map_err(|error| Error::store(format!("read the record {}", path.display()), error))?;
        Ok(value.map(|value| Record { revision: Revision::of(&value), value: Bytes::from(value) }))
    }

    fn is_met(&self, key: &RecordKey, expected: &Expected) -> Result<bool> {
        if *expected == Expected::Anything {
            return Ok(true);
        }
        let record = self.read(key)?;
        Ok(expected.is_met_by(record.as_ref().map(|record| &record.revision)))
    }

    /// Makes record changes in order, each durable before the next. Some files are staged ahead.
    fn make(&self, changes: &[Change]) -> io::Result<()> {
        for changes in changes.chunks(AT_ONCE) {
            let staged = at_once(changes, |change| match change {
                Change::PutRecord { value, .. } => self.layout.stage(value).map(Some),
                _ => Ok(None),
            })?;
            for (change, staged) in changes.iter().zip(staged) {
                match (change, staged) {
                    (Change::PutRecord { key, .. }, Some(file)) => {
                        self.layout.place(file, &self.layout.record(key))?
                    }
                    (Change::RemoveRecord { key, .. }, _) => {
                        self.layout.remove(&self.layout.record(key))?
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

impl Store for FsStore {
    fn url(&self) -> String {
        format!("fs:{}", self.layout.root().display())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            atomic_commit: false,
            isolated_commit: true,
            inline_blob: 64 * 1024,
            is_remote: false,
        }
    }

    fn write_blob(&self) -> Result<Box<dyn BlobWriter>> {
        Ok(Box::new(self.blobs.writer()?))
    }

    fn read_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Blob>>> {
        digests.iter().map(|digest| self.blobs.read(digest)).collect()
    }

    fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        digests.iter().map(|digest| self.blobs.stat(digest)).collect()
    }

    fn list_blobs(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<(Digest, u64)>> {
        self.blobs.list(after, limit)
    }

    fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        digests.iter().try_for_each(|digest| self.blobs.remove(digest))
    }

    fn remove_unfinished(&self, older_than: Duration) -> Result<(u64, u64)> {
        let (files, bytes) = self.blobs.remove_unfinished(older_than)?;
        let records = self.layout.remove_unfinished(older_than).map_err(|error| {
            Error::store(format!("remove unfinished files from {}", self.url()), error)
        })?;
        Ok((files + records.0, bytes + records.1))
    }

    fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        keys.iter().map(|key| self.read(key)).collect()
    }

    fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let mut after = after.cloned();
        // Records removed between the listing and the reading must not make the answer look like the end.
        loop {
            let keys = self
                .layout
                .keys(prefix, after.as_ref().map(RecordKey::as_str), limit)
                .map_err(|error: io::Error| Error::store(format!("list {}", self.url()), error))?;
            let mut records = Vec::with_capacity(keys.len());
            for key in &keys {
                let key = RecordKey::new(key)?;
                if let Some(record) = self.read(&key)? {
                    records.push((key, record));
                }
            }
            match keys.last() {
                Some(last) if records.is_empty() => after = Some(RecordKey::new(last)?),
                _ => return Ok(records),
            }
        }
    }

    fn commit(&self, changes: &[Change]) -> Result<Committed> {
        // Blobs have no precondition, so they are written before the lock is taken, and before any record.
        let blobs = changes.iter().filter_map(|change| match change {
            Change::PutBlob { digest, bytes } => Some((*digest, bytes.clone())),
            _ => None,
        });
        self.blobs.put_all(&blobs.collect::<Vec<_>>())?;
        let locked = self.layout.locked();
        let _locked =
            locked.map_err(|error| Error::store(format!("lock {}", self.url()), error))?;
        for (at, change) in changes.iter().enumerate() {
            if let Change::PutRecord { key, expected, .. } | Change::RemoveRecord { key, expected } =
                change
                && !self.is_met(key, expected)?
            {
                let is_blob = |change: &&Change| matches!(change, Change::PutBlob { .. });
                let made = changes.iter().take_while(is_blob).count();
                return Ok(Committed::Conflict { at, made });
            }
        }
        self.make(changes)
            .map_err(|error| Error::store(format!("write records to {}", self.url()), error))?;
        Ok(Committed::All)
    }
}
