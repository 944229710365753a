//! Triggers and jobs: what runs when, in which order, how often, and what is written down of it.

mod basics;
mod forget;
mod graphs;
mod hostile;
mod leases;
mod manage;
#[cfg(feature = "servers")]
mod nats;
mod processes;
mod publish;
mod times;
mod wait;

use std::sync::Arc;

use larder::jobs::{JobInfo, JobsQuery, Trigger, TriggerTable};
use larder::prelude::*;
use larder::store::{MemoryStore, Store};
use larder::{Item, Registry};

/// A component whose triggers each test makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "jobs/plain")]
pub(crate) struct Plain {
    pub number: u64,
    pub d: Option<String>,
}

pub(crate) fn plain(number: u64) -> Plain {
    Plain { number, d: None }
}

/// A larder on `store` that knows `Plain` with these triggers.
pub(crate) fn larder_on(store: Arc<dyn Store>, triggers: Vec<Trigger<Plain>>) -> Larder {
    let mut registry = Registry::new();
    registry.register(Item::component::<Plain>()).unwrap();
    let table = TriggerTable::new(triggers).unwrap();
    registry.register(larder::jobs::trigger_table(table)).unwrap();
    Larder::new(store, registry)
}

pub(crate) fn larder(triggers: Vec<Trigger<Plain>>) -> Larder {
    larder_on(Arc::new(MemoryStore::new()), triggers)
}

/// All jobs, as `trigger: status`.
pub(crate) fn statuses(larder: &Larder) -> Vec<String> {
    let jobs = larder.jobs();
    let jobs = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    jobs.map(|job: JobInfo| format!("{}: {}", job.trigger, job.status)).collect()
}

/// Numbers that look random and are the same for the same seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        // The state must not be 0; neighbouring seeds must not give neighbouring states.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
