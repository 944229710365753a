//! Shorthands for callers of a [`Store`].

use std::borrow::Cow;

use bytes::Bytes;

use crate::digest::Digest;
use crate::error::{Corruption, Error, Result};
use crate::{Blob, Record, RecordKey, RecordKind, Store};

/// Size of the first page of a listing.
const PAGE: usize = 500;
/// Size of the largest page: records of the largest kind still fit in memory.
const LARGEST_PAGE: usize = 4_000;

/// Shorthands for callers of a [`Store`], implemented for every store.
pub trait StoreExt: Store {
    /// Returns one record.
    ///
    /// # Errors
    /// Those of [`Store::get_records`].
    fn get_record(&self, key: &RecordKey) -> Result<Option<Record>> {
        Ok(self.get_records(std::slice::from_ref(key))?.pop().flatten())
    }

    /// Returns whether a blob exists.
    ///
    /// # Errors
    /// Those of [`Store::stat_blobs`].
    fn has_blob(&self, digest: &Digest) -> Result<bool> {
        Ok(self.stat_blobs(std::slice::from_ref(digest))?.pop().flatten().is_some())
    }

    /// Finds one blob.
    ///
    /// # Errors
    /// Those of [`Store::read_blobs`].
    fn read_blob(&self, digest: &Digest) -> Result<Option<Blob>> {
        Ok(self.read_blobs(std::slice::from_ref(digest))?.pop().flatten())
    }

    /// Returns the content of one blob, not compared with its digest.
    ///
    /// # Errors
    /// Those of [`Store::read_blobs`] and [`Blob::bytes`].
    fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>> {
        content(self.read_blob(digest)?)
    }

    /// Stores `bytes` as the blob `digest`, durably.
    ///
    /// # Errors
    /// Those of [`Store::write_blob`] and its writer.
    fn put_blob(&self, digest: &Digest, bytes: Bytes) -> Result<()> {
        let mut writer = self.write_blob()?;
        writer.write_bytes(bytes).map_err(|error| {
            let action = format!("write the blob {} to {}", digest.short(), self.url());
            Error::store(action, error)
        })?;
        writer.finish(digest)
    }

    /// Returns the content of one blob, compared with its digest and, if known, its size.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for missing or damaged bytes, with the blob named by `what`; the errors of [`Store::read_blobs`].
    fn get_checked(
        &self,
        digest: &Digest,
        size: Option<u64>,
        what: impl FnOnce() -> String,
    ) -> Result<Bytes> {
        let bytes = verified(digest, size, self.get_blob(digest)?, |_| ());
        bytes.map_err(|corruption| Error::corrupt(what(), corruption))
    }

    /// Passes the content of one blob to `take`, piece by piece, and compares it with its digest and size.
    ///
    /// The content is not verified before this returns `Ok`.
    ///
    /// # Errors
    /// Those of [`get_checked`](StoreExt::get_checked), and the first error of `take`.
    fn copy_checked(
        &self,
        digest: &Digest,
        size: u64,
        what: impl Fn() -> String,
        take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match self.read_blob(digest)? {
            Some(blob) => copy_verified(&blob, digest, size, what, take),
            None => Err(Error::corrupt(what(), Corruption::Missing)),
        }
    }

