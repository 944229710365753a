//! Content that is seldom what a file was meant to hold.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Content other than the expected file: a pointer of Git LFS, a compressed file, an error page.
///
/// Its `Display` names the content and the remedy: `it is a Git LFS pointer, not the file itself; …`.
///
/// ```
/// use larder_files::WrongContent;
///
/// let wrong = WrongContent::of(b"\x1f\x8b\x08\0").unwrap();
/// assert_eq!(wrong.to_string(), "it is compressed with gzip; decompress it first");
/// assert_eq!(WrongContent::of(b"0.5, 0.25"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongContent {
    what: &'static str,
    advice: &'static str,
    is_pointer: bool,
}

/// Number of bytes that are enough to recognise content.
const HEAD: u64 = 512;

const FETCH: &str = "get the file itself";
const DECOMPRESS: &str = "decompress it first";
const EXTRACT: &str = "extract it first";
const CONVERT: &str = "export the model as ONNX, WebAssembly or a script";

/// First bytes, with what they say and what to do.
const STARTS: [(&[u8], &str, &str); 17] = [
    (b"\x1f\x8b", "it is compressed with gzip", DECOMPRESS),
    (b"\x28\xb5\x2f\xfd", "it is compressed with Zstandard", DECOMPRESS),
    (b"\xfd7zXZ\0", "it is compressed with xz", DECOMPRESS),
    (b"BZh", "it is compressed with bzip2", DECOMPRESS),
    (b"\x04\x22\x4d\x18", "it is compressed with LZ4", DECOMPRESS),
    (b"x\x9c", "it is compressed with zlib", DECOMPRESS),
    (b"x\xda", "it is compressed with zlib", DECOMPRESS),
    (b"PK\x03\x04", "it is a zip archive", EXTRACT),
    (b"PK\x05\x06", "it is an empty zip archive", FETCH),
    (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive", EXTRACT),
    (b"\x89HDF", "it is an HDF5 file", CONVERT),
    (b"\x93NUMPY", "it is a NumPy array", CONVERT),
    (b"GGUF", "it is a GGUF file", CONVERT),
    (b"%PDF", "it is a PDF document", FETCH),
    (b"\xff\xfe", "it is text in UTF-16", "convert it to UTF-8"),
    (b"\xfe\xff", "it is text in UTF-16", "convert it to UTF-8"),
    (b"\x7fELF", "it is a program for this kind of machine", "compile it to WebAssembly"),
];

/// Starts of text, in lower case, with what they say and what to do.
const TEXTS: [(&str, &str, &str); 8] = [
    ("<!doctype html", "it is an HTML page, such as an error or a log-in", FETCH),
    ("<html", "it is an HTML page, such as an error or a log-in", FETCH),
    ("<head", "it is an HTML page, such as an error or a log-in", FETCH),
    ("<script", "it is an HTML page, such as an error or a log-in", FETCH),
    ("<!--", "it is an HTML page, such as an error or a log-in", FETCH),
    ("<?xml", "it is an XML document, such as the error of a server", FETCH),
    ("<error>", "it is an XML document, such as the error of a server", FETCH),
    ("(module", "it is WebAssembly as text", "assemble it first, as with `wat2wasm`"),
];

/// Starts of the pointers of tools that keep large files outside Git.
const POINTERS: [(&str, &str, &str); 3] = [
    (
        "version https://git-lfs.github.com/spec/",
        "it is a Git LFS pointer, not the file itself",
        "fetch the file with `git lfs pull`",
    ),
    (
        "version https://hawser.github.com/spec/",
        "it is a Git LFS pointer, not the file itself",
        "fetch the file with `git lfs pull`",
    ),
    (
        "/annex/objects/",
        "it is a git-annex pointer, not the file itself",
        "fetch the file with `git annex get`",
    ),
];

impl WrongContent {
    /// Recognises content by its first 512 bytes.
    pub fn of(head: &[u8]) -> Option<Self> {
        let found = |(what, advice)| Self { what, advice, is_pointer: false };
        if head.is_empty() {
            return Some(found(("it is empty", FETCH)));
        }
        let text = String::from_utf8_lossy(&head[..head.len().min(HEAD as usize)]);
        let text = text.trim_start_matches('\u{feff}').trim_start();
        for (start, what, advice) in POINTERS {
            if text.starts_with(start) {
                return Some(Self { what, advice, is_pointer: true });
            }
        }
        let starts = STARTS.iter().find(|(start, ..)| head.starts_with(start));
        if let Some((_, what, advice)) = starts {
            return Some(found((*what, *advice)));
        }
        if head.get(257..262) == Some(b"ustar") {
            return Some(found(("it is a tar archive", EXTRACT)));
        }
        let text = text.to_ascii_lowercase();
        let texts = TEXTS.iter().find(|(start, ..)| text.starts_with(start));
        if let Some((_, what, advice)) = texts {
            return Some(found((*what, *advice)));
        }
        let is_zero = head.len() >= 16 && head.iter().take(HEAD as usize).all(|byte| *byte == 0);
        is_zero.then(|| found(("it begins with zeros, as after a write that broke off", FETCH)))
    }

    /// Recognises content of a file that should be binary: plain text is wrong too.
    pub fn of_binary(head: &[u8]) -> Option<Self> {
        let text = || {
            let head = &head[..head.len().min(HEAD as usize)];
            let text = match std::str::from_utf8(head) {
                Ok(text) => Some(text),
                // The head may end within a character.
                Err(error) if error.error_len().is_none() => {
                    head.get(..error.valid_up_to()).and_then(|head| std::str::from_utf8(head).ok())
                }
                Err(_) => None,
            };
            let is_text = text.is_some_and(|text| {
                text.chars().all(|c| !c.is_control() || c.is_ascii_whitespace())
            });
            let what = "it is text, such as the message of a server";
            is_text.then_some(Self { what, advice: FETCH, is_pointer: false })
        };
        Self::of(head).or_else(text)
    }

    /// Recognises the content of a file.
    ///
    /// # Errors
    /// I/O errors.
    pub fn of_file(path: impl AsRef<Path>) -> io::Result<Option<Self>> {
        let mut head = Vec::new();
        File::open(path)?.take(HEAD).read_to_end(&mut head)?;
        Ok(Self::of(&head))
    }

    /// Returns true for a pointer file of Git LFS or git-annex.
    pub fn is_pointer(&self) -> bool {
        self.is_pointer
    }
}

impl fmt::Display for WrongContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.advice)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_is_recognised_behind_a_byte_order_mark() {
        let pointer = "\u{feff}version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n";
        assert!(WrongContent::of(pointer.as_bytes()).unwrap().is_pointer());
    }

    #[test]
    fn a_page_is_recognised_behind_blank_lines_in_any_case() {
        for page in ["\n\n  <!DOCTYPE HTML>", "<HTML lang=en>", "<?xml version='1.0'?><Error>"] {
            assert!(WrongContent::of(page.as_bytes()).is_some(), "{page}");
        }
    }

    #[test]
    fn text_is_wrong_where_a_file_should_be_binary() {
        for text in ["404: Not Found", "{\"error\": \"access denied\"}", &"größe ".repeat(200)] {
            assert_eq!(WrongContent::of(text.as_bytes()), None, "{text}");
            assert!(WrongContent::of_binary(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(WrongContent::of_binary(b"\x08\x08\x12\x07pytorch"), None);
    }

    #[test]
    fn bytes_of_models_and_plain_text_are_not_wrong() {
        for content in
            [&b"\x08\x08\x12\x07pytorch"[..], b"\0asm\x01\0\0\0", b"fn predict(x) { x }", b"\0\0"]
        {
            assert_eq!(WrongContent::of(content), None, "{content:?}");
        }
    }
}
