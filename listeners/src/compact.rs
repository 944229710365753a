//! The job of a collection: the event `compact` merges its small fragments.

use larder_collections::{LarderCollections as _, Snapshot};
use larder_core::store::ItemKind;
use larder_core::{BoxError, Item};
use larder_jobs::{Event, JobContext, Trigger, TriggerTable};
use serde::{Deserialize, Serialize};

/// Fragments that are made by one version: a job that was interrupted goes on after the last one.
const STEP: usize = if cfg!(test) { 1 } else { 16 };

/// The result of a compaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// The newest version of the collection.
    pub version: String,
    /// The number of its fragments.
    pub fragments: u64,
    /// The number of fragments before.
    pub fragments_before: u64,
}

fn run(_: &Snapshot, job: &JobContext) -> Result<CompactReport, BoxError> {
    let collection = job.larder().untyped_collection(job.id().name().clone())?;
    let fragments_before = collection.latest()?.layout().fragments;
    let mut made = 0;
    loop {
        if job.is_cancelled() {
            return Err(format!("{} was cancelled", job.id()).into());
        }
        let step = collection.engine().compact(STEP)?;
        let fragments = step.version.layout().fragments;
        if step.left == 0 {
            let version = step.version.info().reference().to_string();
            return Ok(CompactReport { version, fragments, fragments_before });
        }
        made += STEP;
        let share = made as f64 / (made + step.left) as f64;
        job.progress(share, format!("{fragments} fragments, {} to be merged", step.left));
    }
}

fn triggers() -> Item {
    let table = Event::custom("compact").and_then(|event| {
        TriggerTable::new::<Snapshot>(vec![
            Trigger::with_output("compact", run).on(event).retries(2),
        ])
    });
    match table {
        Ok(table) => larder_jobs::trigger_table(table),
        Err(error) => Item::invalid(ItemKind::Trigger, error),
    }
}

larder_core::link!(triggers());
