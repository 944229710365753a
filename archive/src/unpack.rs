//! Unpacking of an untrusted archive.
//!
//! Accepts a header only if it equals, byte for byte, the one that an export has for its path and size. This rejects
//! links, devices, owners, sparse files and all extensions of tar.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;

use larder_core::store::{Corruption, Digest};
use larder_core::{Error, Result};
use tar::{EntryType, Header};

use crate::entry_path::EntryPath;
use crate::header::{self, BLOCK, MAX_PAX, RECORD};
use crate::limits::{Limits, RATIO_FROM, record_too_large, too_large, too_many_files};
use crate::open::{check_document, refused};

/// Magic number of Zstandard.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Maximum window of the decoder, as a power of two: 8 MiB.
const WINDOW: u32 = 23;
/// Number of bytes read at a time.
const CHUNK: usize = 256 << 10;

/// Unpacks an archive into an empty folder.
pub(crate) fn unpack(path: &Path, limits: &Limits, folder: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::store(format!("read {}", path.display()), error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(refused(path, "neither a file nor a folder"));
    }
    let packed = Rc::new(Cell::new(0));
    let file = Counted { file: File::open(path).map_err(failed)?, count: Rc::clone(&packed) };
    let mut file = BufReader::with_capacity(CHUNK, file);
    let unpacker = |input, packed| Unpacker {
        input,
        packed,
        archive: path,
        folder,
        limits,
        unpacked: 0,
        total: 0,
        files: 0,
        last: None,
    };
    let mut rest = if file.fill_buf().map_err(failed)?.starts_with(&ZSTANDARD) {
        let mut decoder = zstd::Decoder::with_buffer(file).map_err(failed)?.single_frame();
        decoder.window_log_max(WINDOW).map_err(failed)?;
        let mut unpacker = unpacker(&mut decoder as &mut dyn Read, Some(packed));
        unpacker.unpack()?;
        // Reading to the end checks the frame's checksum.
        if unpacker.read(&mut [0])? != 0 {
            return Err(refused(path, "compressed data follows the end of the archive"));
        }
        decoder.finish()
    } else {
        unpacker(&mut file as &mut dyn Read, None).unpack()?;
        file
    };
    match rest.fill_buf().map_err(failed)? {
        [] => Ok(()),
        _ => Err(refused(path, "data follows the end of the archive")),
    }
}

/// A file that counts the bytes read.
struct Counted {
    file: File,
    count: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buf)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

struct Unpacker<'a> {
    input: &'a mut dyn Read,
    /// Number of compressed bytes read, if the file is compressed.
    packed: Option<Rc<Cell<u64>>>,
    archive: &'a Path,
    folder: &'a Path,
    limits: &'a Limits,
    /// Number of unpacked bytes.
    unpacked: u64,
    /// Size of the files, in bytes.
    total: u64,
    files: u64,
    last: Option<EntryPath>,
}

