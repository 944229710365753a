//! `fire`: custom events.

use larder::Larder;
use larder::jobs::{Fired, LarderJobs};
use larder::store::EventName;
use serde_json::value::RawValue;

use super::job_args::JobArgs;
use super::jobs;
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Fires a custom event of a component, which creates jobs for its triggers
///
/// Workers run the jobs: `larder work`, or any program with the type linked in.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The event, such as `retrain`
    event: EventName,
    /// The payload, as JSON
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    #[command(flatten)]
    jobs: JobArgs,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let payload: Option<&RawValue> = match &args.payload {
        Some(json) => Some(serde_json::from_str(text::without_mark(json)).map_err(|error| {
            CommandError::new(Exit::Usage, error.to_string())
                .context("cannot parse `--payload` as JSON")
        })?),
        None => None,
    };
    let larder = &args.jobs.of(larder, output)?;
    let fired = larder.jobs().fire(&args.reference, &args.event, payload)?;
    if let Some(jobs) = args.jobs.wait(larder, &fired)? {
        return jobs::print(&jobs, output);
    }
    created(&fired, larder, output)
}

/// Prints the jobs that an event created.
pub(super) fn created(
    fired: &Fired,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    if output.is_json() {
        return Ok(output.document(fired)?);
    }
    if output.is_quiet() {
        return Ok(fired.jobs.iter().try_for_each(|job| output.line(&job.to_string()))?);
    }
    let created = fired.jobs.iter().map(|job| larder.jobs().get(job));
    jobs::print(&created.collect::<Result<Vec<_>, _>>()?, output)
}
