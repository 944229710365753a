//! Detection of a model file's kind.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

use larder_files::onnx_message::is_onnx;

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
        if is_onnx(&mut source, len)? {
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
