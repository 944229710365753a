//! Export of versions to folders and archives.

use larder_core::extend::LarderExt;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use larder_core::store::StoreExt;
use larder_core::store::files::{check_parents, sync_dir, temp_file};
use larder_core::{Error, Larder, Registry, Result, Selection};
use larder_maintenance::{CopyOptions, CopyOutline, LarderMaintenance};
use larder_store_fs::{FsStore, marker};

use crate::entry_path::EntryPath;
use crate::header::{self, BLOCK, RECORD};

/// Layout of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A folder, which opens as the larder `fs:PATH`.
    Folder,
    /// The folder as a tar archive.
    Tar,
    /// The folder as a tar archive compressed with Zstandard.
    TarZst,
}

impl Form {
    /// Returns the layout for a file name: `.tar`, `.tar.zst`, otherwise a folder.
    ///
    /// ```
    /// use larder_archive::Form;
    ///
    /// assert_eq!(Form::of("backup/models.tar.zst".as_ref())?, Form::TarZst);
    /// assert_eq!(Form::of("backup/models-1.2".as_ref())?, Form::Folder);
    /// assert!(Form::of("backup/models.zip".as_ref()).is_err());
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Refused`] for the extension of another kind of archive or of a database.
    pub fn of(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if name.ends_with(".tar") {
            return Ok(Self::Tar);
        }
        if name.ends_with(".tar.zst") {
            return Ok(Self::TarZst);
        }
        match name.rsplit_once('.') {
            Some((stem, extension))
                if !stem.is_empty() && OTHERS.split(' ').any(|other| other == extension) =>
            {
                Err(Error::Refused {
                    action: format!("export to {}", path.display()),
                    reason: format!(
                        "there is no export to `.{extension}`; name a `.tar`, a `.tar.zst` or a folder, or choose the form"
                    ),
                })
            }
            _ => Ok(Self::Folder),
        }
    }
}

/// Extensions of files that an export does not write, and that nobody gives a folder.
const OTHERS: &str = "7z apk ar arj br bz2 cab cpio db deb dmg gz gzip iso jar lz lz4 lzh lzma lzo rar rpm safetensors \
                      sqlite sqlite3 sz taz tbz tbz2 tgz txz tzst whl xz z zip zst";

/// Result of [`export`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// Number of versions.
    pub versions: u64,
    /// Number of blobs.
    pub blobs: u64,
    /// Size of the blobs, in bytes.
    pub bytes: u64,
}

/// Compression level. It determines the bytes of an archive, so it never changes.
const LEVEL: i32 = 3;

/// Exports the selected versions to `path`, which must not exist.
///
/// The same versions give the same bytes for any store. With `all_versions`, exports all versions of the identifiers.
///
/// # Errors
/// [`Error::Refused`] if `path` exists or there is no version to export; [`Error::NotFound`] for a reference; [`Error::Corrupt`]; [`Error::Store`]. On
/// error, nothing is left at `path`.
pub fn export(
    larder: &Larder,
    selection: impl Into<Selection>,
    all_versions: bool,
    path: &Path,
    form: Form,
) -> Result<Exported> {
    let failed = |error: io::Error| Error::store(format!("write {}", path.display()), error);
    if fs::symlink_metadata(path).is_ok() {
        return Err(Error::Refused {
            action: format!("export to {}", path.display()),
            reason: "the path already exists; choose another path or remove it".into(),
        });
    }
    check_parents(path).map_err(failed)?;
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let exported = match form {
        Form::Folder => {
            let mut builder = tempfile::Builder::new();
            let unfinished = builder.prefix(".larder-").tempdir_in(parent).map_err(failed)?;
            let folder = unfinished.path().join("larder");
            let target = Larder::new(Arc::new(FsStore::open(&folder)?), Registry::new());
            let options = CopyOptions::new().all_versions(all_versions);
            let copied = larder.maintenance().copy(selection, &target, &options)?;
            refuse_none(copied.versions.len() as u64)?;
            fs::rename(&folder, path).map_err(failed)?;
            let versions = copied.versions.len() as u64;
            Exported { versions, blobs: copied.blobs, bytes: copied.bytes }
        }
        Form::Tar | Form::TarZst => {
            let file = temp_file(parent).map_err(failed)?;
            let mut out = BufWriter::with_capacity(1 << 20, file);
            let exported = write(larder, selection, all_versions, form, &mut out)?;
            let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
            file.as_file().sync_all().map_err(failed)?;
            file.persist_noclobber(path).map_err(|error| failed(error.error))?;
            exported
        }
    };
    sync_dir(parent).map_err(failed)?;
    Ok(exported)
}

/// Exports as [`export`] to a writer. [`Form::Folder`] is written as [`Form::Tar`].
///
/// # Errors
/// As [`export`]. On error, the output is incomplete.
pub fn write(
    larder: &Larder,
    selection: impl Into<Selection>,
    all_versions: bool,
    form: Form,
    out: impl Write,
) -> Result<Exported> {
    let outline = larder.maintenance().outline(selection, all_versions)?;
    let versions = outline.records.iter().filter(|(key, _)| key.as_str().starts_with("versions/"));
    let versions = versions.count() as u64;
    refuse_none(versions)?;
    if form != Form::TarZst {
        return tar(larder, &outline, versions, out);
    }
    let mut encoder = zstd::Encoder::new(out, LEVEL).map_err(unwritten)?;
    encoder.include_checksum(true).map_err(unwritten)?;
    let exported = tar(larder, &outline, versions, &mut encoder)?;
    encoder.finish().and_then(|mut out| out.flush()).map_err(unwritten)?;
    Ok(exported)
}

/// Refuses an export that [`open`](crate::open) would refuse, because nothing is in it.
fn refuse_none(versions: u64) -> Result<()> {
    match versions {
        0 => Err(Error::Refused {
            action: "export".into(),
            reason: "there is no version to export".into(),
        }),
        _ => Ok(()),
    }
}

fn tar(
    larder: &Larder,
    outline: &CopyOutline,
    versions: u64,
    mut out: impl Write,
) -> Result<Exported> {
    let bytes = outline.blobs.values().sum();
    let meter = larder.meter("exporting", Some(bytes));
    let marker = marker();
    let mut written = begin(&mut out, &EntryPath::Marker, marker.len() as u64)?;
    out.write_all(marker.as_bytes()).map_err(unwritten)?;
    end(&mut out, marker.len() as u64)?;
    for (digest, &size) in &outline.blobs {
        written += begin(&mut out, &EntryPath::Blob(*digest), size)?;
        larder.store().copy_checked(
            digest,
            size,
            || format!("the blob {digest}"),
            |chunk| {
                meter.add(chunk.len() as u64);
                out.write_all(chunk).map_err(unwritten)
            },
        )?;
        end(&mut out, size)?;
    }
    for (key, value) in &outline.records {
        written += begin(&mut out, &EntryPath::Record(key.clone()), value.len() as u64)?;
        out.write_all(value).map_err(unwritten)?;
        end(&mut out, value.len() as u64)?;
    }
    let end = (written + 2 * BLOCK as u64).next_multiple_of(RECORD as u64) - written;
    out.write_all(&vec![0; end as usize]).and_then(|()| out.flush()).map_err(unwritten)?;
    Ok(Exported { versions, blobs: outline.blobs.len() as u64, bytes })
}

/// Writes the header of a file, and returns the size of header, file and padding.
fn begin(out: &mut impl Write, entry: &EntryPath, size: u64) -> Result<u64> {
    let header = header::encode(&entry.path(), size);
    out.write_all(&header).map_err(unwritten)?;
    Ok(header.len() as u64 + size + header::padding(size) as u64)
}

fn end(out: &mut impl Write, size: u64) -> Result<()> {
    out.write_all(&[0; BLOCK][..header::padding(size)]).map_err(unwritten)
}

fn unwritten(error: io::Error) -> Error {
    Error::store("write an archive", error)
}
