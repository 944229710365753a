//! The handle that users hold: a store and a registry.

mod apply;
mod find;
mod keep;
mod load;
mod objects;
mod pack;
mod query;
mod remove;
mod serializers;
mod shelf;
mod tags;
mod toolchain;
mod verify;

use std::sync::Arc;
use std::time::SystemTime;

pub use apply::Applied;
pub use query::{Shown, VersionInfo};
pub use tags::TagInfo;
pub use toolchain::{Difference, Toolchain};
pub use verify::{Checked, Finding};

pub(crate) use pack::Packer;
pub(crate) use shelf::Shelf;

#[cfg(feature = "files")]
use crate::class::Cache;
use crate::registry::Registry;
use crate::store::Store;
use crate::time::Timestamp;

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
    #[cfg(feature = "files")]
    cache: Arc<Cache>,
}

/// How often a commit that another writer overtook is tried again.
const MOST_TRIES: u32 = 1_000;

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

    /// The same larder, which lays files out in `folder`, where every process and larder may share them.
    ///
    /// Without it they go into a temporary folder that is removed with the last clone of the larder.
    /// Nobody else may be able to write into `folder`.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn with_cache(mut self, folder: impl Into<std::path::PathBuf>) -> Self {
        self.cache = Arc::new(Cache::at(folder.into()));
        self
    }

    #[cfg(feature = "files")]
    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    fn now(&self) -> Timestamp {
        Timestamp::new((self.clock)())
    }
}
