//! Registry items of jobs: triggers of types, and queues.

use std::sync::Arc;

use larder_core::store::ItemKind;
use larder_core::{Item, Registry, Result, StoreUrl};

use crate::job_queue::JobQueue;
use crate::participant::JobsParticipant;
use crate::table::TriggerTable;
use crate::trigger::Triggers;

type OpenQueue = Box<dyn Fn(&StoreUrl) -> Result<Arc<dyn JobQueue>> + Send + Sync>;

/// Returns the item of the triggers that `#[triggers]` declares for a component type.
pub fn triggers<T: Triggers>() -> Item {
    match TriggerTable::new(T::triggers()) {
        Ok(table) => trigger_table(table),
        Err(error) => Item::invalid(ItemKind::Trigger, error),
    }
}

/// Returns the item of triggers built at run time.
pub fn trigger_table(table: TriggerTable) -> Item {
    let description = format!("the triggers of `{}`", table.rust_type());
    Item::extension(ItemKind::Trigger, table.type_tag(), description, table)
        .with_participant(JobsParticipant::in_process())
}

/// Returns the item of a job queue, by the scheme of its URLs.
///
/// `open` rejects unknown options, with [`StoreUrl::allow_options`].
pub fn queue(
    scheme: &str,
    open: impl Fn(&StoreUrl) -> Result<Arc<dyn JobQueue>> + Send + Sync + 'static,
) -> Item {
    let open: OpenQueue = Box::new(open);
    Item::extension(ItemKind::Queue, scheme, String::new(), open)
}

/// Adds triggers and queues to [`Registry`].
pub trait RegistryJobs {
    /// Returns the triggers of the component type with this current or former tag.
    fn triggers_of(&self, tag: &str) -> Option<&TriggerTable>;

    /// Opens the queue at `url`, for [`LarderJobs::with_queue`](crate::LarderJobs::with_queue).
    ///
    /// # Errors
    /// [`Error::NotLinked`](larder_core::Error::NotLinked) for a scheme that no linked crate serves, and errors of the queue.
    fn open_queue(&self, url: &StoreUrl) -> Result<Arc<dyn JobQueue>>;
}

impl RegistryJobs for Registry {
    fn triggers_of(&self, tag: &str) -> Option<&TriggerTable> {
        self.extension(ItemKind::Trigger, self.current_tag(tag))
    }

    fn open_queue(&self, url: &StoreUrl) -> Result<Arc<dyn JobQueue>> {
        if url.may_be_credentials() {
            return Err(url.refused("it begins with no known scheme"));
        }
        let open: &OpenQueue =
            self.find_extension(ItemKind::Queue, url.scheme(), &url.to_string())?;
        open(url)
    }
}
