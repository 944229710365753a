//! The handle that users hold: a store and a registry.

mod apply;
mod children;
mod commit;
mod copy;
mod diff;
mod find;
mod gc;
mod hooks;
mod keep;
mod load;
mod locks;
mod migrate;
mod nest;
mod notes;
mod objects;
mod pack;
mod query;
mod ready;
mod remove;
mod repair;
mod restore;
mod search;
mod serializers;
mod shelf;
mod survey;
mod tags;
mod toolchain;
mod verify;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

pub use apply::Applied;
pub use children::ChildInfo;
pub use copy::{
    CopyReport, CopiedTag, CopiedVersion, CopyOptions, CopyOutcome, MirrorOptions, MirrorReport, CopyOutline,
    RemovedTag,
};
pub use diff::{Counts, Diff, FieldDiff, FieldState, FieldValue, Overlap, Plan, PlannedJob, Side};
pub use gc::{BlobCount, GcReport, Garbage, GcOptions};
pub use notes::{Annotations, AnnotationsChange};
pub use query::{VersionDetails, VersionInfo};
pub use ready::Ready;
pub use remove::RemoveOptions;
pub use repair::RepairReport;
pub use restore::RemovedVersion;
pub use search::SearchHit;
pub use survey::{LockedItem, HealthReport, UnreadyVersion};
pub use tags::{TagInfo, TagMove, TagOptions};
pub use toolchain::{Difference, Toolchain};
pub use verify::{VerifyReport, Finding};

pub use crate::record::Status;

pub(crate) use pack::ArtifactWriter;
pub(crate) use shelf::ArtifactReader;

#[cfg(feature = "files")]
use crate::class::Cache;
use crate::error::{Error, Result};
use crate::jobs::{JobQueue, InProcess, Publishing};
use crate::progress::{Meter, Progress, Watcher};
use crate::registry::Registry;
use crate::store::Store;
#[cfg(feature = "files")]
use crate::store::{BlobCache, Cached};
use crate::time::Timestamp;
use crate::transaction::{self, Outcome, Transaction};

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
    /// Whether what is packed is only digested: that of a plan.
    dry_run: bool,
    watcher: Watcher,
    queue: Arc<dyn JobQueue>,
    fires: bool,
    publishing: Option<Arc<Publishing>>,
    #[cfg(feature = "files")]
    cache: Arc<Cache>,
}

/// The most bytes of an author.
const MOST_AUTHOR: usize = 200;

impl Larder {
    /// A larder on `store`, with the code that `registry` knows.
    pub fn new(store: Arc<dyn Store>, registry: Registry) -> Self {
        Self::on(store, Arc::new(registry))
    }

    fn on(store: Arc<dyn Store>, registry: Arc<Registry>) -> Self {
        Self {
            store,
            registry,
            clock: SystemTime::now,
            strict: false,
            author: None,
            dry_run: false,
            watcher: Watcher::default(),
            queue: Arc::new(InProcess::new()),
            fires: true,
            publishing: None,
            #[cfg(feature = "files")]
            cache: Arc::default(),
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

    /// The same larder, whose jobs go by another way to those who run them.
    ///
    /// Without it they are found in the store: see [`InProcess`].
    #[must_use]
    pub fn with_queue(mut self, queue: Arc<dyn JobQueue>) -> Self {
        self.queue = queue;
        self
    }

    /// The executor.
    pub fn queue(&self) -> &Arc<dyn JobQueue> {
        &self.queue
    }

    /// The same larder, on which `apply` and `remove` let no triggers run: for whoever moves things about, and
    /// for jobs that apply what would let them run again.
    #[must_use]
    pub fn without_triggers(mut self) -> Self {
        self.fires = false;
        self
    }

    /// The same larder, whose next version is that of a job.
    pub(crate) fn publishing(mut self, publishing: Publishing, fires: bool) -> Self {
        (self.publishing, self.fires) = (Some(Arc::new(publishing)), fires);
        self
    }

    /// The same larder, as code of a component may use it.
    fn for_hooks(&self) -> Self {
        Self { publishing: None, fires: self.fires || self.publishing.is_some(), ..self.clone() }
    }

    /// What a job is about to publish.
    pub(crate) fn being_published(&self) -> Option<&Publishing> {
        self.publishing.as_deref()
    }

    /// Whether `apply` and `remove` let triggers run.
    pub(crate) fn fires(&self) -> bool {
        self.fires
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
        self.cache = Arc::new(Cache::at(folder));
        self.with_blob_cache(blobs)
    }

    /// The same larder, which keeps blobs in `cache`, and nowhere else, if its store is remote.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_blob_cache(mut self, cache: BlobCache) -> Self {
        let store = Cached::behind(&self.store);
        self.store = match store.is_remote() {
            true => Arc::new(Cached::new(store, cache)),
            false => store,
        };
        self
    }

    /// The same larder, which reads what is stored and nothing that was kept of it.
    fn uncached(&self) -> Self {
        #[cfg(feature = "files")]
        return Self { store: Cached::behind(&self.store), ..self.clone() };
        #[cfg(not(feature = "files"))]
        self.clone()
    }

    #[cfg(feature = "files")]
    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// Writes through [`transaction::transact`].
    pub(crate) fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        transaction::transact(&*self.store, what, attempt)
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
