//! Reading an archive that anyone may have made.
//!
//! A header is accepted if it is, to the byte, the one that an export has for that path and size. So links,
//! devices, owners, sparse files and every extension of tar are refused without being understood.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::rc::Rc;

use larder_core::store::{Corruption, Digest};
use larder_core::{Error, Result};
use tar::{EntryType, Header};

use crate::header::{self, BLOCK, MOST_PAX};
use crate::limits::{Limits, RATIO_FROM};
use crate::open::{check_document, refused};
use crate::place::EntryPath;

/// How a file that Zstandard wrote begins.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How much a decoder may look back, as a power of two: 8 MiB of memory.
const WINDOW: u32 = 23;
/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// Unpacks the archive at `path` into an empty folder.
pub(crate) fn unpack(path: &Path, limits: &Limits, folder: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::store(format!("read {}", path.display()), error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(refused(path, "it is neither a file nor a folder"));
    }
    let packed = Rc::new(Cell::new(0));
    let file = Counted { file: File::open(path).map_err(failed)?, count: Rc::clone(&packed) };
    let mut file = BufReader::with_capacity(PIECE, file);
    let unpacker = |input, packed| Unpacker {
        input,
        packed,
        archive: path,
        folder,
        limits,
        passed: 0,
        total: 0,
        files: 0,
        last: None,
    };
    let mut rest = if file.fill_buf().map_err(failed)?.starts_with(&ZSTANDARD) {
        let mut decoder = zstd::Decoder::with_buffer(file).map_err(failed)?.single_frame();
        decoder.window_log_max(WINDOW).map_err(failed)?;
        let mut unpacker = unpacker(&mut decoder as &mut dyn Read, Some(packed));
        unpacker.unpack()?;
        // The frame has a checksum after its last byte.
        if unpacker.read(&mut [0])? != 0 {
            return Err(refused(path, "something packed follows its end"));
        }
        decoder.finish()
    } else {
        unpacker(&mut file as &mut dyn Read, None).unpack()?;
        file
    };
    match rest.fill_buf().map_err(failed)? {
        [] => Ok(()),
        _ => Err(refused(path, "something follows its end")),
    }
}

/// A file, and how much of it was read.
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
    /// The bytes that were read of the file, if they are packed.
    packed: Option<Rc<Cell<u64>>>,
    archive: &'a Path,
    folder: &'a Path,
    limits: &'a Limits,
    /// The bytes that came out.
    passed: u64,
    /// The bytes of the files' contents.
    total: u64,
    files: u64,
    last: Option<EntryPath>,
}