    /// Iterates over all records whose keys begin with `prefix`, in byte order of the keys, page by page.
    fn records<'a>(
        &'a self,
        prefix: impl Into<Cow<'a, str>>,
    ) -> impl Iterator<Item = Result<(RecordKey, Record)>> + 'a {
        let prefix = prefix.into();
        pages(move |after: Option<&(RecordKey, Record)>, limit| {
            self.list_records(&prefix, after.map(|(key, _)| key), limit)
        })
    }

    /// Iterates as [`records`](StoreExt::records) over the records whose keys some [kind](RecordKind) has. Foreign records,
    /// which verification reports, are left out.
    fn known_records<'a>(
        &'a self,
        prefix: impl Into<Cow<'a, str>>,
    ) -> impl Iterator<Item = Result<(RecordKey, Record)>> + 'a {
        self.records(prefix).filter(is_known)
    }

    /// Iterates as [`known_records`](StoreExt::known_records), over the records whose keys come after `after`.
    fn known_records_after<'a>(
        &'a self,
        prefix: impl Into<Cow<'a, str>>,
        after: RecordKey,
    ) -> impl Iterator<Item = Result<(RecordKey, Record)>> + 'a {
        let prefix = prefix.into();
        let records = pages(move |last: Option<&(RecordKey, Record)>, limit| {
            let after = last.map_or(&after, |(key, _)| key);
            self.list_records(&prefix, Some(after), limit)
        });
        records.filter(is_known)
    }

    /// Iterates over all blobs and their sizes, ordered by digest, page by page.
    fn blobs(&self) -> impl Iterator<Item = Result<(Digest, u64)>> + '_ {
        pages(move |after: Option<&(Digest, u64)>, limit| {
            self.list_blobs(after.map(|(digest, _)| digest), limit)
        })
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// Returns whether some kind has the key of a record; errors pass.
fn is_known(found: &Result<(RecordKey, Record)>) -> bool {
    match found {
        Ok((key, _)) => RecordKind::of(key).is_ok_and(|kind| kind.owner(key).is_ok()),
        Err(_) => true,
    }
}

/// Returns the content of a blob that was found, or `None` if it was removed meanwhile.
pub fn content(blob: Option<Blob>) -> Result<Option<Bytes>> {
    match blob.map(|blob| blob.bytes()) {
        None | Some(Err(Error::Corrupt { fault: Corruption::Missing, .. })) => Ok(None),
        Some(bytes) => bytes.map(Some),
    }
}

/// Passes a blob to `take`, piece by piece, and compares it with `digest` and `size`.
pub fn copy_verified(
    blob: &Blob,
    digest: &Digest,
    size: u64,
    what: impl Fn() -> String,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let (mut hasher, mut found) = (blake3::Hasher::new(), 0);
    blob.for_each_piece(|piece| {
        found += piece.len() as u64;
        if found > size {
            return Err(Error::corrupt(what(), Corruption::Size { expected: size, found }));
        }
        hasher.update(piece);
        take(piece)
    })?;
    if found != size {
        return Err(Error::corrupt(what(), Corruption::Size { expected: size, found }));
    }
    match Digest::from_bytes(*hasher.finalize().as_bytes()) {
        found if found == *digest => Ok(()),
        found => Err(Error::corrupt(what(), Corruption::Digest { expected: *digest, found })),
    }
}

/// Number of bytes that are digested between two reports of progress.
const STRIDE: usize = 16 << 20;

/// Returns `bytes` if they have the digest and, if known, the size that were written. Reports each stride to `progress`.
///
/// # Errors
/// Returns how they differ; [`Corruption::Missing`] without bytes.
pub fn verified(
    digest: &Digest,
    size: Option<u64>,
    bytes: Option<Bytes>,
    progress: impl Fn(u64),
) -> Result<Bytes, Corruption> {
    let bytes = bytes.ok_or(Corruption::Missing)?;
    let found = bytes.len() as u64;
    if let Some(expected) = size
        && expected != found
    {
        return Err(Corruption::Size { expected, found });
    }
    let mut hasher = blake3::Hasher::new();
    for stride in bytes.chunks(STRIDE) {
        hasher.update(stride);
        progress(stride.len() as u64);
    }
    let found = Digest::from_bytes(*hasher.finalize().as_bytes());
    match found == *digest {
        true => Ok(bytes),
        false => Err(Corruption::Digest { expected: *digest, found }),
    }
}

/// Returns the items of all pages, and ends after an error.
///
/// Each page is larger than the one before, because some stores, such as a folder, scan everything for each page.
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
