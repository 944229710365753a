//! Handles: collections, and their versions.

mod edit;
mod find;
mod fitted;
mod insert;
mod insert_versions;
mod source;
mod typed;
mod version;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use larder_core::store::VersionNumber;
use larder_core::{Error, Identifier, Larder, Reference, Result, Selector, VersionInfo};

pub use edit::Edited;
pub use find::{Cursor, Find, Order, Page};
pub use insert::{Insert, Inserted, Reject};
pub use insert_versions::InsertedVersions;
pub use source::InputRow;
pub use typed::{Collection, Rows, Version};
pub use version::CollectionVersion;

use crate::engine::{Delta, Engine, NewCollection, Write};
use crate::fragments::FragmentEngine;

/// A collection whose rows are Arrow batches or JSON, without a Rust type.
///
/// Cheap to clone. Every write is one durable version.
#[derive(Clone)]
pub struct UntypedCollection {
    larder: Larder,
    engine: Arc<dyn Engine>,
}

impl UntypedCollection {
    /// Creates the handle of the collection `name`, which need not exist yet.
    pub fn new(larder: &Larder, name: Identifier) -> Self {
        Self::with_engine(larder, Arc::new(FragmentEngine::new(larder, name)))
    }

    /// Creates the handle of a collection that `engine` keeps.
    pub fn with_engine(larder: &Larder, engine: Arc<dyn Engine>) -> Self {
        Self { larder: larder.clone(), engine }
    }

    /// Returns the name.
    pub fn name(&self) -> &Identifier {
        self.engine.name()
    }

    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Returns the engine.
    pub fn engine(&self) -> &Arc<dyn Engine> {
        &self.engine
    }

    /// Creates the collection, without rows.
    ///
    /// # Errors
    /// [`Error::Conflict`] if it exists; [`Error::InvalidName`] for a key that cannot be one.
    pub fn create(&self, new: NewCollection) -> Result<CollectionVersion> {
        if let Some(head) = self.head()? {
            return Err(Error::Refused {
                action: format!("create the collection {}", self.name()),
                reason: format!("{} is there", head.info().reference()),
            });
        }
        self.engine.create(new, Write::default()).map(|it| self.version_of(it))
    }

    fn version_of(&self, version: Arc<dyn crate::engine::EngineVersion>) -> CollectionVersion {
        CollectionVersion::new(version)
    }

    /// Returns the newest version, if the collection exists.
    ///
    /// # Errors
    /// [`Error::WrongType`] if something else has the name; [`Error::Corrupt`]; [`Error::Store`].
    pub fn head(&self) -> Result<Option<CollectionVersion>> {
        Ok(self.engine.head()?.map(|it| self.version_of(it)))
    }

    /// Returns the newest version.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`head`](UntypedCollection::head).
    pub fn latest(&self) -> Result<CollectionVersion> {
        self.head()?.ok_or_else(|| {
            larder_core::extend::Records::not_found(&self.larder, &self.name().clone().into())
        })
    }

    /// Returns a version.
    ///
    /// # Errors
    /// [`Error::NotFound`]; as [`head`](UntypedCollection::head).
    pub fn at(&self, version: VersionNumber) -> Result<CollectionVersion> {
        self.engine.at(version).map(|it| self.version_of(it))
    }

    /// Returns the version that a selector names: the newest, a tag, a number or a digest.
    ///
    /// # Errors
    /// As [`at`](UntypedCollection::at).
    pub fn select(&self, selector: Selector) -> Result<CollectionVersion> {
        let reference = Reference::new(self.name().clone(), selector);
        let record = larder_core::extend::Records::find(&self.larder, &reference)?;
        self.at(record.version)
    }

    /// Returns all versions, oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn versions(&self) -> Result<Vec<VersionInfo>> {
        self.larder.versions(self.name().clone())
    }

    /// Returns the changes between two versions.
    ///
    /// # Errors
    /// [`Error::Refused`] if `from` is newer; as [`at`](UntypedCollection::at).
    pub fn delta(&self, from: VersionNumber, to: VersionNumber) -> Result<Delta> {
        self.at(to)?.delta(&self.at(from)?)
    }

    /// Merges small fragments, and drops rows that are deleted, as a version with the same rows.
    ///
    /// Every write keeps the number of small fragments below 64, and the deleted rows of a fragment below a tenth. This
    /// goes further: it leaves fragments of about 65,536 rows or 16 MiB. Returns the newest version if there is nothing to
    /// do. The event `compact` does the same in a job.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Corrupt`]; [`Error::Store`].
    pub fn compact(&self) -> Result<CollectionVersion> {
        self.engine.compact(usize::MAX).map(|it| self.version_of(it.version))
    }
}

impl fmt::Debug for UntypedCollection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UntypedCollection({})", self.name())
    }
}

/// Adds collections to [`Larder`].
pub trait LarderCollections {
    /// Returns the handle of a collection of `Row`s, which its first insert creates.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the name.
    fn collection<Row>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Collection<Row>>;

    /// Returns the handle of a collection without a Rust type.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for the name.
    fn untyped_collection(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<UntypedCollection>;
}

impl LarderCollections for Larder {
    fn collection<Row>(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<Collection<Row>> {
        Ok(Collection::new(self.untyped_collection(name)?))
    }

    fn untyped_collection(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
    ) -> Result<UntypedCollection> {
        Ok(UntypedCollection::new(self, name.try_into().map_err(Into::into)?))
    }
}

/// Marks the type of rows without owning one.
pub(crate) type RowType<Row> = PhantomData<fn() -> Row>;
