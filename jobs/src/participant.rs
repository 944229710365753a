//! Creates jobs in the commit of the version whose event they run on.

use std::sync::Arc;

use larder_core::extend::{Contribution, Participant, PlannedJob, Transition};
use larder_core::record::VersionRecord;
use larder_core::{Component, Identifier, Item, Larder, Result};

use crate::event::Event;
use crate::in_process::InProcess;
use crate::items::RegistryJobs;
use crate::job_queue::JobQueue;
use crate::jobs::Jobs;

larder_core::link!(Item::participant(JobsParticipant::in_process()));

/// Creates the jobs of versions that become ready or are removed.
#[derive(Debug)]
pub(crate) struct JobsParticipant {
    queue: Arc<dyn JobQueue>,
}

impl JobsParticipant {
    pub(crate) fn new(queue: Arc<dyn JobQueue>) -> Self {
        Self { queue }
    }

    /// A participant whose jobs workers find in the store.
    pub(crate) fn in_process() -> Arc<Self> {
        Arc::new(Self::new(Arc::new(InProcess::new())))
    }

    pub(crate) fn queue(&self) -> &Arc<dyn JobQueue> {
        &self.queue
    }
}

impl Participant for JobsParticipant {
    fn contribute(
        &self,
        larder: &Larder,
        transition: Transition,
        name: &Identifier,
        version: &VersionRecord,
    ) -> Result<Contribution> {
        let event = match transition {
            Transition::Ready => Event::Apply,
            Transition::Removed => Event::Remove,
        };
        let jobs = Jobs::new(larder, Arc::clone(&self.queue)).jobs_on(&event, name, version)?;
        let (first, queue) = (jobs.first, Arc::clone(&self.queue));
        Ok(Contribution::new(jobs.changes).then(move || {
            if !first.is_empty() {
                // Best effort: workers find unsubmitted jobs in the store.
                let _ = queue.submit(&first);
            }
        }))
    }

    fn plan(
        &self,
        larder: &Larder,
        name: &Identifier,
        component: &dyn Component,
    ) -> Vec<PlannedJob> {
        let mut jobs: Vec<PlannedJob> = Vec::new();
        let Some(table) = larder.registry().triggers_of(component.type_tag()) else { return jobs };
        for entry in table.on(&Event::Apply) {
            let is_skipped = |needed: &&String| {
                jobs.iter().any(|job| job.trigger == **needed && job.skipped.is_some())
            };
            let unmet = entry.unmet(component).map(|field| format!("`{field}` is not set"));
            let skipped = unmet.or_else(|| {
                let needed = entry.depends_on().iter().find(is_skipped)?;
                Some(format!("`{needed}` would be skipped"))
            });
            jobs.push(PlannedJob::new(name.clone(), entry.name(), skipped));
        }
        jobs
    }
}
