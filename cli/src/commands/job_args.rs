//! Arguments of commands that create jobs: the queue, and whether to wait.

use larder::jobs::LarderJobs;
use larder::jobs::RegistryJobs;
use larder::jobs::{Event, JobInfo, WaitTarget};
use larder::{Error, Larder};

use crate::command_error::CommandError;
use crate::output::Output;
use crate::{progress, text};

/// The queue that notifies workers.
#[derive(clap::Args)]
pub(crate) struct QueueArgs {
    /// A queue that notifies workers at once, such as `nats://HOST:4222?stream=larder`; by default they poll
    #[arg(long, value_name = "URL", env = "LARDER_QUEUE", hide_env_values = true)]
    queue: Option<String>,
}

impl QueueArgs {
    /// Adds the queue to the larder.
    pub(super) fn of(&self, larder: &Larder) -> larder::Result<Larder> {
        let larder = larder.clone();
        let Some(queue) = &self.queue else { return Ok(larder) };
        let queue = larder.registry().open_queue(&queue.parse()?)?;
        Ok(larder.with_queue(queue))
    }
}

/// Arguments of commands that create jobs.
#[derive(clap::Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    queue: QueueArgs,
    /// Run the jobs that this creates here, and wait for them
    #[arg(long)]
    pub(super) wait: bool,
}

impl JobArgs {
    /// Adds the queue to the larder. An unreachable queue is reported, but does not prevent jobs.
    pub(super) fn of(&self, larder: &Larder, output: &Output) -> Result<Larder, CommandError> {
        match self.queue.of(larder) {
            Err(error @ Error::Store { .. }) => {
                let hint = "workers poll for the jobs within ten seconds";
                let _ = CommandError::recoverable(&error, hint).report(output.format());
                Ok(larder.clone())
            }
            larder => Ok(larder?),
        }
    }

    /// Adds the queue to the larder, if the event can create a job.
    pub(super) fn on(
        &self,
        event: &Event,
        larder: &Larder,
        output: &Output,
    ) -> Result<Larder, CommandError> {
        let registry = larder.registry();
        let runs = |tag| registry.triggers_of(tag).is_some_and(|table| table.on(event).count() > 0);
        let any = registry.types().any(|(entry, _)| runs(entry.tag()));
        if any { self.of(larder, output) } else { Ok(larder.clone()) }
    }

    /// Runs the jobs and waits for them, if requested.
    pub(super) fn wait(
        &self,
        larder: &Larder,
        jobs: impl Into<WaitTarget>,
    ) -> Result<Option<Vec<JobInfo>>, CommandError> {
        Ok(if self.wait { Some(progress::wait(larder, jobs)?) } else { None })
    }
}

/// Reports how many jobs a command waited for.
pub(super) fn report(jobs: Option<Vec<JobInfo>>, output: &mut Output) {
    if let Some(jobs) = jobs.filter(|jobs| !jobs.is_empty()) {
        output.say(format_args!("{} done", text::count(jobs.len() as u64, "job")));
    }
}
