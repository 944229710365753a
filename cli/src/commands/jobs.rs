//! `jobs`: lists of jobs.

use larder::jobs::LarderJobs;
use std::thread;
use std::time::Duration;

use larder::jobs::{JobInfo, JobStatus, JobsQuery};
use larder::{Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// The polling interval of `--watch`.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Lists the jobs that triggers created
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only jobs of this name
    #[arg(add = complete::names())]
    name: Option<Qualified<Identifier>>,
    /// Only jobs that are `pending`, `running`, `succeeded`, `failed`, `skipped`, `blocked` or `cancelled`; may be
    /// repeated
    #[arg(long, value_name = "STATUS")]
    status: Vec<JobStatus>,
    /// Print the list whenever it changes, until all jobs have finished
    #[arg(long)]
    watch: bool,
}

#[derive(Serialize)]
struct Jobs<'a> {
    jobs: &'a [JobInfo],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let mut query = JobsQuery::new();
    if let Some(name) = &args.name {
        query = query.name(name.into());
    }
    query = args.status.iter().fold(query, |query, status| query.status(*status));
    let mut shown = None;
    loop {
        let jobs = larder.jobs().list(&query).collect::<Result<Vec<_>, _>>()?;
        // Ages are not compared.
        let state: Vec<_> = jobs.iter().map(state).collect();
        if shown.as_ref() != Some(&state) {
            if shown.is_some() && !output.is_json() {
                output.line("")?;
            }
            // JSON is one document, which is printed at the end.
            if !output.is_json() {
                print(&jobs, output)?;
                output.flush()?;
            }
            shown = Some(state);
        }
        if !args.watch || jobs.iter().all(|job| job.status.is_over()) {
            return if output.is_json() { print(&jobs, output) } else { Ok(()) };
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// The printed state of a job.
fn state(job: &JobInfo) -> (String, JobStatus, u32, String) {
    (job.id.to_string(), job.status, job.attempt, progress(job))
}

pub(super) fn print(jobs: &[JobInfo], output: &mut Output) -> Result<(), CommandError> {
    if output.is_json() {
        return Ok(output.document(Jobs { jobs })?);
    }
    if output.is_quiet() {
        return Ok(jobs.iter().try_for_each(|job| output.line(&job.id.to_string()))?);
    }
    let row = |job: &JobInfo| {
        [
            job.id.to_string(),
            job.trigger.clone(),
            job.event.clone(),
            job.status.to_string(),
            job.attempt.to_string(),
            output.time(job.finished.or(job.started).unwrap_or(job.created)),
            progress(job),
        ]
    };
    let rows: Vec<_> = jobs.iter().map(row).collect();
    Ok(output.table(["JOB", "TRIGGER", "EVENT", "STATUS", "TRY", "SINCE", "MESSAGE"], rows)?)
}

/// The progress of a job, or its error.
pub(super) fn progress(job: &JobInfo) -> String {
    let message = match (&job.error[..], &job.message) {
        ([first, ..], _) => first.clone(),
        ([], Some(message)) if !job.status.is_over() => message.clone(),
        ([], _) => String::new(),
    };
    match job.fraction.filter(|_| job.status == JobStatus::Running) {
        Some(fraction) => format!("{} {message}", text::percent(fraction)).trim_end().to_owned(),
        None => message,
    }
}
