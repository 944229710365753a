//! Drafts: what programs log before there is a version.
//!
//! A [`Draft`] is a run of a training program, or the files of a model that arrive one by one. Its record keeps the files from
//! being collected until it is removed. A name may have a record [`About`] it before it has versions.

mod kinds;
mod record;

use std::time::Instant;

use larder_core::bytes::Bytes;
use larder_core::extend::{Claim, QUICK, Records};
use larder_core::manifest::Manifest;
use larder_core::record::read;
use larder_core::store::{
    Change, Digest, Outcome, RecordKey, StoreExt, Transaction, TreePath, transact,
};
use larder_core::{Error, Identifier, Larder, Result};

pub use record::ABOUT;
pub use record::{About, Draft, DraftId, DraftKind, DraftMetric, DraftStatus, DraftVersion};
use record::{DRAFTS, about_key};

use crate::listing::{ListedFile, TreeListing};

/// The most bytes of a record of a draft.
const MOST_RECORD: usize = 512 << 10;
/// The most files of a draft.
const MOST_FILES: usize = 100_000;

/// The content of a file of a draft.
#[derive(Debug, Clone)]
pub enum DraftContent {
    /// Bytes that are written with the record.
    Bytes(Bytes),
    /// A blob in the store, and its size.
    Stored(Digest, u64),
}

impl DraftContent {
    fn identity(&self) -> (Digest, u64) {
        match self {
            Self::Bytes(bytes) => (Digest::of(bytes), bytes.len() as u64),
            Self::Stored(digest, size) => (*digest, *size),
        }
    }
}

/// Adds drafts, and records about names, to [`Larder`].
pub trait LarderDrafts {
    /// Returns the handle on drafts and records about names.
    fn drafts(&self) -> Drafts<'_>;
}

impl LarderDrafts for Larder {
    fn drafts(&self) -> Drafts<'_> {
        Drafts(self)
    }
}

/// The drafts of a larder, and the records about its names: [`LarderDrafts::drafts`].
#[derive(Debug, Clone, Copy)]
pub struct Drafts<'a>(&'a Larder);

