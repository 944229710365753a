//! What becomes of the jobs that a command makes: who is told of them, and whether it waits until they are over.

use larder::{WaitTarget, Error, Event, JobInfo, Larder};

use crate::command_error::CommandError;
use crate::output::Output;
use crate::{progress, text};

/// The queue between those who make jobs and those who run them.
#[derive(clap::Args)]
pub(crate) struct QueueArgs {
    /// The queue that brings jobs to workers at once, such as `nats://HOST:4222?stream=larder`; else they look for them
    #[arg(long, value_name = "URL", env = "LARDER_QUEUE", hide_env_values = true)]
    queue: Option<String>,
}

impl QueueArgs {
    /// The larder, with the queue that is named.
    pub(super) fn of(&self, larder: &Larder) -> larder::Result<Larder> {
        let larder = larder.clone();
        let Some(queue) = &self.queue else { return Ok(larder) };
        let queue = larder.registry().open_queue(&queue.parse()?)?;
        Ok(larder.with_queue(queue))
    }
}

/// For commands that make jobs.
#[derive(clap::Args)]
pub(crate) struct JobArgs {
    #[command(flatten)]
    queue: QueueArgs,
    /// Run the jobs that this makes here, and wait until they are over
    #[arg(long)]
    pub(super) wait: bool,
}

impl JobArgs {
    /// The larder, with the queue that is named. One that is away keeps nobody from making jobs.
    pub(super) fn of(&self, larder: &Larder) -> Result<Larder, CommandError> {
        match self.queue.of(larder) {
            Err(error @ Error::Store { .. }) => {
                let hint =
                    "nothing is lost: workers find the jobs by themselves, within ten seconds";
                let _ = CommandError::passing(&error, hint).report();
                Ok(larder.clone())
            }
            larder => Ok(larder?),
        }
    }

    /// The larder, with the queue that is named if an event could make a job: else it is not asked.
    pub(super) fn on(&self, event: &Event, larder: &Larder) -> Result<Larder, CommandError> {
        let registry = larder.registry();
        let runs = |tag| registry.triggers_of(tag).is_some_and(|table| table.on(event).count() > 0);
        let any = registry.types().any(|(entry, _)| runs(entry.tag()));
        if any { self.of(larder) } else { Ok(larder.clone()) }
    }

    /// Runs the jobs and waits for them, if that is wanted.
    pub(super) fn wait(
        &self,
        larder: &Larder,
        jobs: impl Into<WaitTarget>,
    ) -> Result<Option<Vec<JobInfo>>, CommandError> {
        Ok(if self.wait { Some(progress::wait(larder, jobs)?) } else { None })
    }
}

/// Tells how many jobs a command waited for.
pub(super) fn tell(jobs: Option<Vec<JobInfo>>, output: &mut Output) {
    if let Some(jobs) = jobs.filter(|jobs| !jobs.is_empty()) {
        output.say(format_args!("{} done", text::count(jobs.len() as u64, "job")));
    }
}
