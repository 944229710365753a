//! Maps files into memory. The only module with unsafe code.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::Mmap;

/// Maps the file of a blob. The bytes stay readable after the file is removed.
pub(super) fn map(file: &File) -> io::Result<Bytes> {
    // SAFETY: A map is sound as long as the file under it is neither changed nor truncated. The file of a blob is
    // written completely before it gets its name, has mode 0444 from then on, and is never opened for
    // writing again: a blob is only removed, or replaced by renaming another file over it, and both leave the
    // mapped file as it is. An `UnnamedFile` is mapped by the owner of its only handle, who writes no more.
    // Another program that writes to a file in the folder breaks this; every reader of a mapped file trusts
    // its owner in this way.
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
