//! Where things are in the folder. The one place where names become paths.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use larder_core::files::{absent, create_dir_durably, sync_dir, temp_file};
use larder_core::store::RecordKey;
use tempfile::NamedTempFile;

/// What Larder itself keeps in the folder.
pub(crate) const OWN: [&str; 5] = ["larder.json", "lock", "blobs", "records", "tmp"];
/// The ending of a record's file.
const JSON: &str = ".json";
/// Follows the name of a folder that ends like a record's file, so that `a` and `a.json/b` do not meet.
const FOLDER: char = '%';

/// The paths in one larder's folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn marker(&self) -> PathBuf {
        self.root.join("larder.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn records(&self) -> PathBuf {
        self.root.join("records")
    }

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// The file of a record. A key has only parts that are safe as names.
    pub(crate) fn record(&self, key: &RecordKey) -> PathBuf {
        let mut path = self.records();
        let mut parts = key.as_str().split('/').peekable();
        while let Some(part) = parts.next() {
            let mut name = part.to_owned();
            if parts.peek().is_none() {
                name.push_str(JSON);
            } else if part.ends_with(JSON) {
                name.push(FOLDER);
            }
            path.push(name);
        }
        path
    }

    /// Up to `limit` keys that begin with `prefix`, in byte order, after `after`.
    pub(crate) fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> io::Result<Vec<String>> {
        let mut walk = Walk { prefix, after, limit, keys: Vec::new() };
        walk.folder(&self.records(), "")?;
        Ok(walk.keys)
    }

    /// Writes a file as a whole, durably.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.place(self.stage(content)?, path)
    }

    /// Writes a file to `tmp`, durably.
    pub(crate) fn stage(&self, content: &[u8]) -> io::Result<NamedTempFile> {
        let tmp = self.tmp();
        create_dir_durably(&tmp)?;
        let mut file = temp_file(&tmp)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Gives a staged file its name, durably.
    pub(crate) fn place(&self, file: NamedTempFile, path: &Path) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        create_dir_durably(folder)?;
        file.persist(path)?;
        sync_dir(folder)
    }

    /// Removes a file durably, if it is there.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        match absent(fs::remove_file(path))? {
            Some(()) => sync_dir(path.parent().unwrap_or(&self.root)),
            None => Ok(()),
        }
    }

    /// Waits for the lock, which falls when the file is dropped or its process dies.
    pub(crate) fn locked(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.lock())?;
        file.lock()?;
        Ok(file)
    }
}

/// A listing in the byte order of whole keys, in which `a-b` comes before `a/b`.
struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    keys: Vec<String>,
}

impl Walk<'_> {
    /// Lists the folder whose keys begin with `stem`, which is empty or ends in `/`.
    fn folder(&mut self, path: &Path, stem: &str) -> io::Result<()> {
        let Some(entries) = absent(fs::read_dir(path))? else { return Ok(()) };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let part = if entry.file_type()?.is_dir() {
                format!("{}/", name.strip_suffix(FOLDER).unwrap_or(&name))
            } else {
                match name.strip_suffix(JSON) {
                    Some(part) => part.to_owned(),
                    None => continue,
                }
            };
            let key = format!("{stem}{part}");
            if self.may_hold(&key) {
                found.push((key, entry.path()));
            }
        }
        found.sort_unstable();
        for (key, path) in found {
            if self.keys.len() >= self.limit {
                break;
            }
            if key.ends_with('/') {
                self.folder(&path, &key)?;
            } else {
                self.keys.push(key);
            }
        }
        Ok(())
    }

    /// Whether a key, or a folder of keys, can be or hold something that is asked for.
    fn may_hold(&self, key: &str) -> bool {
        if key.ends_with('/') {
            let touches = key.starts_with(self.prefix) || self.prefix.starts_with(key);
            touches && self.after.is_none_or(|after| key > after || after.starts_with(key))
        } else {
            key.starts_with(self.prefix) && self.after.is_none_or(|after| key > after)
        }
    }
}
