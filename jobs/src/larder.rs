//! Jobs as an extension of [`Larder`].

use larder_core::extend::LarderExt;
use std::sync::Arc;

use larder_core::Larder;

use crate::in_process::InProcess;
use crate::job_queue::JobQueue;
use crate::jobs::Jobs;
use crate::participant::JobsParticipant;

/// Adds jobs to [`Larder`].
pub trait LarderJobs {
    /// Returns the handle on the jobs.
    fn jobs(&self) -> Jobs;

    /// Sets the queue to which jobs are submitted; [`InProcess`] by default.
    #[must_use]
    fn with_queue(self, queue: Arc<dyn JobQueue>) -> Self;
}

impl LarderJobs for Larder {
    fn jobs(&self) -> Jobs {
        let queue = match self.participant::<JobsParticipant>() {
            Some(participant) => Arc::clone(participant.queue()),
            None => Arc::new(InProcess::new()),
        };
        Jobs::new(self, queue)
    }

    fn with_queue(self, queue: Arc<dyn JobQueue>) -> Self {
        self.with_participant(Arc::new(JobsParticipant::new(queue)))
    }
}
