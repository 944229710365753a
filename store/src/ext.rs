//! Comfort on top of [`Store`].

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Write};

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::{Record, RecordKey, Store};

/// How many records or blobs a listing asks for first.
const PAGE: usize = 500;
/// How many it asks for at most: records of the largest kind fit in memory.
const LARGEST_PAGE: usize = 4_000;
/// How many bytes of a blob are read at a time.
pub(crate) const PIECE: usize = 1 << 20;

/// Comfort for callers of a [`Store`]; every store has it.
pub trait StoreExt: Store {
    /// One record.
    ///
    /// # Errors
    /// As [`Store::get_records`].
    fn get_record(&self, key: &RecordKey) -> Result<Option<Record>> {
        Ok(self.get_records(std::slice::from_ref(key))?.pop().flatten())
    }

    /// Whether a blob is there.
    ///
    /// # Errors
    /// As [`Store::stat_blobs`].
    fn has_blob(&self, digest: &Digest) -> Result<bool> {
        Ok(self.stat_blobs(std::slice::from_ref(digest))?.pop().flatten().is_some())
    }

    /// The bytes of one blob, checked against its digest and, if it is known, its size.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if they are missing or are not those that were written; `what` names the blob
    /// in it.
    fn get_checked(
        &self,
        digest: &Digest,
        size: Option<u64>,
        what: impl FnOnce() -> String,
    ) -> Result<Bytes> {
        let bytes = self.get_blobs(std::slice::from_ref(digest))?.pop().flatten();
        match corruption(digest, size, bytes.as_ref(), |_| ()) {
            Some(fault) => Err(Error::corrupt(what(), fault)),
            None => Ok(bytes.unwrap_or_default()),
        }
    }

    /// Hands the bytes of one blob to `take`, piece by piece, and checks them against digest and size.
    ///
    /// What was taken is not to be believed before this returns `Ok`.
    ///
    /// # Errors
    /// As [`get_checked`](StoreExt::get_checked), and whatever `take` says.
    fn copy_checked(
        &self,
        digest: &Digest,
        size: u64,
        what: impl Fn() -> String,
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let (mut hasher, mut found) = (blake3::Hasher::new(), 0);
        let there = self.read_blob(digest, &mut |piece| {
            found += piece.len() as u64;
            if found > size {
                return Err(Error::corrupt(what(), Corruption::Size { expected: size, found }));
            }
            hasher.update(piece);
            take(piece)
        })?;
        if !there {
            return Err(Error::corrupt(what(), Corruption::Missing));
        }
        let digested = Digest::from_bytes(*hasher.finalize().as_bytes());
        match (found == size, digested == *digest) {
            (false, _) => Err(Error::corrupt(what(), Corruption::Size { expected: size, found })),
            (_, false) => {
                let fault = Corruption::Digest { expected: *digest, found: digested };
                Err(Error::corrupt(what(), fault))
            }
            _ => Ok(()),
        }
    }

    /// All records whose keys begin with `prefix`, in byte order of the keys, read page by page.
    fn records<'a>(
        &'a self,
        prefix: impl Into<Cow<'a, str>>,
    ) -> impl Iterator<Item = Result<(RecordKey, Record)>> + 'a {
        let prefix = prefix.into();
        pages(move |after: Option<&(RecordKey, Record)>, limit| {
            self.list_records(&prefix, after.map(|(key, _)| key), limit)
        })
    }

    /// All blobs and their sizes, in the order of their digests, read page by page.
    fn blobs(&self) -> impl Iterator<Item = Result<(Digest, u64)>> + '_ {
        pages(move |after: Option<&(Digest, u64)>, limit| {
            self.list_blobs(after.map(|(digest, _)| digest), limit)
        })
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// What [`Store::read_blob`] does for stores whose blobs are files or maps of files.
pub(crate) fn read_blob<S: Store + ?Sized>(
    store: &S,
    digest: &Digest,
    take: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let Some(path) = store.blob_file(digest)? else {
        let Some(bytes) = store.get_blobs(std::slice::from_ref(digest))?.pop().flatten() else {
            return Ok(false);
        };
        bytes.chunks(PIECE).try_for_each(take)?;
        return Ok(true);
    };
    let failed = |error: io::Error| Error::store(format!("read {}", path.display()), error);
    let mut file = File::open(&path).map_err(failed)?;
    let mut piece = vec![0; PIECE];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(read) => take(&piece[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// What [`Store::keep_blob`] does for stores that have to copy the bytes.
pub(crate) fn keep_blob<S: Store + ?Sized>(store: &S, digest: &Digest, bytes: &[u8]) -> Result<()> {
    let mut writer = store.write_blob()?;
    writer
        .write_all(bytes)
        .map_err(|error| Error::store(format!("write a blob to {}", store.url()), error))?;
    writer.finish(digest)
}

/// How many bytes are digested between two reports.
const STRIDE: usize = 16 << 20;

/// How `bytes` differ from what `digest` and `size` say was written, if they do. `progress` is told of the bytes
/// that were read, again and again.
pub fn corruption(
    digest: &Digest,
    size: Option<u64>,
    bytes: Option<&Bytes>,
    progress: impl Fn(u64),
) -> Option<Corruption> {
    let Some(bytes) = bytes else {
        return Some(Corruption::Missing);
    };
    let found = bytes.len() as u64;
    if let Some(expected) = size
        && expected != found
    {
        return Some(Corruption::Size { expected, found });
    }
    let mut hasher = blake3::Hasher::new();
    for stride in bytes.chunks(STRIDE) {
        hasher.update(stride);
        progress(stride.len() as u64);
    }
    let found = Digest::from_bytes(*hasher.finalize().as_bytes());
    (found != *digest).then_some(Corruption::Digest { expected: *digest, found })
}

/// The items of all pages, one by one; ends after an error.
///
/// Each page is larger than the one before: there are stores, such as a folder, that look through all for each page.
fn pages<T: Clone>(
    mut page: impl FnMut(Option<&T>, usize) -> Result<Vec<T>>,
) -> impl Iterator<Item = Result<T>> {
    let mut ready = Vec::new().into_iter();
    let mut last = None;
    let mut limit = PAGE;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        if ready.len() == 0 {
            match page(last.as_ref(), limit) {
                Ok(items) => {
                    limit = LARGEST_PAGE.min(2 * limit);
                    last = items.last().cloned();
                    ready = items.into_iter();
                }
                Err(error) => {
                    done = true;
                    return Some(Err(error));
                }
            }
        }
        let item = ready.next();
        done = item.is_none();
        item.map(Ok)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_listing_is_read_in_few_pages_and_a_short_one_in_a_small_one() {
        for (count, most) in [(10, 2), (10_000, 7), (100_000, 30)] {
            let mut asked = Vec::new();
            let items = pages(|after: Option<&usize>, limit| {
                asked.push(limit);
                let from = after.map_or(0, |after| after + 1);
                Ok((from..count.min(from + limit)).collect())
            });
            assert!(items.map(Result::unwrap).eq(0..count));
            assert!(asked.len() <= most, "{} pages of {count}", asked.len());
            assert_eq!(asked.first(), Some(&PAGE));
            assert!(asked.iter().all(|limit| *limit <= LARGEST_PAGE));
        }
    }
}
