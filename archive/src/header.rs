//! Headers of archives: ustar, with a pax header for long paths, as Python's `tarfile` writes them.
//!
//! A reader accepts a header only if it equals, byte for byte, the header that this module writes, or has written.

use tar::{EntryType, Header};

/// Size of a block, in bytes; headers and contents are padded to blocks.
pub(crate) const BLOCK: usize = 512;
/// An archive is padded to a multiple of this size, in bytes.
pub(crate) const RECORD: usize = 20 * BLOCK;
/// Maximum size of a pax header, in bytes: one path of maximum length.
pub(crate) const MAX_PAX: u64 = 1024;

/// Returns the header of a file: one block, or at least three for a long path.
pub(crate) fn encode(path: &str, size: u64) -> Vec<u8> {
    let of = |kind, prefix, name, mode, size| block(kind, prefix, name, mode, size, Sum::Usual);
    match fields(path) {
        Some((prefix, name)) => of(EntryType::Regular, prefix, name, 0o644, size).to_vec(),
        None => {
            let record = pax_record(path);
            let length = record.len() as u64;
            let pax = of(EntryType::XHeader, "", "././@PaxHeader", 0, length);
            // Cut, as the path is in the pax header. Keys are ASCII.
            let name = path.get(..100).unwrap_or(path);
            with_pax(pax, &record, of(EntryType::Regular, "", name, 0o644, size))
        }
    }
}

/// Returns the header that the first archives have: another prefix, pax header and form of the checksum.
pub(crate) fn encode_first(path: &str, size: u64) -> Vec<u8> {
    let of = |kind, prefix, name, size| block(kind, prefix, name, 0o644, size, Sum::SevenDigits);
    match first_fields(path) {
        Some((prefix, name)) => of(EntryType::Regular, prefix, name, size).to_vec(),
        None => {
            let record = pax_record(path);
            let pax = of(EntryType::XHeader, "", "pax", record.len() as u64);
            with_pax(pax, &record, of(EntryType::Regular, "", "pax", size))
        }
    }
}

fn with_pax(pax: [u8; BLOCK], record: &str, file: [u8; BLOCK]) -> Vec<u8> {
    let mut all = pax.to_vec();
    all.extend_from_slice(record.as_bytes());
    all.resize(all.len() + padding(record.len() as u64), 0);
    all.extend_from_slice(&file);
    all
}

/// Returns the number of bytes between the end of a content and the next block.
pub(crate) fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// Returns the path of a pax header; `None` if it has any other record.
pub(crate) fn path_in_pax(content: &[u8]) -> Option<&str> {
    let content = std::str::from_utf8(content).ok()?;
    let path = content.split_once(" path=")?.1.strip_suffix('\n')?;
    (pax_record(path) == content).then_some(path)
}

/// Returns `LENGTH path=PATH\n`, where the length includes its own digits.
fn pax_record(path: &str) -> String {
    let rest = format!(" path={path}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// Splits a path into the ustar fields prefix and name, with the shortest prefix; `None` if it does not fit.
fn fields(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    // The name after the cut has at most 100 bytes.
    let cut =
        path.len() - 101 + path.as_bytes()[path.len() - 101..].iter().position(|b| *b == b'/')?;
    let (prefix, name) = (&path[..cut], &path[cut + 1..]);
    (prefix.len() <= 155).then_some((prefix, name))
}

/// As [`fields`], with the longest prefix.
fn first_fields(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let cut = path.bytes().take(156).rposition(|b| b == b'/')?;
    let (prefix, name) = (&path[..cut], &path[cut + 1..]);
    (name.len() <= 100).then_some((prefix, name))
}

/// Forms of the checksum field.
#[derive(Clone, Copy)]
enum Sum {
    /// Six octal digits, NUL, space.
    Usual,
    /// Seven octal digits, NUL.
    SevenDigits,
}

fn block(kind: EntryType, prefix: &str, name: &str, mode: u32, size: u64, sum: Sum) -> [u8; BLOCK] {
    let mut header = Header::new_ustar();
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
    }
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    if let Sum::Usual = sum {
        // `0001234\0` becomes `001234\0 `: the sum of 512 bytes has at most six digits.
        let field = &mut header.as_mut_bytes()[148..156];
        field.copy_within(1.., 0);
        field[7] = b' ';
    }
    *header.as_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn splits_paths_and_uses_pax_for_long_ones() {
        assert_eq!(fields("larder.json"), Some(("", "larder.json")));
        let (long, part) = (format!("{}/{}", "a".repeat(60), "b".repeat(60)), "c".repeat(101));
        assert_eq!(fields(&long), Some((&long[..60], &long[61..])));
        let two = format!("a/b/{}", "c".repeat(98));
        assert_eq!(fields(&two), Some(("a", &two[2..])), "as short a prefix as fits");
        assert_eq!(first_fields(&two), Some(("a/b", &two[4..])));
        assert_eq!(fields(&part), None);
        assert_eq!(fields(&format!("{}/b", "a".repeat(156))), None);
        assert_eq!(encode(&part, 0).len(), 3 * BLOCK);
        assert_eq!(encode_first(&part, 0).len(), 3 * BLOCK);
        assert_eq!(path_in_pax(pax_record(&part).as_bytes()), Some(&part[..]));
    }

    #[test]
    fn pax_length_includes_itself() {
        for length in [1, 90, 91, 92, 989, 990, 991, 992] {
            let record = pax_record(&"p".repeat(length));
            let stated: usize = record.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(stated, record.len());
        }
    }

    #[test]
    fn rejects_other_pax_records() {
        let others = [
            "",
            "12 path=abc",
            "11 path=abc\n",
            "012 path=abc\n",
            "12 size=1000\n",
            "12 path=abc\n12 path=abd\n",
            "22 linkpath=/etc/passwd\n",
        ];
        for other in others {
            assert_eq!(path_in_pax(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(path_in_pax(b"12 path=abc\n"), Some("abc"));
    }

    #[test]
    fn large_sizes_are_binary() {
        let header = encode("larder.json", 9 << 30);
        assert_eq!(Header::from_byte_slice(&header).entry_size().unwrap(), 9 << 30);
        assert_eq!(header[124], 0x80);
    }
}
