//! `fire`: an event of one's own.

use larder::{EventName, Larder};
use serde_json::value::RawValue;

use super::jobs;
use super::job_args::JobArgs;
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Lets an event happen to a component, so that its triggers run
///
/// It makes jobs, which a worker runs: `work`, or any program that links the type and works.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The event, such as `retrain`
    event: EventName,
    /// What it carries, as JSON
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    #[command(flatten)]
    jobs: JobArgs,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let payload: Option<&RawValue> = match &args.payload {
        Some(json) => Some(serde_json::from_str(json).map_err(|error| {
            CommandError::new(Exit::Usage, error.to_string()).during("`--payload` is no JSON")
        })?),
        None => None,
    };
    let larder = &args.jobs.of(larder)?;
    let fired = larder.fire(&args.reference, &args.event, payload)?;
    if let Some(jobs) = args.jobs.wait(larder, &fired)? {
        return jobs::print(&jobs, output);
    }
    if output.is_json() {
        return Ok(output.document(&fired)?);
    }
    if output.is_quiet() {
        return Ok(fired.jobs.iter().try_for_each(|job| output.line(&job.to_string()))?);
    }
    let made = fired.jobs.iter().map(|job| larder.job(job));
    jobs::print(&made.collect::<Result<Vec<_>, _>>()?, output)
}
