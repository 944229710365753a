//! The store.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use larder_store::Digest;
use larder_store::files::{BlobFolder, StagedBlob, absent, create_dir_durably};
use larder_store::threads::{AT_ONCE, at_once};
use larder_store::{
    Blob, BlobWriter, Capabilities, Change, Committed, Expected, Record, RecordKey, Revision, Store,
};
use larder_store::{Error, Result};
use tempfile::NamedTempFile;

use crate::layout::{ChangedFolders, Layout};
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

    /// Writes what a change needs to `tmp`, durably.
    fn stage(&self, change: &Change) -> io::Result<Staged> {
        Ok(match change {
            Change::PutBlob { digest, bytes } => Staged::Blob(self.blobs.stage(digest, bytes)?),
            Change::PutRecord { value, .. } => Staged::Record(self.layout.stage(value)?),
            Change::RemoveRecord { .. } => Staged::Nothing,
        })
    }

    /// Stages changes concurrently.
    fn stage_all(&self, changes: &[&Change]) -> io::Result<Vec<Staged>> {
        let is_put = |change: &Change| !matches!(change, Change::RemoveRecord { .. });
        let puts: Vec<Change> = changes.iter().copied().filter(|it| is_put(it)).cloned().collect();
        let store = self.clone();
        let mut staged = at_once(puts, move |change| store.stage(&change))?.into_iter();
        let next = |change: &&Change| match is_put(change) {
            true => staged.next().unwrap_or(Staged::Nothing),
            false => Staged::Nothing,
        };
        Ok(changes.iter().map(next).collect())
    }

    /// Makes blobs durable. They have no precondition, so this is done before the lock is taken, and before any record.
    ///
    /// Few records are synced together with the blobs, which takes no longer; they are returned.
    fn prepare(&self, changes: &[Change]) -> Result<VecDeque<Staged>> {
        let blobs = changes.iter().filter_map(|change| match change {
            Change::PutBlob { digest, bytes } => Some((*digest, bytes.clone())),
            _ => None,
        });
        let blobs: Vec<_> = blobs.collect();
        if blobs.is_empty() || changes.len() > AT_ONCE {
            self.blobs.put_all(&blobs)?;
            return Ok(VecDeque::new());
        }
        let prepare = || {
            let (mut blobs, mut records) = (Vec::new(), VecDeque::new());
            for staged in self.stage_all(&changes.iter().collect::<Vec<_>>())? {
                match staged {
                    Staged::Blob(blob) => blobs.push(blob),
                    record => records.push_back(record),
                }
            }
            self.blobs.place(blobs)?;
            Ok(records)
        };
        prepare().map_err(|error: io::Error| {
            Error::store(format!("write the changes of a commit to {}", self.url()), error)
        })
    }

    /// Makes the changes of records in order. All of them are durable before the last one is made. Stages those that are not
    /// staged yet.
    fn make(&self, changes: &[Change], mut staged: VecDeque<Staged>) -> io::Result<()> {
        let is_record = |change: &&Change| !matches!(change, Change::PutBlob { .. });
        let records: Vec<&Change> = changes.iter().filter(is_record).collect();
        let mut changed = ChangedFolders::default();
        for (at, change) in records.iter().enumerate() {
            if staged.is_empty() {
                let end = records.len().min(at + AT_ONCE);
                staged = self.stage_all(&records[at..end])?.into();
            }
            if at + 1 == records.len() {
                changed.sync()?;
            }
            let staged = staged.pop_front().unwrap_or(Staged::Nothing);
            self.place(change, staged, &mut changed)?;
        }
        changed.sync()
    }

    /// Makes the change of a record.
    fn place(
        &self,
        change: &Change,
        staged: Staged,
        changed: &mut ChangedFolders,
    ) -> io::Result<()> {
        match (change, staged) {
            (Change::PutRecord { key, .. }, Staged::Record(file)) => {
                self.layout.place(file, &self.layout.record(key), changed)
            }
            (Change::RemoveRecord { key, .. }, _) => {
                self.layout.remove(&self.layout.record(key), changed)
            }
            _ => Ok(()),
        }
    }
}

/// The synced temporary file of a change, which is still to be renamed.
enum Staged {
    Blob(StagedBlob),
    Record(NamedTempFile),
    Nothing,
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
        let staged = self.prepare(changes)?;
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
        self.make(changes, staged)
            .map_err(|error| Error::store(format!("write records to {}", self.url()), error))?;
        Ok(Committed::All)
    }
}
