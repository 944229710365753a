//! The handle on the jobs of a larder.

use std::fmt;
use std::sync::Arc;

use larder_core::extend::Records;
use larder_core::record::{NameRecord, VersionRecord};
use larder_core::store::{Outcome, Store, Timestamp, Transaction, transact};
use larder_core::{Identifier, Larder, Reference, Registry, Result};

use crate::job_queue::JobQueue;

/// The jobs of a larder: fires events, lists, waits for and manages jobs.
///
/// Returned by [`LarderJobs::jobs`](crate::LarderJobs::jobs).
#[derive(Debug, Clone)]
pub struct Jobs {
    larder: Larder,
    queue: Arc<dyn JobQueue>,
}

impl Jobs {
    pub(crate) fn new(larder: &Larder, queue: Arc<dyn JobQueue>) -> Self {
        Self { larder: larder.clone(), queue }
    }

    /// Returns the larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// Returns the queue to which jobs are submitted.
    pub fn queue(&self) -> &Arc<dyn JobQueue> {
        &self.queue
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        self.larder.store()
    }

    pub(crate) fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        transact(&**self.store(), what, attempt)
    }

    pub(crate) fn transaction(&self) -> Transaction<'_> {
        Transaction::new(&**self.store())
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.larder.registry()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.larder.now()
    }

    pub(crate) fn find(&self, reference: &Reference) -> Result<VersionRecord> {
        self.larder.find(reference)
    }

    pub(crate) fn head(&self, name: &Identifier) -> Result<Option<NameRecord>> {
        self.larder.head(name)
    }
}
