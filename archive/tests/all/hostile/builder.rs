//! Builder of hostile archives.

use larder::Selection;
use larder::maintenance::LarderMaintenance;
use std::fs;
use std::io::Read;
use std::path::Path;

use larder::archive::{Form, Limits, open_in, write};
use larder::maintenance::CopyOptions;
use larder::store::Digest;
use larder::{Error, Larder};
use tar::{Archive, EntryType, Header};

use crate::common;

/// An entry of an archive.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) header: Header,
    pub(crate) content: Vec<u8>,
}

impl Entry {
    /// A file with the header of an export.
    pub(crate) fn file(path: &str, content: impl Into<Vec<u8>>) -> Self {
        let mut entry = Self { header: Header::new_ustar(), content: content.into() };
        entry.header.set_mode(0o644);
        entry.header.set_uid(0);
        entry.header.set_gid(0);
        entry.header.set_mtime(0);
        entry.header.set_entry_type(EntryType::Regular);
        entry.named(path.as_bytes()).sized()
    }

    /// A blob under its digest.
    pub(crate) fn blob(content: impl Into<Vec<u8>>) -> Self {
        let content = content.into();
        let hex = Digest::of(&content).to_hex();
        Self::file(&format!("blobs/{}/{hex}", &hex[..2]), content)
    }

    /// Sets the name.
    pub(crate) fn named(mut self, name: &[u8]) -> Self {
        let field = &mut self.header.as_ustar_mut().unwrap().name;
        field.fill(0);
        field[..name.len()].copy_from_slice(name);
        self.summed()
    }

    /// Sets the type flag.
    pub(crate) fn kind(mut self, kind: u8) -> Self {
        self.header.as_ustar_mut().unwrap().typeflag = [kind];
        self.summed()
    }

    /// Sets the link target.
    pub(crate) fn link_to(mut self, target: &str) -> Self {
        self.header.as_ustar_mut().unwrap().linkname[..target.len()]
            .copy_from_slice(target.as_bytes());
        self.content.clear();
        self.sized()
    }

    pub(crate) fn with_content(mut self, content: impl Into<Vec<u8>>) -> Self {
        self.content = content.into();
        self.sized()
    }

    fn sized(mut self) -> Self {
        self.header.set_size(self.content.len() as u64);
        self.summed()
    }

    pub(crate) fn summed(mut self) -> Self {
        self.header.set_cksum();
        self
    }

    pub(crate) fn path(&self) -> String {
        String::from_utf8_lossy(&self.header.path_bytes()).into_owned()
    }
}

/// Entries of a valid archive.
pub(crate) fn good() -> Vec<Entry> {
    let larder = common::open("memory:");
    common::fill(&larder);
    let mut bytes = Vec::new();
    write(&larder, Selection::All, false, Form::Tar, &mut bytes).unwrap();
    let mut archive = Archive::new(&bytes[..]);
    let entries = archive.entries().unwrap().raw(true).map(|entry| {
        let mut entry = entry.unwrap();
        let header = entry.header().clone();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        Entry { header, content }
    });
    entries.collect()
}

/// The bytes of an archive.
pub(crate) fn tar(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = tar_without_end(entries);
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The bytes of an archive without its end marker.
pub(crate) fn tar_without_end(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend_from_slice(entry.header.as_bytes());
        bytes.extend_from_slice(&entry.content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes
}

pub(crate) fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive with the entry at a path prefix changed.
pub(crate) fn with(
    mut entries: Vec<Entry>,
    path: &str,
    change: impl FnOnce(Entry) -> Entry,
) -> Vec<u8> {
    let entry = entries.iter_mut().find(|entry| entry.path().starts_with(path)).unwrap();
    *entry = change(entry.clone());
    tar(&entries)
}

/// An archive with an entry inserted after larder.json.
pub(crate) fn with_second(mut entries: Vec<Entry>, entry: Entry) -> Vec<u8> {
    entries.insert(1, entry);
    tar(&entries)
}

/// An archive with an entry appended.
pub(crate) fn with_last(mut entries: Vec<Entry>, entry: Entry) -> Vec<u8> {
    entries.push(entry);
    tar(&entries)
}

/// An entry with text replaced in its content.
pub(crate) fn replaced(entry: Entry, from: &str, to: &str) -> Entry {
    let text = String::from_utf8(entry.content.clone()).unwrap();
    assert!(text.contains(from), "{text}");
    entry.with_content(text.replacen(from, to, 1))
}

/// Imports an archive into `target`.
pub(crate) fn import(
    archive: &Path,
    limits: &Limits,
    temp: &Path,
    target: &Larder,
) -> Result<(), Error> {
    let opened = open_in(archive, limits, temp)?;
    opened.larder().maintenance().copy(Selection::All, target, &CopyOptions::new()).map(drop)
}

/// Asserts that an archive is rejected, that the error names `why`, and that no files are left.
pub(crate) fn assert_refused_within(bytes: &[u8], limits: &Limits, why: &str) {
    let root = tempfile::tempdir().unwrap();
    let (archive, temp) = (root.path().join("in/archive"), root.path().join("temp"));
    fs::create_dir(root.path().join("in")).unwrap();
    fs::create_dir(&temp).unwrap();
    fs::write(&archive, bytes).unwrap();
    let target = common::open(&format!("fs:{}", root.path().join("target").display()));
    target.apply("net", &common::weights(50)).unwrap();
    let before = common::files(root.path());

    let error = import(&archive, limits, &temp, &target).unwrap_err();
    let message = error.to_string().replace(&archive.display().to_string(), "[archive]");
    assert!(message.contains(why), "{message}");
    assert!(
        matches!(error, Error::Refused { .. } | Error::Corrupt { .. } | Error::NewerFormat { .. }),
        "{error:?}"
    );
    assert!(!message.contains(&temp.display().to_string()), "it names a removed file: {message}");
    assert_eq!(fs::read_dir(&temp).unwrap().count(), 0, "temporary files are left");
    assert!(common::files(root.path()) == before, "files were written");
}

/// Returns the number of versions in an archive, which is accepted.
pub(crate) fn accepted(bytes: &[u8]) -> usize {
    let root = tempfile::tempdir().unwrap();
    let archive = root.path().join("archive");
    fs::write(&archive, bytes).unwrap();
    let opened = open_in(&archive, &Limits::default(), root.path()).unwrap();
    let target = common::open("memory:");
    let options = CopyOptions::new();
    let copied = opened.larder().maintenance().copy(Selection::All, &target, &options).unwrap();
    copied.versions.len()
}

pub(crate) fn refused(bytes: &[u8], why: &str) {
    assert_refused_within(bytes, &Limits::default(), why);
}
