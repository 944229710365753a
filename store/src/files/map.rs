//! The one place with unsafe code: mapping a blob's file into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::Mmap;

/// Maps a blob's file. The bytes stay readable when the file is removed.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: The map is sound as long as nobody changes or shortens the file under it. A blob's file is
    // written completely before it gets its name, has mode 0444 from then on, and is never opened for
    // writing again: a blob is only ever removed, or replaced by renaming another file over it, and both
    // leave the mapped file as it is. A `Scratch` is mapped by who owns the only handle of a file without a
    // name, and writes no more. Whoever is able to write into the folder and does so by other means
    // than Larder breaks this; that is the trust every reader of a mapped file puts in the file's owner.
    let map = unsafe { Mmap::map(file) }?;
    Ok(Bytes::from_owner(map))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_map_outlives_the_file_and_its_replacement() {
        let folder = tempfile::tempdir().unwrap();
        let (place, other) = (folder.path().join("blob"), folder.path().join("other"));
        std::fs::write(&place, vec![7; 100_000]).unwrap();
        let mapped = map(&File::open(&place).unwrap()).unwrap();
        std::fs::write(&other, b"another").unwrap();
        std::fs::rename(&other, &place).unwrap();
        std::fs::remove_file(&place).unwrap();
        assert!(mapped.len() == 100_000 && mapped.iter().all(|&b| b == 7));
    }
}
