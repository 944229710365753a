//! Triggers and jobs: what runs when, in which order, how often, and what is written down of it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

#[path = "jobs/basics.rs"]
mod basics;
#[path = "jobs/forget.rs"]
mod forget;
#[path = "jobs/graphs.rs"]
mod graphs;
#[path = "jobs/hostile.rs"]
mod hostile;
#[path = "jobs/leases.rs"]
mod leases;
#[path = "jobs/manage.rs"]
mod manage;
#[path = "jobs/nats.rs"]
mod nats;
#[path = "jobs/processes.rs"]
mod processes;
#[path = "jobs/publish.rs"]
mod publish;
#[path = "jobs/times.rs"]
mod times;
#[path = "jobs/wait.rs"]
mod wait;

use std::sync::Arc;

use larder::jobs::{JobInfo, JobsQuery, Trigger, TriggerTable};
use larder::prelude::*;
use larder::store::{MemoryStore, Store};
use larder::{Item, Registry};

/// A component whose triggers each test makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Component)]
#[component(tag = "jobs/plain")]
pub struct Plain {
    pub number: u64,
    pub d: Option<String>,
}

pub fn plain(number: u64) -> Plain {
    Plain { number, d: None }
}

/// A larder on `store` that knows `Plain` with these triggers.
pub fn larder_on(store: Arc<dyn Store>, triggers: Vec<Trigger<Plain>>) -> Larder {
    let mut registry = Registry::new();
    registry.register(Item::component::<Plain>()).unwrap();
    let table = TriggerTable::new(triggers).unwrap();
    registry.register(larder::jobs::trigger_table(table)).unwrap();
    Larder::new(store, registry)
}

pub fn larder(triggers: Vec<Trigger<Plain>>) -> Larder {
    larder_on(Arc::new(MemoryStore::new()), triggers)
}

/// All jobs, as `trigger: status`.
pub fn statuses(larder: &Larder) -> Vec<String> {
    let jobs = larder.jobs();
    let jobs = jobs.list(&JobsQuery::new()).map(Result::unwrap);
    jobs.map(|job: JobInfo| format!("{}: {}", job.trigger, job.status)).collect()
}

/// Numbers that look random and are the same for the same seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // The state must not be 0; neighbouring seeds must not give neighbouring states.
        Self((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}
