//! Registry items of jobs: triggers of types, and queues.

use std::sync::Arc;

use larder_core::store::ItemKind;
use larder_core::{Item, Registry, Result, StoreUrl};

use crate::jobs::RegistryJobs;
use crate::participant::JobsParticipant;
use crate::queue::JobQueue;
use crate::table::TriggerTable;
use crate::trigger::Triggers;

type OpenQueue = Box<dyn Fn(&StoreUrl) -> Result<Arc<dyn JobQueue>> + Send + Sync>;

/// The triggers of a component type, as `#[triggers]` makes them of its methods.
pub fn triggers<T: Triggers>() -> Item {
    match TriggerTable::new(T::triggers()) {
        Ok(table) => trigger_table(table),
        Err(error) => Item::invalid(ItemKind::Trigger, error),
    }
}

/// The triggers of a component type, made at run time.
pub fn trigger_table(table: TriggerTable) -> Item {
    let description = format!("those of `{}`", table.rust_type());
    Item::extension(ItemKind::Trigger, table.type_tag(), description, table)
        .with_participant(JobsParticipant::in_process())
}

/// A queue that brings jobs to workers, by the scheme of its URLs.
///
/// `open` refuses the options that it does not know, by [`StoreUrl::allow_options`].
pub fn queue(
    scheme: &str,
    open: impl Fn(&StoreUrl) -> Result<Arc<dyn JobQueue>> + Send + Sync + 'static,
) -> Item {
    let open: OpenQueue = Box::new(open);
    Item::extension(ItemKind::Queue, scheme, String::new(), open)
}

impl RegistryJobs for Registry {
    fn triggers_of(&self, tag: &str) -> Option<&TriggerTable> {
        self.extension(ItemKind::Trigger, self.current_tag(tag))
    }

    fn open_queue(&self, url: &StoreUrl) -> Result<Arc<dyn JobQueue>> {
        let open: &OpenQueue =
            self.find_extension(ItemKind::Queue, url.scheme(), &url.to_string())?;
        open(url)
    }
}
