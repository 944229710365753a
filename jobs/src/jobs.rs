//! The handle on the jobs of a larder.

use larder_core::extend::LarderExt;
use std::fmt;
use std::sync::Arc;

use larder_core::extend::Records;
use larder_core::record::{NameRecord, VersionRecord};
use larder_core::store::Timestamp;
use larder_core::store::{Outcome, Store, Transaction, transact};
use larder_core::{Identifier, Larder, Reference, Registry, Result, StoreUrl};

use crate::participant::JobsParticipant;
use crate::queue::{InProcess, JobQueue};
use crate::table::TriggerTable;

/// The jobs of a larder: fires events, lists, waits for and manages jobs.
///
/// [`LarderJobs::jobs`] returns it.
#[derive(Debug, Clone)]
pub struct Jobs {
    larder: Larder,
    queue: Arc<dyn JobQueue>,
}

/// Adds jobs to [`Larder`].
pub trait LarderJobs {
    /// Returns the handle on the jobs.
    fn jobs(&self) -> Jobs;

    /// The same larder, whose jobs reach workers by `queue`.
    ///
    /// Without it, workers find them in the store: see [`InProcess`].
    #[must_use]
    fn with_queue(self, queue: Arc<dyn JobQueue>) -> Self;
}

impl LarderJobs for Larder {
    fn jobs(&self) -> Jobs {
        Jobs::new(self)
    }

    fn with_queue(self, queue: Arc<dyn JobQueue>) -> Self {
        self.with_participant(Arc::new(JobsParticipant::new(queue)))
    }
}

impl Jobs {
    pub(crate) fn new(larder: &Larder) -> Self {
        let queue = match larder.participant::<JobsParticipant>() {
            Some(participant) => Arc::clone(participant.queue()),
            None => Arc::new(InProcess::new()),
        };
        Self { larder: larder.clone(), queue }
    }

    /// The larder.
    pub fn larder(&self) -> &Larder {
        &self.larder
    }

    /// The queue that brings jobs to workers.
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

    pub(crate) fn triggers_of(&self, tag: &str) -> Option<&TriggerTable> {
        self.larder.registry().triggers_of(tag)
    }

    pub(crate) fn trigger_names(&self, tag: &str) -> Vec<String> {
        let entries = self.triggers_of(tag).map_or(&[][..], TriggerTable::entries);
        entries.iter().map(|entry| entry.name().to_owned()).collect()
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

/// Adds triggers and queues to [`Registry`].
pub trait RegistryJobs {
    /// The triggers of the component type that has this tag, or had it before.
    fn triggers_of(&self, tag: &str) -> Option<&TriggerTable>;

    /// Opens the queue at `url`, for [`LarderJobs::with_queue`].
    ///
    /// # Errors
    /// [`Error::NotLinked`](larder_core::Error::NotLinked) for a scheme that no linked crate serves, and errors of the queue.
    fn open_queue(&self, url: &StoreUrl) -> Result<Arc<dyn JobQueue>>;
}
