//! `work`: running jobs.

use std::sync::{Mutex, PoisonError};

use larder::{Error, Larder, Worker};
use serde::Serialize;

use super::job_args::QueueArgs;
use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// Runs jobs, until it is stopped
///
/// It runs those whose types are linked in. It may be stopped at any time: what it was at is another worker's when
/// its lease is over.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// How many at once; as many as the machine has cores if nothing is said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    #[command(flatten)]
    queue: QueueArgs,
    /// End when no job is left that could be run here
    #[arg(long)]
    drain: bool,
}

#[derive(Serialize)]
struct Worked {
    jobs: u64,
}

/// Tells what goes wrong and is tried again, when it is something else than before.
fn tell_once(said: &Mutex<String>, error: &Error) {
    let told = CommandError::passing(error, "it is tried again");
    let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!("{told:?}");
    if *said != text {
        let _ = told.report();
        *said = text;
    }
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.queue.of(larder)?;
    let said = Mutex::new(String::new());
    let mut worker = Worker::new(&larder).on_trouble(move |error| tell_once(&said, error));
    if let Some(concurrency) = args.concurrency {
        worker = worker.concurrency(concurrency.into());
    }
    if !args.drain {
        return Ok(worker.run(|| false)?);
    }
    let jobs = worker.drain()?;
    if output.is_json() {
        return Ok(output.document(Worked { jobs })?);
    }
    output.say(format_args!("{} done", text::count(jobs, "job")));
    Ok(())
}