impl Unpacker<'_> {
    fn unpack(&mut self) -> Result<()> {
        while let Some((place, size)) = self.header()? {
            self.admit(&place, size)?;
            match &place {
                EntryPath::Blob(digest) => self.blob(&place, digest, size)?,
                EntryPath::Marker | EntryPath::Record(_) => self.document(&place, size)?,
            }
            let mut padding = [0; BLOCK];
            let padding = &mut padding[..header::padding(size)];
            self.fill(padding)?;
            if padding.iter().any(|byte| *byte != 0) {
                return Err(self.refused(format!("something follows `{}`", place.path())));
            }
            self.last = Some(place);
        }
        match self.last {
            Some(_) => Ok(()),
            None => Err(self.refused("nothing is in it")),
        }
    }

    /// The next file and its size; none at the end.
    fn header(&mut self) -> Result<Option<(EntryPath, u64)>> {
        let mut block = [0; BLOCK];
        self.fill(&mut block)?;
        if block == [0; BLOCK] {
            self.fill(&mut block)?;
            return match block == [0; BLOCK] {
                true => Ok(None),
                false => Err(self.refused("its end is only half there")),
            };
        }
        let mut seen = block.to_vec();
        let mut path = None;
        if self.sound(&block)?.entry_type() == EntryType::XHeader {
            let content = self.pax(&block)?;
            let Some(long) = header::path_in_pax(&content) else {
                return Err(self.refused("an extended header in it gives more than a path"));
            };
            path = Some(long.to_owned());
            seen.extend_from_slice(&content);
            seen.resize(seen.len() + header::padding(content.len() as u64), 0);
            self.fill(&mut block)?;
            seen.extend_from_slice(&block);
        }
        let header = self.sound(&block)?;
        let path = match path {
            Some(path) => path,
            None => match std::str::from_utf8(&header.path_bytes()) {
                Ok(path) => path.to_owned(),
                Err(_) => return Err(self.refused("a name in it is not UTF-8")),
            },
        };
        if let Some(kind) = fault_in_kind(header.entry_type()) {
            return Err(self.refused(format!("`{}` is {kind}", shown(&path))));
        }
        let Some(place) = EntryPath::at(&path) else {
            return Err(self.refused(fault_in_path(&path)));
        };
        let size = header.entry_size().unwrap_or(u64::MAX);
        if seen != header::before(&path, size) {
            return Err(self.refused(format!("the header of `{path}` is not as an export has it")));
        }
        Ok(Some((place, size)))
    }

    /// A header whose checksum is right.
    fn sound<'b>(&self, block: &'b [u8; BLOCK]) -> Result<&'b Header> {
        let header = Header::from_byte_slice(block);
        let mut again = header.clone();
        again.set_cksum();
        match (header.cksum(), again.cksum()) {
            (Ok(stated), Ok(sum)) if stated == sum => Ok(header),
            _ if self.last.is_none() => {
                Err(self.refused("it is no export: neither a `.tar` nor a `.tar.zst`"))
            }
            _ => Err(self.corrupt("the checksum of a header is wrong")),
        }
    }

    /// The content of an extended header.
    fn pax(&mut self, block: &[u8; BLOCK]) -> Result<Vec<u8>> {
        let size = Header::from_byte_slice(block).entry_size().unwrap_or(u64::MAX);
        if size > MOST_PAX {
            return Err(self.refused("an extended header in it is longer than any path"));
        }
        let mut content = vec![0; size as usize + header::padding(size)];
        self.fill(&mut content)?;
        content.truncate(size as usize);
        Ok(content)
    }

    /// Whether a file may come now, and be so large.
    fn admit(&mut self, place: &EntryPath, size: u64) -> Result<()> {
        let path = place.path();
        match &self.last {
            None if *place != EntryPath::Marker => {
                return Err(self.refused(format!("it begins with `{path}`, not with larder.json")));
            }
            Some(last) if last == place => {
                return Err(self.refused(format!("`{path}` is in it twice")));
            }
            Some(last) if last > place => {
                return Err(self.refused(format!("`{path}` is in it twice or out of order")));
            }
            _ => {}
        }
        let Limits { total, record, files, .. } = *self.limits;
        if !matches!(place, EntryPath::Blob(_)) && size > record {
            let reason = format!("`{path}` has {size} bytes, and a record has {record} at most");
            return Err(self.refused(reason));
        }
        self.files += 1;
        if self.files > files {
            return Err(self.refused(format!("it holds more than {files} files")));
        }
        self.total = self.total.saturating_add(size);
        if self.total > total {
            let reason =
                format!("it holds more than {total} bytes; raise the limit if you trust it");
            return Err(self.refused(reason));
        }
        Ok(())
    }

    fn blob(&mut self, place: &EntryPath, digest: &Digest, size: u64) -> Result<()> {
        let mut file = self.create(place)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; PIECE.min(usize::try_from(size).unwrap_or(PIECE))];
        let mut left = size;
        while left > 0 {
            let step = piece.len().min(usize::try_from(left).unwrap_or(PIECE));
            self.fill(&mut piece[..step])?;
            hasher.update(&piece[..step]);
            file.write_all(&piece[..step]).map_err(|error| self.unwritten(error))?;
            left -= step as u64;
        }
        let found = Digest::from_bytes(*hasher.finalize().as_bytes());
        if found == *digest {
            return Ok(());
        }
        let what = format!("the blob {digest} in {}", self.archive.display());
        Err(Error::corrupt(what, Corruption::Digest { expected: *digest, found }))
    }

    fn document(&mut self, place: &EntryPath, size: u64) -> Result<()> {
        // It is no larger than the limit.
        let mut json = vec![0; usize::try_from(size).unwrap_or_default()];
        self.fill(&mut json)?;
        check_document(place, &json, || format!("{} in {}", place.path(), self.archive.display()))?;
        let mut file = self.create(place)?;
        file.write_all(&json).map_err(|error| self.unwritten(error))
    }

    /// Creates a file of the layout.
    fn create(&self, place: &EntryPath) -> Result<File> {
        let path = self.folder.join(place.path());
        let parent = path.parent().unwrap_or(self.folder);
        let file = fs::create_dir_all(parent).and_then(|()| File::create_new(&path));
        file.map_err(|error| self.unwritten(error))
    }

    /// Reads so many bytes.
    fn fill(&mut self, mut buf: &mut [u8]) -> Result<()> {
        while !buf.is_empty() {
            match self.read(buf)? {
                0 => return Err(self.corrupt("it is cut short")),
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
                        io::ErrorKind::UnexpectedEof => self.corrupt("it is cut short"),
                        _ => self.corrupt(&format!("it cannot be unpacked: {error}")),
                    });
                }
                Err(error) => {
                    return Err(Error::store(format!("read {}", self.archive.display()), error));
                }
            }
        };
        self.passed += read as u64;
        let ratio = self.limits.ratio;
        if let Some(packed) = &self.packed
            && self.passed > RATIO_FROM
            && self.passed > packed.get().saturating_mul(ratio)
        {
            let reason = format!(
                "it unpacks to more than {ratio} times its size; raise the limit if you trust it"
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

/// What an entry is, if it is no file.
fn fault_in_kind(kind: EntryType) -> Option<&'static str> {
    Some(match kind {
        EntryType::Regular => return None,
        EntryType::Link => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a pipe",
        EntryType::Directory => "a folder of its own, which no export has",
        EntryType::GNUSparse => "a sparse file",
        EntryType::GNULongName => "a long name in GNU's way, which no export has",
        EntryType::GNULongLink => "a long link in GNU's way",
        EntryType::XGlobalHeader => "an extended header for all that follows",
        EntryType::XHeader => "an extended header after another",
        _ => "of an unknown kind",
    })
}

/// Why a path is none of a larder's.
pub(crate) fn fault_in_path(path: &str) -> String {
    let fault = if path.starts_with('/') {
        "is an absolute path"
    } else if path.contains('\\') {
        "has a `\\`"
    } else if path.split('/').any(|part| part == "..") {
        "leads out of the folder by `..`"
    } else if path.split('/').any(|part| part.is_empty() || part == ".") {
        "is not in its plain form"
    } else if EntryPath::at(&path.to_ascii_lowercase()).is_some() {
        "has capital letters"
    } else {
        "is no file of a larder"
    };
    format!("`{}` {fault}", shown(path))
}

/// A path for people: not too long.
fn shown(path: &str) -> &str {
    path.char_indices().nth(80).map_or(path, |(cut, _)| &path[..cut])
}