impl Drafts<'_> {
    /// Writes a new draft.
    ///
    /// # Errors
    /// [`Error::Conflict`] if there is one with the id; [`Error::InvalidName`] beyond the limits; [`Error::Store`].
    pub fn create(&self, id: &DraftId, draft: &Draft) -> Result<()> {
        let key = id.key()?;
        check_size(&key, draft)?;
        self.transact(&key, |tx| {
            if tx.get(&key)?.is_some() {
                return Err(Error::Conflict { what: format!("the draft {id}") });
            }
            tx.put(key.clone(), draft)?;
            Ok(Outcome::Commit(()))
        })
    }

    /// Returns a draft, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn get(&self, id: &DraftId) -> Result<Option<Draft>> {
        let key = id.key()?;
        let found = self.0.store().get_record(&key)?;
        found.map(|found| read(&key, &found)).transpose()
    }

    /// Returns all drafts, sorted by id.
    pub fn list(&self) -> impl Iterator<Item = Result<(DraftId, Draft)>> + '_ {
        self.0.store().known_records(DRAFTS).map(|found| {
            let (key, found) = found?;
            Ok((kinds::id_in(&key)?, read(&key, &found)?))
        })
    }

    /// Changes a draft, and returns it; `None` if there is none. `change` may run several times.
    ///
    /// # Errors
    /// Those of `change`; [`Error::InvalidName`] beyond the limits; [`Error::Conflict`]; [`Error::Store`].
    pub fn change(
        &self,
        id: &DraftId,
        mut change: impl FnMut(&mut Draft) -> Result<()>,
    ) -> Result<Option<Draft>> {
        let key = id.key()?;
        self.transact(&key, |tx| {
            let Some(old) = tx.read::<Draft>(&key)? else { return Ok(Outcome::Done(None)) };
            let mut draft = old.clone();
            change(&mut draft)?;
            if draft == old {
                return Ok(Outcome::Done(Some(draft)));
            }
            draft.changed = self.0.now();
            check_size(&key, &draft)?;
            tx.put(key.clone(), &draft)?;
            Ok(Outcome::Commit(Some(draft)))
        })
    }

    /// Returns the files of a draft.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn files(&self, id: &DraftId, draft: &Draft) -> Result<TreeListing> {
        let Some(digest) = &draft.files else { return Ok(TreeListing::default()) };
        let what = format!("the files of the draft {id}");
        let json = self.0.store().get_checked(digest, None, || what.clone())?;
        let manifest = Manifest::from_json(&json, &what)?;
        Ok(TreeListing::of(&manifest, &what)?.unwrap_or_default())
    }

    /// Adds a file to a draft, over one of that path. Returns false if there is no draft.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if its parent is a file, or beyond the limits; [`Error::Conflict`] if the bytes were collected
    /// meanwhile; [`Error::Store`].
    pub fn add_file(&self, id: &DraftId, path: &TreePath, content: &DraftContent) -> Result<bool> {
        let key = id.key()?;
        let (digest, size) = content.identity();
        self.transact(&key, |tx| {
            let Some(mut draft) = tx.read::<Draft>(&key)? else { return Ok(Outcome::Done(false)) };
            let mut listing = self.files(id, &draft)?;
            let file = ListedFile { digest, size, executable: false };
            if listing.files.insert(path.clone(), file) == Some(file) {
                return Ok(Outcome::Done(true));
            }
            if listing.files.len() > MOST_FILES {
                let reason = "the draft has 100,000 files";
                return Err(Error::invalid("path in a draft", path.as_str(), reason));
            }
            let json = listing.to_manifest()?.to_json()?;
            let manifest = Digest::of(&json);
            draft.files = Some(manifest);
            draft.changed = self.0.now();
            let mut brought = vec![Change::PutBlob { digest: manifest, bytes: json }];
            if let DraftContent::Bytes(bytes) = content {
                brought.push(Change::PutBlob { digest, bytes: bytes.clone() });
            }
            let mut blobs: Vec<Digest> = listing.files.values().map(|file| file.digest).collect();
            blobs.push(manifest);
            let claimed = Instant::now();
            let pardons = match self.0.claim(&blobs, &brought)? {
                Claim::Held(pardons) => pardons,
                Claim::Gone(_) => return Err(collected(id)),
            };
            tx.extend(brought);
            tx.extend(pardons);
            tx.put(key.clone(), &draft)?;
            if tx.commit_once()? != larder_core::store::Committed::All {
                return Ok(Outcome::Retry);
            }
            // A collector with a shorter grace period could not see the record.
            let is_gone = || -> Result<bool> {
                Ok(self.0.store().stat_blobs(&blobs)?.iter().any(Option::is_none))
            };
            if claimed.elapsed() > QUICK && is_gone()? {
                return Err(collected(id));
            }
            Ok(Outcome::Done(true))
        })
    }

    /// Removes a draft; returns false if there was none. Its files stay until garbage collection.
    ///
    /// # Errors
    /// [`Error::Conflict`]; [`Error::Store`].
    pub fn remove(&self, id: &DraftId) -> Result<bool> {
        self.remove_record(&id.key()?)
    }

    /// Returns the record about a name, if there is one.
    ///
    /// # Errors
    /// [`Error::Corrupt`]; [`Error::Store`].
    pub fn about(&self, name: &Identifier) -> Result<Option<About>> {
        let key = about_key(name)?;
        let found = self.0.store().get_record(&key)?;
        found.map(|found| read(&key, &found)).transpose()
    }

    /// Writes the record about a name, unless there is one. Returns whether it did.
    ///
    /// # Errors
    /// [`Error::InvalidName`] beyond the limits; [`Error::Conflict`]; [`Error::Store`].
    pub fn reserve(&self, name: &Identifier, about: &About) -> Result<bool> {
        let key = about_key(name)?;
        about.check(name)?;
        self.transact(&key, |tx| {
            if tx.get(&key)?.is_some() {
                return Ok(Outcome::Done(false));
            }
            tx.put(key.clone(), about)?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Changes the record about a name, or writes one. `change` may run several times.
    ///
    /// # Errors
    /// [`Error::InvalidName`] beyond the limits; [`Error::Conflict`]; [`Error::Store`].
    pub fn describe(&self, name: &Identifier, mut change: impl FnMut(&mut About)) -> Result<About> {
        let key = about_key(name)?;
        self.transact(&key, |tx| {
            let old = tx.read::<About>(&key)?;
            let mut about = old.clone().unwrap_or_else(|| About::new(self.0.now()));
            change(&mut about);
            if old.as_ref() == Some(&about) {
                return Ok(Outcome::Done(about));
            }
            about.changed = self.0.now();
            about.check(name)?;
            tx.put(key.clone(), &about)?;
            Ok(Outcome::Commit(about))
        })
    }

    /// Removes the record about a name; returns false if there was none.
    ///
    /// # Errors
    /// [`Error::Conflict`]; [`Error::Store`].
    pub fn forget(&self, name: &Identifier) -> Result<bool> {
        self.remove_record(&about_key(name)?)
    }

    fn remove_record(&self, key: &RecordKey) -> Result<bool> {
        self.transact(key, |tx| {
            if tx.get(key)?.is_none() {
                return Ok(Outcome::Done(false));
            }
            tx.remove(key.clone())?;
            Ok(Outcome::Commit(true))
        })
    }

    fn transact<'a, T>(
        &'a self,
        key: &RecordKey,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        transact(&**self.0.store(), format_args!("the record {key}"), attempt)
    }
}

fn check_size(key: &RecordKey, draft: &Draft) -> Result<()> {
    draft.check()?;
    let json = serde_json::to_vec(draft).map_err(|error| Error::Encode {
        what: format!("the record {key}"),
        source: error.into(),
    })?;
    match json.len() > MOST_RECORD {
        true => Err(Error::invalid("draft", &draft.name, "its record is larger than 512 KiB")),
        false => Ok(()),
    }
}

fn collected(id: &DraftId) -> Error {
    Error::Conflict { what: format!("the files of the draft {id}, one of which was collected") }
}
