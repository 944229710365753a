//! Detection of a model file's kind.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Kind of a model file, detected by its content without running it.
///
/// An ONNX file is detected by the fields of its outermost message, WebAssembly by its magic number, and a script by
/// parsing it: Rhai that defines `predict`.
///
/// ```
/// use larder_models::ModelKind;
///
/// assert_eq!(ModelKind::of(b"\0asm\x01\0\0\0"), ModelKind::Wasm);
/// assert_eq!(ModelKind::of(b"anything else"), ModelKind::File);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelKind {
    /// An ONNX model.
    Onnx,
    /// A WebAssembly module or component.
    Wasm,
    /// A Rhai script; detected only with the feature `script`.
    Script,
    /// Any other file.
    File,
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onnx => "an ONNX model",
            Self::Wasm => "a WebAssembly module",
            Self::Script => "a script",
            Self::File => "a plain file",
        })
    }
}

impl ModelKind {
    /// Detects the kind of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        // Reading from memory does not fail.
        Self::read(Cursor::new(bytes), bytes.len() as u64).unwrap_or(Self::File)
    }

    /// Detects the kind of a file; reads little of a large one.
    ///
    /// # Errors
    /// I/O errors.
    pub fn of_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Self::read(BufReader::with_capacity(256, file), len)
    }

    fn read(mut source: impl Read + Seek, len: u64) -> io::Result<Self> {
        let mut magic = [0; 4];
        if len >= 4 {
            source.read_exact(&mut magic)?;
        }
        if &magic == b"\0asm" {
            return Ok(Self::Wasm);
        }
        source.seek(SeekFrom::Start(0))?;
        if scan(&mut source, len)? == Scan::Onnx {
            return Ok(Self::Onnx);
        }
        source.seek(SeekFrom::Start(0))?;
        Ok(if is_script(source, len)? { Self::Script } else { Self::File })
    }
}

#[cfg(feature = "script")]
fn is_script(source: impl Read, len: u64) -> io::Result<bool> {
    use crate::script::{MAX_BYTES, parse};

    if len > MAX_BYTES {
        return Ok(false);
    }
    let mut bytes = Vec::new();
    source.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(std::str::from_utf8(&bytes).is_ok_and(|text| parse(text).is_ok()))
}

#[cfg(not(feature = "script"))]
fn is_script(_: impl Read, _: u64) -> io::Result<bool> {
    Ok(false)
}

/// Field numbers of ONNX's `ModelProto`.
const IR_VERSION: u64 = 1;
const GRAPH: u64 = 7;
/// Highest field number.
const LAST_FIELD: u64 = 25;
/// Highest plausible IR version.
const MAX_IR_VERSION: u64 = 64;

/// Result of reading the outermost fields of a file.
#[derive(Debug, PartialEq, Eq)]
enum Scan {
    /// A message with an IR version and a graph.
    Onnx,
    /// Begins like one, and ends before the end of a field.
    Cut {
        /// Bytes that are missing at least.
        missing: u64,
    },
    Other,
}

/// Returns the number of missing bytes if `bytes` are the beginning of an ONNX file.
#[cfg(feature = "onnx")]
pub(crate) fn missing_of_onnx(bytes: &[u8]) -> Option<u64> {
    match scan(&mut Cursor::new(bytes), bytes.len() as u64) {
        Ok(Scan::Cut { missing }) => Some(missing),
        _ => None,
    }
}

fn scan(source: &mut (impl Read + Seek), len: u64) -> io::Result<Scan> {
    let mut at = 0;
    let (mut versions, mut graphs) = (0, 0);
    // The first field of a model is its IR version.
    let cut = |versions, missing| if versions > 0 { Scan::Cut { missing } } else { Scan::Other };
    while at < len {
        let Some(key) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
        let (field, wire) = (key >> 3, key & 7);
        if field == 0 || field > LAST_FIELD {
            return Ok(Scan::Other);
        }
        match wire {
            0 => {
                let Some(value) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
                if field == IR_VERSION {
                    versions += u64::from((1..=MAX_IR_VERSION).contains(&value));
                }
            }
            2 => {
                let Some(size) = varint(source, &mut at)? else { return Ok(cut(versions, 1)) };
                let end = at.saturating_add(size);
                if end > len {
                    return Ok(cut(versions, end - len));
                }
                graphs += u64::from(field == GRAPH);
                at = end;
                source.seek(SeekFrom::Start(at))?;
            }
            // A `ModelProto` has no other wire types.
            _ => return Ok(Scan::Other),
        }
    }
    Ok(match (versions, graphs) {
        (1, 1) => Scan::Onnx,
        (1, 0) => Scan::Cut { missing: 1 },
        _ => Scan::Other,
    })
}

/// Reads a protobuf varint; `None` if it is invalid.
fn varint(source: &mut impl Read, at: &mut u64) -> io::Result<Option<u64>> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let mut byte = [0];
        if source.read(&mut byte)? == 0 {
            return Ok(None);
        }
        *at += 1;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}
