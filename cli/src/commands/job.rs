//! `job`: commands for single jobs.

use larder::jobs::LarderJobs;
use std::thread;
use std::time::Duration;

use larder::Larder;
use larder::jobs::{JobId, JobInfo, JobLine};
use serde::Serialize;

use super::job_args::JobArgs;
use super::jobs;
use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// The polling interval of `--follow`.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Shows, cancels or retries a job, prints its log, or deletes old jobs
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Shows a job
    Show {
        /// The ID of the job, from `larder jobs`
        id: JobId,
    },
    /// Cancels a pending job, or asks a running job to stop
    Cancel {
        /// The ID of the job, from `larder jobs`
        id: JobId,
    },
    /// Retries a job that did not succeed, and the jobs that it blocked
    Retry {
        /// The ID of the job, from `larder jobs`
        id: JobId,
        #[command(flatten)]
        jobs: JobArgs,
    },
    /// Deletes the records of finished jobs, but no versions; jobs of one event are deleted together
    Forget {
        /// The minimum time since they finished, at least a minute
        #[arg(long, value_name = "TIME", value_parser = text::parse_duration)]
        older_than: Duration,
    },
    /// Prints the log of a job
    Logs {
        /// The ID of the job, from `larder jobs`
        id: JobId,
        /// Follow the log until the job finishes
        #[arg(long, short)]
        follow: bool,
    },
}

#[derive(Serialize)]
struct Lines<'a> {
    lines: &'a [JobLine],
}

#[derive(Serialize)]
struct Forgotten {
    forgotten: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    match &args.action {
        Action::Show { id } => show(&larder.jobs().get(id)?, output),
        Action::Cancel { id } => {
            let job = larder.jobs().cancel(id)?;
            match output.is_json() || output.is_quiet() {
                true => show(&job, output),
                false if job.status.is_over() => Ok(output.line(&format!("cancelled {id}"))?),
                false => Ok(output.line(&format!("asked {id} to stop"))?),
            }
        }
        Action::Retry { id, jobs: job_args } => {
            let larder = job_args.of(larder, output)?;
            let again = larder.jobs().retry(id)?;
            let ids: Vec<_> = again.iter().map(|job| job.id.clone()).collect();
            if let Some(jobs) = job_args.wait(&larder, ids)? {
                return jobs::print(&jobs, output);
            }
            if output.is_json() || output.is_quiet() {
                return jobs::print(&again, output);
            }
            let mut jobs = again.iter();
            Ok(jobs.try_for_each(|job| {
                output.line(&format!("retrying {} (`{}`)", job.id, job.trigger))
            })?)
        }
        Action::Forget { older_than } => {
            let forgotten = larder.jobs().forget(*older_than)?;
            if output.is_json() {
                return Ok(output.document(Forgotten { forgotten })?);
            }
            output.say(format_args!("deleted {}", text::count(forgotten, "job")));
            Ok(())
        }
        Action::Logs { id, follow } => logs(id, *follow, larder, output),
    }
}

fn show(job: &JobInfo, output: &mut Output) -> Result<(), CommandError> {
    if output.is_json() {
        return Ok(output.document(job)?);
    }
    if output.is_quiet() {
        return Ok(output.line(&job.id.to_string())?);
    }
    let mut rows = vec![
        ["job".to_owned(), job.id.to_string()],
        ["type".to_owned(), job.type_tag.to_string()],
        ["trigger".to_owned(), job.trigger.clone()],
        ["event".to_owned(), job.event.clone()],
        ["status".to_owned(), job.status.to_string()],
        ["attempt".to_owned(), attempts(job)],
        ["created".to_owned(), output.time(job.created)],
    ];
    let mut row = |key: &str, value: Option<String>| {
        rows.extend(value.map(|value| [key.to_owned(), value]));
    };
    row("started", job.started.map(|time| output.time(time)));
    row("finished", job.finished.map(|time| output.time(time)));
    row("not before", job.not_before.map(text::time));
    row("leased until", job.until.map(text::time));
    row("cancelling", job.cancelling.map(|time| output.time(time)));
    row("progress", job.fraction.map(text::percent));
    row("message", job.message.clone());
    for (trigger, id) in &job.depends_on {
        row("depends on", Some(format!("{trigger} ({id})")));
    }
    row("payload", job.payload.as_ref().map(|json| json.get().to_owned()));
    row("output", job.output.as_ref().map(|json| json.get().to_owned()));
    for (depth, cause) in job.error.iter().enumerate() {
        row(if depth == 0 { "error" } else { "caused by" }, Some(cause.clone()));
    }
    Ok(output.columns(rows)?)
}

fn attempts(job: &JobInfo) -> String {
    match (job.failures, job.losses) {
        (0, 0) => job.attempt.to_string(),
        (failures, losses) => {
            format!("{} ({failures} failed, {losses} lost)", job.attempt)
        }
    }
}

fn logs(
    id: &JobId,
    follow: bool,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let mut printed = 0;
    loop {
        // The last lines are written before the job finishes.
        let is_over = larder.jobs().get(id)?.status.is_over();
        let lines = larder.jobs().log(id)?;
        let is_last = !follow || is_over;
        if !output.is_json() {
            for line in lines.iter().skip(printed) {
                output.line(&match output.is_quiet() {
                    true => text::clean(&line.text).into_owned(),
                    false => {
                        let (time, text) = (text::time(line.at), text::clean(&line.text));
                        format!("{time} {} {text}", line.attempt)
                    }
                })?;
            }
            output.flush()?;
        } else if is_last {
            return Ok(output.document(Lines { lines: &lines })?);
        }
        printed = lines.len();
        if is_last {
            return Ok(());
        }
        thread::sleep(POLL_INTERVAL);
    }
}
