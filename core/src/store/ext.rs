//! Comfort on top of [`Store`].

use bytes::Bytes;

use super::{Record, RecordKey, Store};
use crate::digest::Digest;
use crate::error::{Error, Fault, Result};

/// How many records or blobs a listing asks for at a time.
const PAGE: usize = 500;

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
        match fault(digest, size, bytes.as_ref()) {
            Some(fault) => Err(Error::corrupt(what(), fault)),
            None => Ok(bytes.unwrap_or_default()),
        }
    }

    /// All records whose keys begin with `prefix`, in byte order of the keys, read page by page.
    fn records<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = Result<(RecordKey, Record)>> + 'a {
        pages(move |after: Option<&(RecordKey, Record)>| {
            self.list_records(prefix, after.map(|(key, _)| key), PAGE)
        })
    }

    /// All blobs and their sizes, in the order of their digests, read page by page.
    fn blobs(&self) -> impl Iterator<Item = Result<(Digest, u64)>> + '_ {
        pages(move |after: Option<&(Digest, u64)>| {
            self.list_blobs(after.map(|(digest, _)| digest), PAGE)
        })
    }
}

impl<S: Store + ?Sized> StoreExt for S {}

/// How `bytes` differ from what `digest` and `size` say was written, if they do.
pub(crate) fn fault(digest: &Digest, size: Option<u64>, bytes: Option<&Bytes>) -> Option<Fault> {
    let Some(bytes) = bytes else {
        return Some(Fault::Missing);
    };
    let found = bytes.len() as u64;
    if let Some(expected) = size
        && expected != found
    {
        return Some(Fault::Size { expected, found });
    }
    let found = Digest::of(bytes);
    (found != *digest).then_some(Fault::Digest { expected: *digest, found })
}

/// The items of all pages, one by one; ends after an error.
fn pages<T: Clone>(
    mut page: impl FnMut(Option<&T>) -> Result<Vec<T>>,
) -> impl Iterator<Item = Result<T>> {
    let mut ready = Vec::new().into_iter();
    let mut last = None;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        if ready.len() == 0 {
            match page(last.as_ref()) {
                Ok(items) => {
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
