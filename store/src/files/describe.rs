//! Descriptions of files that are no larder, for errors.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The first bytes of files that people take for a larder.
const KINDS: [(usize, &[u8], &str); 8] = [
    (0, b"SQLite format 3\0", SQLITE),
    (
        0,
        b"\x28\xb5\x2f\xfd",
        "a file compressed by Zstandard; an archive of a larder must be imported",
    ),
    (257, b"ustar", "a tar archive; an archive of a larder must be imported"),
    (0, b"\x1f\x8b", "a file compressed by gzip"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\x7fELF", "a program"),
    (0, b"%PDF", "a PDF document"),
    (0, b"GGUF", "a model in GGUF"),
];
const SQLITE: &str = "an SQLite database";
/// Bytes that are read.
const HEAD: usize = 512;

/// Returns what `path` looks like: `a folder`, `an SQLite database`, `a text file`.
pub fn describe(path: &Path) -> String {
    let found = match fs::metadata(path) {
        Ok(found) if found.is_dir() => return "a folder".into(),
        Ok(found) if !found.is_file() => return "a device or a pipe".into(),
        Ok(found) if found.len() == 0 => return "an empty file".into(),
        Ok(found) => found,
        Err(error) => return format!("not readable ({error})"),
    };
    // To close a file that SQLite has open in this process would release its locks.
    if [wal(path, "-wal"), wal(path, "-shm")].iter().any(|side| side.exists()) {
        return SQLITE.into();
    }
    let mut head = Vec::new();
    if let Err(error) = File::open(path).and_then(|it| it.take(HEAD as u64).read_to_end(&mut head))
    {
        return format!("not readable ({error})");
    }
    let begins = |(at, magic, _): &&(usize, &[u8], &str)| {
        head.get(*at..).is_some_and(|rest| rest.starts_with(magic))
    };
    if let Some((_, _, kind)) = KINDS.iter().find(begins) {
        return (*kind).to_owned();
    }
    let name = path.extension().and_then(|it| it.to_str()).map(|it| format!("`.{it}` "));
    let name = name.unwrap_or_default();
    let text = match std::str::from_utf8(&head) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => head.len() == HEAD && error.error_len().is_none(),
    };
    match text && !head.contains(&0) {
        true => format!("a {name}file of text"),
        false => format!("a {name}file of {} bytes in another format", found.len()),
    }
}

fn wal(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn files_are_described_by_their_content() {
        let folder = tempfile::tempdir().unwrap();
        let tar = [&[0; 257][..], b"ustar\0"].concat();
        let cut = [&b"x".repeat(HEAD - 1)[..], "ü".as_bytes()].concat();
        for (name, content, said) in [
            ("a", &b"SQLite format 3\0rest"[..], "an SQLite database"),
            ("a.tar", &tar, "a tar archive; an archive of a larder must be imported"),
            ("a.txt", "prose, sü\n".as_bytes(), "a `.txt` file of text"),
            ("cut", &cut, "a file of text"),
            ("a.onnx", b"\x08\x07\0\xff", "a `.onnx` file of 4 bytes in another format"),
            ("empty", b"", "an empty file"),
        ] {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            assert_eq!(describe(&path), said);
        }
        assert_eq!(describe(folder.path()), "a folder");
        fs::write(folder.path().join("a.txt-wal"), "").unwrap();
        assert_eq!(describe(&folder.path().join("a.txt")), SQLITE);
        assert!(describe(&folder.path().join("none")).starts_with("not readable"));
    }
}