impl Unpacker<'_> {
    fn unpack(&mut self) -> Result<()> {
        while let Some((entry, size)) = self.header()? {
            self.check_entry(&entry, size)?;
            match &entry {
                EntryPath::Blob(digest) => self.blob(&entry, digest, size)?,
                EntryPath::Marker | EntryPath::Record(_) => self.document(&entry, size)?,
            }
            let mut padding = [0; BLOCK];
            let padding = &mut padding[..header::padding(size)];
            self.fill(padding)?;
            if padding.iter().any(|byte| *byte != 0) {
                return Err(self.refused(format!("the padding of `{}` is not zero", entry.path())));
            }
            self.last = Some(entry);
        }
        match self.last {
            Some(_) => self.end(),
            None => Err(self.refused("it is empty")),
        }
    }

    /// Reads the NULs that pad the archive; the first archives have none.
    fn end(&mut self) -> Result<()> {
        let record = RECORD as u64;
        let mut padding = vec![0; ((record - self.unpacked % record) % record) as usize];
        let mut found = 0;
        while found < padding.len() {
            match self.read(&mut padding[found..])? {
                0 => break,
                read => found += read,
            }
        }
        if padding[..found].iter().any(|byte| *byte != 0) {
            let kind = if self.packed.is_some() { "compressed data" } else { "data" };
            return Err(self.refused(format!("{kind} follows the end of the archive")));
        }
        match found == 0 || found == padding.len() {
            true => Ok(()),
            false => Err(self.corrupt("it is truncated")),
        }
    }

    /// Reads the next file's path and size; `None` at the end.
    fn header(&mut self) -> Result<Option<(EntryPath, u64)>> {
        let mut block = [0; BLOCK];
        self.fill(&mut block).map_err(|error| match error {
            Error::Corrupt { .. } if self.last.is_none() && self.packed.is_none() => self.unknown(),
            error => error,
        })?;
        if block == [0; BLOCK] {
            self.fill(&mut block)?;
            return match block == [0; BLOCK] {
                true => Ok(None),
                false => Err(self.refused("its end marker is incomplete")),
            };
        }
        let mut seen = block.to_vec();
        let mut path = None;
        if self.check_sum(&block)?.entry_type() == EntryType::XHeader {
            let content = self.pax(&block)?;
            let Some(long) = header::path_in_pax(&content) else {
                return Err(self.refused("an extended header has more than a path"));
            };
            path = Some(long.to_owned());
            seen.extend_from_slice(&content);
            seen.resize(seen.len() + header::padding(content.len() as u64), 0);
            self.fill(&mut block)?;
            seen.extend_from_slice(&block);
        }
        let header = self.check_sum(&block)?;
        let path = match path {
            Some(path) => path,
            None => match std::str::from_utf8(&header.path_bytes()) {
                Ok(path) => path.to_owned(),
                Err(_) => return Err(self.refused("a file name is not UTF-8")),
            },
        };
        if let Some(kind) = invalid_kind(header.entry_type()) {
            return Err(self.refused(format!("`{}` is {kind}", shortened(&path))));
        }
        let Some(entry) = EntryPath::parse(&path) else {
            return Err(self.refused(invalid_path(&path)));
        };
        let size = header.entry_size().unwrap_or(u64::MAX);
        if seen != header::encode(&path, size) && seen != header::encode_first(&path, size) {
            return Err(self
                .refused(format!("the header of `{path}` differs from the one an export writes")));
        }
        Ok(Some((entry, size)))
    }

    fn unknown(&self) -> Error {
        self.refused(
            "it is no archive of Larder: neither a `.tar` nor a `.tar.zst` that `export` wrote",
        )
    }

    /// Checks the checksum of a header.
    fn check_sum<'b>(&self, block: &'b [u8; BLOCK]) -> Result<&'b Header> {
        let header = Header::from_byte_slice(block);
        let mut again = header.clone();
        again.set_cksum();
        match (header.cksum(), again.cksum()) {
            (Ok(stored), Ok(sum)) if stored == sum => Ok(header),
            _ if self.last.is_none() => Err(self.unknown()),
            _ => Err(self.corrupt("the checksum of a header is wrong")),
        }
    }

    /// Reads the content of an extended header.
    fn pax(&mut self, block: &[u8; BLOCK]) -> Result<Vec<u8>> {
        let size = Header::from_byte_slice(block).entry_size().unwrap_or(u64::MAX);
        if size > MAX_PAX {
            return Err(self.refused("an extended header is longer than any path"));
        }
        let mut content = vec![0; size as usize + header::padding(size)];
        self.fill(&mut content)?;
        content.truncate(size as usize);
        Ok(content)
    }

    /// Checks the order and size of a file.
    fn check_entry(&mut self, entry: &EntryPath, size: u64) -> Result<()> {
        let path = entry.path();
        match &self.last {
            None if *entry != EntryPath::Marker => {
                return Err(self.refused(format!("it starts with `{path}`, not with larder.json")));
            }
            Some(last) if last == entry => {
                return Err(self.refused(format!("duplicate file `{path}`")));
            }
            Some(last) if last > entry => {
                return Err(self.refused(format!("`{path}` is a duplicate or out of order")));
            }
            _ => {}
        }
        let Limits { total, record, files, .. } = *self.limits;
        if !matches!(entry, EntryPath::Blob(_)) && size > record {
            return Err(self.refused(record_too_large(&path, size, record)));
        }
        self.files += 1;
        if self.files > files {
            return Err(self.refused(too_many_files(files)));
        }
        self.total = self.total.saturating_add(size);
        if self.total > total {
            return Err(self.refused(too_large(total)));
        }
        Ok(())
    }

    fn blob(&mut self, entry: &EntryPath, digest: &Digest, size: u64) -> Result<()> {
        let mut file = self.create(entry)?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; CHUNK.min(usize::try_from(size).unwrap_or(CHUNK))];
        let mut left = size;
        while left > 0 {
            let step = chunk.len().min(usize::try_from(left).unwrap_or(CHUNK));
            self.fill(&mut chunk[..step])?;
            hasher.update(&chunk[..step]);
            file.write_all(&chunk[..step]).map_err(|error| self.unwritten(error))?;
            left -= step as u64;
        }
        let found = Digest::from_bytes(*hasher.finalize().as_bytes());
        if found == *digest {
            return Ok(());
        }
        let what = format!("the blob {digest} in {}", self.archive.display());
        Err(Error::corrupt(what, Corruption::Digest { expected: *digest, found }))
    }

    fn document(&mut self, entry: &EntryPath, size: u64) -> Result<()> {
        // The size is below the limit of a record.
        let mut json = vec![0; usize::try_from(size).unwrap_or_default()];
        self.fill(&mut json)?;
        check_document(entry, &json, || format!("{} in {}", entry.path(), self.archive.display()))?;
        let mut file = self.create(entry)?;
        file.write_all(&json).map_err(|error| self.unwritten(error))
    }

    /// Creates the file of an entry.
    fn create(&self, entry: &EntryPath) -> Result<File> {
        let path = self.folder.join(entry.path());
        let parent = path.parent().unwrap_or(self.folder);
        let file = fs::create_dir_all(parent).and_then(|()| File::create_new(&path));
        file.map_err(|error| self.unwritten(error))
    }

    /// Fills the buffer.
    fn fill(&mut self, mut buf: &mut [u8]) -> Result<()> {
        while !buf.is_empty() {
            match self.read(buf)? {
                0 => return Err(self.corrupt("it is truncated")),
                read => buf = &mut buf[read..],
            }
        }
        Ok(())
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let read = loop {
            match self.input.read(buf) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(read) => break read,
                Err(error) if self.packed.is_some() => {
                    return Err(match error.kind() {
                        io::ErrorKind::UnexpectedEof => self.corrupt("it is truncated"),
                        _ => self.corrupt(&format!("cannot decompress it: {error}")),
                    });
                }
                Err(error) => {
                    return Err(Error::store(format!("read {}", self.archive.display()), error));
                }
            }
        };
        self.unpacked += read as u64;
        let ratio = self.limits.ratio;
        if let Some(packed) = &self.packed
            && self.unpacked > RATIO_FROM
            && self.unpacked > packed.get().saturating_mul(ratio)
        {
            let reason = format!(
                "it unpacks to more than {ratio} times its size; raise the ratio limit if you trust it"
            );
            return Err(self.refused(reason));
        }
        Ok(read)
    }

    fn refused(&self, reason: impl Into<String>) -> Error {
        refused(self.archive, reason)
    }

    fn corrupt(&self, reason: &str) -> Error {
        let what = format!("the archive {}", self.archive.display());
        Error::corrupt(what, Corruption::Unreadable(reason.into()))
    }

    fn unwritten(&self, error: io::Error) -> Error {
        Error::store(format!("unpack {}", self.archive.display()), error)
    }
}

/// Describes an entry that is not a file.
fn invalid_kind(kind: EntryType) -> Option<&'static str> {
    Some(match kind {
        EntryType::Regular => return None,
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a pipe",
        EntryType::Directory => "a folder entry, which exports do not have",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongName => "a GNU long name, which exports do not have",
        EntryType::GNULongLink => "a GNU long link",
        EntryType::XGlobalHeader => "a global extended header",
        EntryType::XHeader => "a second extended header",
        _ => "an entry of unknown type",
    })
}

/// Describes a path that no export has.
pub(crate) fn invalid_path(path: &str) -> String {
    let reason = if path.starts_with('/') {
        "is an absolute path"
    } else if path.contains('\\') {
        "contains `\\`"
    } else if path.split('/').any(|part| part == "..") {
        "leaves the folder by `..`"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "is not normalized"
    } else if EntryPath::parse(&path.to_ascii_lowercase()).is_some() {
        "has capital letters"
    } else {
        "is not a file of an export"
    };
    format!("`{}` {reason}", shortened(path))
}

/// Cuts a path to 80 characters.
fn shortened(path: &str) -> &str {
    path.char_indices().nth(80).map_or(path, |(cut, _)| &path[..cut])
}
