//! `work`: a worker.

use std::sync::{Mutex, PoisonError};

use larder::jobs::Worker;
use larder::{Error, Larder};
use serde::Serialize;

use super::job_args::QueueArgs;
use crate::command_error::CommandError;
use crate::global::Format;
use crate::output::Output;
use crate::text;

/// Runs jobs until it is stopped
///
/// Only runs jobs whose types are linked in. It can be stopped at any time; another worker takes over its jobs when
/// their leases expire.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The number of concurrent jobs; by default the number of cores
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: Option<u16>,
    #[command(flatten)]
    queue: QueueArgs,
    /// Exit when no job is left that can run here
    #[arg(long)]
    drain: bool,
}

#[derive(Serialize)]
struct Worked {
    jobs: u64,
}

/// Reports an error that is retried, unless it is the same as the last.
fn report_once(last: &Mutex<String>, error: &Error, format: Format) {
    let error = CommandError::recoverable(error, "retrying");
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let text = format!("{error:?}");
    if *last != text {
        let _ = error.report(format);
        *last = text;
    }
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.queue.of(larder)?;
    let last = Mutex::new(String::new());
    let format = output.format();
    let mut worker = Worker::new(&larder).on_error(move |error| report_once(&last, error, format));
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
