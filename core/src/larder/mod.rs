//! The handle that users hold: a store and a registry.

mod apply;
mod artifact_reader;
mod children;
mod find;
mod hooks;
mod load;
mod locks;
mod notes;
mod objects;
mod query;
mod ready;
mod remove;
mod search;
mod serializers;
mod tags;
mod toolchain;

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub use apply::{Applied, ApplyOptions, BlobWrites, Claim, DryRun, PATIENCE, QUICK};
pub use children::{ChildInfo, User};
pub use locks::refuse_locked_name;
pub use notes::{Annotations, AnnotationsChange, read_notes as read_annotations};
pub use objects::VALUE_TYPE;
pub use query::{VersionDetails, VersionInfo};
pub use ready::Ready;
pub use remove::RemoveOptions;
pub use search::SearchHit;
pub use tags::{TagInfo, TagMove, TagOptions};
pub use toolchain::Difference;

pub use crate::record::Status;

pub(crate) use apply::ArtifactWriter;
pub(crate) use artifact_reader::ArtifactReader;

use crate::cache::CacheFolder;
use crate::error::{Error, Result};
use crate::participant::Participant;
use crate::progress::{Meter, Progress, Watcher};
use crate::registry::Registry;
#[cfg(feature = "files")]
use crate::store::{BlobCache, Cached};
use crate::store::{Outcome, Store, Transaction};
use crate::time::Timestamp;
use crate::url::StoreUrl;

/// A larder: a store, and a registry of the code that its content needs.
///
/// Cheap to clone; every clone is the same larder. All methods may be called from many threads, and many
/// processes may use one store at once.
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

/// The most bytes of an author.
const MOST_AUTHOR: usize = 200;

impl Larder {
    /// A larder on `store`, with the code that `registry` knows.
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

    /// The same larder with another clock: for tests whose output must not change.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
    }

    /// The same larder, in the name of a person or a program: it is written down who moved a tag.
    ///
    /// From 1 to 200 bytes of text, which every reader of the larder sees.
    #[must_use]
    pub fn with_author(mut self, author: impl Into<Arc<str>>) -> Self {
        self.author = Some(author.into());
        self
    }

    /// Who writes, for records.
    fn author(&self) -> Result<Option<String>> {
        match self.author.as_deref() {
            Some(author) if !(1..=MOST_AUTHOR).contains(&author.len()) => {
                Err(Error::invalid("author", author, "it is empty, or longer than 200 bytes"))
            }
            author => Ok(author.map(str::to_owned)),
        }
    }

    /// The same larder, which tells `watch` how far it is with work that takes time.
    ///
    /// It is called often and from any thread: it should be quick.
    #[must_use]
    pub fn with_progress(mut self, watch: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.watcher = Watcher::new(watch);
        self
    }

    /// The same larder with `participant` in place of the one of its type, or beside the others.
    #[must_use]
    pub fn with_participant(mut self, participant: Arc<dyn Participant>) -> Self {
        let participants = Arc::make_mut(&mut self.participants);
        participants.insert(participant.as_ref().type_id(), participant);
        self
    }

    /// The participant of the type `P`.
    pub fn participant<P: Participant>(&self) -> Option<&P> {
        let participant: &dyn Any = self.participants.get(&TypeId::of::<P>())?.as_ref();
        participant.downcast_ref()
    }

    pub(crate) fn participants(&self) -> impl Iterator<Item = &dyn Participant> {
        self.participants.values().map(AsRef::as_ref)
    }

    /// The same larder for one call with options.
    pub(crate) fn with_options(&self, options: &ApplyOptions) -> Self {
        Self { options: Arc::new(options.clone()), ..self.clone() }
    }

    pub(crate) fn options(&self) -> &ApplyOptions {
        &self.options
    }

    /// The same larder as code of a component may use it: without the options of the call that runs it.
    fn for_hooks(&self) -> Self {
        Self { options: Arc::default(), ..self.clone() }
    }

    /// Begins a piece of work with this larder: for crates that do some of their own.
    pub fn meter(&self, task: &'static str, total: Option<u64>) -> Meter {
        self.watcher.begin(task, total)
    }

    /// The same larder, which lays files out in `folder`, where every process and larder may share them.
    ///
    /// If its store is remote, blobs that were read are kept there too, in `blobs`: see
    /// [`BlobCache`]; [`with_blob_cache`](Larder::with_blob_cache) takes one of another size. `verify` and `repair` read from the store itself.
    ///
    /// Without it files go into a temporary folder that is removed with the last clone of the larder.
    /// Nobody else may be able to write into `folder`.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        let folder = folder.into();
        let blobs = BlobCache::open(&folder.join(BlobCache::FOLDER));
        self.cache = CacheFolder::at(folder);
        self.with_blob_cache(blobs)
    }

    /// The same larder, which keeps blobs in `cache`, and nowhere else, if its store is remote.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_blob_cache(mut self, cache: BlobCache) -> Self {
        let store = Cached::behind(&self.store);
        self.store = match store.capabilities().is_remote {
            true => Arc::new(Cached::new(store, cache)),
            false => store,
        };
        self
    }

    /// The same larder, which reads what is stored and nothing that was kept of it.
    pub(crate) fn uncached(&self) -> Self {
        #[cfg(feature = "files")]
        return Self { store: Cached::behind(&self.store), ..self.clone() };
        #[cfg(not(feature = "files"))]
        self.clone()
    }

    /// The folder where files are laid out.
    pub fn cache(&self) -> &CacheFolder {
        &self.cache
    }

    /// Writes through [`transact`](crate::store::transact).
    pub(crate) fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        crate::store::transact(&*self.store, what, attempt)
    }

    /// A transaction that is tried once.
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
    /// Opens the larder at `url`, and gives it this registry.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a URL that cannot be, [`Error::NotLinked`] for a scheme that no linked
    /// crate serves, and whatever the store says.
    pub fn open(self, url: impl TryInto<StoreUrl, Error: Into<Error>>) -> Result<Larder> {
        let store = self.open_store(&url.try_into().map_err(Into::into)?)?;
        Ok(Larder::new(store, self))
    }
}
