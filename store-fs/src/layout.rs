//! Paths in the folder. The only module that turns names into paths.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder_store::RecordKey;
use larder_store::files::{
    absent, create_dir, create_dir_durably, follow_group_at, has_dir, locked_temp_file,
    remove_unfinished, sync_dir,
};
use larder_store::threads::at_once;
use tempfile::NamedTempFile;

/// The entries of the folder that belong to Larder.
pub(crate) const OWN: [&str; 5] = ["larder.json", "lock", "blobs", "records", "tmp"];
/// Folder of the records.
const RECORDS: &str = "records";
/// Suffix of a record's file.
const JSON: &str = ".json";
/// Appended to a folder whose name ends in [`JSON`], so that the paths of `a` and `a.json/b` do not collide.
const FOLDER: char = '%';

/// Returns the path of a record relative to the larder's folder, with `/` between names.
///
/// ```
/// use larder_store::RecordKey;
/// use larder_store_fs::{key_at, record_path};
///
/// let key = RecordKey::new("names/wine.json/price")?;
/// assert_eq!(record_path(&key), "records/names/wine.json%/price.json");
/// assert_eq!(key_at("records/names/wine.json%/price.json"), Some(key));
/// # Ok::<(), larder_store::Error>(())
/// ```
pub fn record_path(key: &RecordKey) -> String {
    let mut path = RECORDS.to_owned();
    let mut parts = key.as_str().split('/').peekable();
    while let Some(part) = parts.next() {
        path.push('/');
        path.push_str(part);
        if parts.peek().is_none() {
            path.push_str(JSON);
        } else if part.ends_with(JSON) {
            path.push(FOLDER);
        }
    }
    path
}

/// Returns the key whose [`record_path`] is exactly `path`.
pub fn key_at(path: &str) -> Option<RecordKey> {
    let stem = path.strip_prefix(RECORDS)?.strip_prefix('/')?.strip_suffix(JSON)?;
    let (folders, last) = stem.rsplit_once('/').unwrap_or(("", stem));
    let parts = folders.split('/').map(|part| part.strip_suffix(FOLDER).unwrap_or(part));
    let mut key: String = parts.filter(|part| !part.is_empty()).flat_map(|p| [p, "/"]).collect();
    key.push_str(last);
    // Text dropped above leads to another path.
    RecordKey::new(&key).ok().filter(|key| record_path(key) == path)
}

/// The paths in the folder of one larder.
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

    fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Returns the file of a record. All parts of a key are safe file names.
    pub(crate) fn record(&self, key: &RecordKey) -> PathBuf {
        self.root.join(record_path(key))
    }

    /// Lists up to `limit` keys that begin with `prefix`, in byte order, after `after`.
    pub(crate) fn keys(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> io::Result<Vec<String>> {
        // If a file is renamed over another while the folder is read, some file systems list neither, so no writer
        // may be active.
        let _shared = self.shared()?;
        let mut walk = Walk { prefix, after, limit, keys: Vec::new() };
        // Starts at the folder with all these keys, because its siblings may be numerous.
        let stem = prefix.rfind('/').map_or("", |slash| &prefix[..=slash]);
        // An invalid key here means that no key has this prefix.
        if let Ok(inside) = RecordKey::new(&format!("{stem}x")) {
            let inside = self.record(&inside);
            walk.folder(inside.parent().unwrap_or(&self.root), stem)?;
        }
        Ok(walk.keys)
    }

    /// Writes a file as a whole, durably.
    pub(crate) fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        let mut changed = ChangedFolders::default();
        self.place(self.stage(content)?, path, &mut changed)?;
        changed.sync()
    }

    /// Writes a file to `tmp`, durably.
    pub(crate) fn stage(&self, content: &[u8]) -> io::Result<NamedTempFile> {
        let tmp = self.tmp();
        create_dir_durably(&tmp)?;
        let mut file = locked_temp_file(&tmp)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// Gives a staged file its name.
    pub(crate) fn place(
        &self,
        file: NamedTempFile,
        path: &Path,
        changed: &mut ChangedFolders,
    ) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.root);
        changed.create(folder)?;
        file.persist(path)?;
        changed.add(folder);
        Ok(())
    }

    /// Removes files that dead writers left in `tmp`.
    pub(crate) fn remove_unfinished(&self, older_than: Duration) -> io::Result<(u64, u64)> {
        remove_unfinished(&self.tmp(), older_than)
    }

    /// Removes a file, if it exists.
    pub(crate) fn remove(&self, path: &Path, changed: &mut ChangedFolders) -> io::Result<()> {
        if absent(fs::remove_file(path))?.is_some() {
            changed.add(path.parent().unwrap_or(&self.root));
        }
        Ok(())
    }

    /// Takes the lock shared, which excludes commits. Returns `None` if the lock file was never created, or on a file
    /// system without locks, where nothing can be committed.
    fn shared(&self) -> io::Result<Option<File>> {
        let Some(file) = absent(File::open(self.lock()))? else { return Ok(None) };
        Ok(file.lock_shared().is_ok().then_some(file))
    }

    /// Takes the lock exclusively. It is released when the file is dropped or the process dies.
    pub(crate) fn locked(&self) -> io::Result<File> {
        let path = self.lock();
        let is_new = !path.exists();
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        if is_new {
            follow_group_at(&path, &self.root)?;
        }
        file.lock()?;
        Ok(file)
    }
}

/// Folders whose entries changed, and are not durable yet.
#[derive(Default)]
pub(crate) struct ChangedFolders(BTreeSet<PathBuf>);

impl ChangedFolders {
    fn add(&mut self, folder: &Path) {
        self.0.insert(folder.to_owned());
    }

    /// Creates a folder and its parents, unless they are there.
    fn create(&mut self, folder: &Path) -> io::Result<()> {
        let Some(parent) = folder.parent().filter(|_| !has_dir(folder)) else { return Ok(()) };
        self.create(parent)?;
        create_dir(folder, parent)?;
        self.add(parent);
        Ok(())
    }

    /// Makes the changes durable, all at once.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        at_once(mem::take(&mut self.0), |folder| sync_dir(&folder)).map(drop)
    }
}

/// Returns true if a file is the one of the record `key`; others, such as `.a.json`, are not of this layout.
fn is_record(key: &str, path: &Path) -> bool {
    RecordKey::new(key).is_ok_and(|key| path.ends_with(record_path(&key)))
}

/// A listing in byte order of whole keys, where `a-b` comes before `a/b`.
struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    limit: usize,
    keys: Vec<String>,
}

impl Walk<'_> {
    /// Lists a folder whose keys begin with `stem`, which is empty or ends in `/`.
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
            if self.may_hold(&key) && (key.ends_with('/') || is_record(&key, &entry.path())) {
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

    /// Returns whether a key matches, or a folder of keys (ending in `/`) may contain a match.
    fn may_hold(&self, key: &str) -> bool {
        if key.ends_with('/') {
            let touches = key.starts_with(self.prefix) || self.prefix.starts_with(key);
            touches && self.after.is_none_or(|after| key > after || after.starts_with(key))
        } else {
            key.starts_with(self.prefix) && self.after.is_none_or(|after| key > after)
        }
    }
}
