//! Headers of archives: plain ustar, and a pax header where a path is too long for that.
//!
//! The one function that makes a header serves the reader too: a header is accepted if it is, to the byte,
//! what would have been written.

use tar::{EntryType, Header};

/// Everything in an archive is padded to blocks.
pub(crate) const BLOCK: usize = 512;
/// The most bytes that a pax header can have: one longest path.
pub(crate) const MOST_PAX: u64 = 1024;

/// What stands before the content of a file: one block, or three and more if its path is long.
pub(crate) fn before(path: &str, size: u64) -> Vec<u8> {
    match fields(path) {
        Some((prefix, name)) => block(EntryType::Regular, prefix, name, size).to_vec(),
        None => {
            let record = pax_record(path);
            let mut all = block(EntryType::XHeader, "", "pax", record.len() as u64).to_vec();
            all.extend_from_slice(record.as_bytes());
            all.resize(all.len() + padding(record.len() as u64), 0);
            all.extend_from_slice(&block(EntryType::Regular, "", "pax", size));
            all
        }
    }
}

/// The bytes between the end of a content and the next block.
pub(crate) fn padding(size: u64) -> usize {
    (BLOCK - (size % BLOCK as u64) as usize) % BLOCK
}

/// The path that a pax header gives, if it gives a path and nothing else.
pub(crate) fn path_in_pax(content: &[u8]) -> Option<&str> {
    let content = std::str::from_utf8(content).ok()?;
    let path = content.split_once(" path=")?.1.strip_suffix('\n')?;
    (pax_record(path) == content).then_some(path)
}

/// `LENGTH path=PATH\n`, where the length counts its own digits too.
fn pax_record(path: &str) -> String {
    let rest = format!(" path={path}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

/// A path as ustar has it, in two fields, the first as long as can be; `None` if it does not fit.
fn fields(path: &str) -> Option<(&str, &str)> {
    if path.len() <= 100 {
        return Some(("", path));
    }
    let cut = path.bytes().take(156).rposition(|b| b == b'/')?;
    let (prefix, name) = (&path[..cut], &path[cut + 1..]);
    (name.len() <= 100).then_some((prefix, name))
}

fn block(kind: EntryType, prefix: &str, name: &str, size: u64) -> [u8; BLOCK] {
    let mut header = Header::new_ustar();
    if let Some(ustar) = header.as_ustar_mut() {
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
    }
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    *header.as_bytes()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_cut_where_it_fits_and_else_stands_in_a_pax_header() {
        assert_eq!(fields("larder.json"), Some(("", "larder.json")));
        let (long, part) = (format!("{}/{}", "a".repeat(60), "b".repeat(60)), "c".repeat(101));
        assert_eq!(fields(&long), Some((&long[..60], &long[61..])));
        assert_eq!(fields(&part), None);
        assert_eq!(fields(&format!("{}/b", "a".repeat(156))), None);
        assert_eq!(before(&part, 0).len(), 3 * BLOCK);
        assert_eq!(path_in_pax(pax_record(&part).as_bytes()), Some(&part[..]));
    }

    #[test]
    fn the_length_of_a_pax_record_counts_itself() {
        for length in [1, 90, 91, 92, 989, 990, 991, 992] {
            let record = pax_record(&"p".repeat(length));
            let stated: usize = record.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(stated, record.len());
        }
    }

    #[test]
    fn a_pax_header_of_anything_else_is_none_of_ours() {
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
    fn a_size_that_octal_digits_cannot_say_is_written_in_binary() {
        let header = before("larder.json", 9 << 30);
        assert_eq!(Header::from_byte_slice(&header).entry_size().unwrap(), 9 << 30);
        assert_eq!(header[124], 0x80);
    }
}
