//! The handle [`Larder`]: a store and a registry.

mod annotations;
mod apply;
mod artifact_reader;
mod children;
mod decode;
mod ext;
mod hooks;
mod load;
mod locks;
mod objects;
mod ready;
mod remove;
mod resolve;
mod serializers;
mod show;
mod tags;
mod toolchain;

use std::any::TypeId;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub use annotations::{Annotations, AnnotationsChange, read_annotations};
pub use apply::{Applied, ApplyOptions, ArtifactAhead, BlobWrites, Claim, DryRun, PATIENCE, QUICK};
pub use children::{ChildInfo, User};
pub use ext::LarderExt;
pub use locks::{Locks, refuse_locked_name};
pub use objects::{LarderObjects, VALUE_TYPE};
pub use ready::Ready;
pub use remove::RemoveOptions;
pub use serializers::Serializers;
pub use show::{VersionDetails, VersionInfo};
pub use tags::{TagInfo, TagMove, TagOptions, Tags};
pub use toolchain::Difference;

pub use crate::record::Status;

pub(crate) use apply::ArtifactWriter;
pub(crate) use artifact_reader::ArtifactReader;

use crate::cache::CacheFolder;
use crate::error::{Error, Result};
use crate::participant::Participant;
use crate::progress::{Progress, Watcher};
use crate::registry::Registry;
#[cfg(feature = "files")]
use crate::store::{BlobCache, Cached};
use crate::store::{Outcome, Store, Transaction};
use crate::time::Timestamp;
use crate::url::StoreUrl;

/// A store and a registry of the types, serializers and stores that are linked in.
///
/// Cheap to clone. Threads and processes may share a store.
///
/// ```
/// use larder_core::{Identifier, Registry};
///
/// let larder = Registry::linked()?.open("memory:")?;
/// assert_eq!(larder.list().count(), 0);
/// # Ok::<(), larder_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Larder {
    store: Arc<dyn Store>,
    registry: Arc<Registry>,
    clock: fn() -> SystemTime,
    strict: bool,
    author: Option<Arc<str>>,
    watcher: Watcher,
    participants: Arc<BTreeMap<TypeId, Arc<dyn Participant>>>,
    options: Arc<ApplyOptions>,
    cache: CacheFolder,
}

/// Maximum bytes of an author.
const MOST_AUTHOR: usize = 200;

impl Larder {
    /// Creates a larder on `store` with `registry`.
    pub fn new(store: Arc<dyn Store>, registry: Registry) -> Self {
        Self::on(store, Arc::new(registry))
    }

    fn on(store: Arc<dyn Store>, registry: Arc<Registry>) -> Self {
        let participants = registry.participants().map(|it| (it.as_ref().type_id(), it)).collect();
        Self {
            store,
            registry,
            clock: SystemTime::now,
            strict: false,
            author: None,
            watcher: Watcher::default(),
            participants: Arc::new(participants),
            options: Arc::default(),
            cache: CacheFolder::default(),
        }
    }

    /// Returns the larder with another clock, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    /// Returns the larder with an author, 1 to 200 bytes, that is recorded with moves of tags.
    #[must_use]
    pub fn with_author(mut self, author: impl Into<Arc<str>>) -> Self {
        self.author = Some(author.into());
        self
    }

    /// Returns the author, checked.
    pub(crate) fn author(&self) -> Result<Option<String>> {
        match self.author.as_deref() {
            Some(author) if !(1..=MOST_AUTHOR).contains(&author.len()) => {
                Err(Error::invalid("author", author, "it is empty, or longer than 200 bytes"))
            }
            author => Ok(author.map(str::to_owned)),
        }
    }

    /// Returns the larder with a callback for the progress of long operations.
    ///
    /// It is called often and from any thread.
    #[must_use]
    pub fn with_progress(mut self, watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.watcher = Watcher::new(watch);
        self
    }

    pub(crate) fn participants(&self) -> impl Iterator<Item = &dyn Participant> {
        self.participants.values().map(AsRef::as_ref)
    }

    /// Returns the larder with the options of one call.
    pub(crate) fn with_options(&self, options: &ApplyOptions) -> Self {
        Self { options: Arc::new(options.clone()), ..self.clone() }
    }

    pub(crate) fn options(&self) -> &ApplyOptions {
        &self.options
    }

    /// Returns the larder for hooks, without the options of the call that runs them.
    fn for_hooks(&self) -> Self {
        Self { options: Arc::default(), ..self.clone() }
    }

    /// Returns the larder with a cache folder for files and, if the store is remote, for blobs.
    ///
    /// Processes may share `folder`, which nobody else may be able to write to. `verify` and `repair` bypass the cache.
    /// Without a cache, files go to a temporary folder that lives as long as the larder and its clones.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        let blobs = BlobCache::open(&folder.join(BlobCache::FOLDER));
        self.cache = CacheFolder::at(folder);
        self.with_blob_cache(blobs)
    }

    /// Returns the larder without its cache of blobs.
    pub(crate) fn uncached(&self) -> Self {
        #[cfg(feature = "files")]
        return Self { store: Cached::behind(&self.store), ..self.clone() };
        #[cfg(not(feature = "files"))]
        self.clone()
    }

    /// Runs [`transact`](crate::store::transact) on the store.
    pub(crate) fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        crate::store::transact(&*self.store, what, attempt)
    }

    /// Returns a transaction for one attempt.
    pub(crate) fn transaction(&self) -> Transaction<'_> {
        Transaction::new(&*self.store)
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::new((self.clock)())
    }
}

impl Registry {
    /// Opens the larder at `url` with this registry.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an invalid URL; [`Error::NotLinked`] for an unknown scheme; the errors of the store.
    pub fn open(self, url: impl TryInto<StoreUrl, Error: Into<Error>>) -> Result<Larder> {
        let store = self.open_store(&url.try_into().map_err(Into::into)?)?;
        Ok(Larder::new(store, self))
    }
}
