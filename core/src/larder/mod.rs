//! The handle that users hold: a store and a registry.

mod apply;
mod find;
mod keep;
mod load;
mod pack;
mod query;
mod remove;
mod shelf;
mod tags;
mod verify;

use std::sync::Arc;
use std::time::SystemTime;

pub use apply::Applied;
pub use query::{Shown, VersionInfo};
pub use tags::TagInfo;
pub use verify::{Checked, Finding};

pub(crate) use pack::Packer;
pub(crate) use shelf::Shelf;

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
}

/// How often a commit that another writer overtook is tried again.
const MOST_TRIES: u32 = 1_000;

impl Larder {
    /// A larder on `store`, with the code that `registry` knows.
    pub fn new(store: Arc<dyn Store>, registry: Registry) -> Self {
        Self { store, registry: Arc::new(registry), clock: SystemTime::now }
    }

    /// The same larder with another clock: for tests whose output must not change.
    #[must_use]
    pub fn with_clock(mut self, clock: fn() -> SystemTime) -> Self {
        self.clock = clock;
        self
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
