//! `job`: one job, seen and acted upon.

use std::thread;
use std::time::Duration;

use larder::{JobId, JobInfo, JobLine, Larder};
use serde::Serialize;

use super::jobs;
use super::job_args::JobArgs;
use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// How often `--follow` looks again.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Shows a job, cancels it, tries it again, or prints what it said; forgets old ones
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Shows all that is known of a job
    Show {
        /// The job, as `jobs` prints it
        id: JobId,
    },
    /// Cancels a job: one that waits at once; one that runs is told to stop
    Cancel {
        /// The job, as `jobs` prints it
        id: JobId,
    },
    /// Lets a job that did not succeed run again, and with it what was blocked because of it
    Retry {
        /// The job, as `jobs` prints it
        id: JobId,
        #[command(flatten)]
        jobs: JobArgs,
    },
    /// Takes away the records of jobs that are over, those of one event together; versions that they published stay
    Forget {
        /// How long ago they were over at least: a minute or more
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        older_than: Duration,
    },
    /// Prints what a job said
    Logs {
        /// The job, as `jobs` prints it
        id: JobId,
        /// Go on until it is over
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
    match &args.what {
        What::Show { id } => show(&larder.job(id)?, output),
        What::Cancel { id } => {
            let job = larder.cancel_job(id)?;
            match output.is_json() || output.is_quiet() {
                true => show(&job, output),
                false if job.status.is_over() => Ok(output.line(&format!("{id} is cancelled"))?),
                false => Ok(output.line(&format!("{id} runs, and is told to stop"))?),
            }
        }
        What::Retry { id, jobs: making } => {
            let larder = making.of(larder)?;
            let again = larder.retry_job(id)?;
            let ids: Vec<_> = again.iter().map(|job| job.id.clone()).collect();
            if let Some(jobs) = making.wait(&larder, ids)? {
                return jobs::print(&jobs, output);
            }
            if output.is_json() || output.is_quiet() {
                return jobs::print(&again, output);
            }
            let mut told = again.iter();
            Ok(told.try_for_each(|job| {
                output.line(&format!("{} (`{}`) is to run again", job.id, job.trigger))
            })?)
        }
        What::Forget { older_than } => {
            let forgotten = larder.forget_jobs(*older_than)?;
            if output.is_json() {
                return Ok(output.document(Forgotten { forgotten })?);
            }
            output.say(format_args!("forgot {}", text::count(forgotten, "job")));
            Ok(())
        }
        What::Logs { id, follow } => logs(id, *follow, larder, output),
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
    row("held until", job.until.map(text::time));
    row("cancelling", job.cancelling.map(|time| output.time(time)));
    row("progress", job.fraction.map(text::percent));
    row("does", job.message.clone());
    for (trigger, id) in &job.depends_on {
        row("depends on", Some(format!("{trigger} ({id})")));
    }
    row("carries", job.payload.as_ref().map(|json| json.get().to_owned()));
    row("output", job.output.as_ref().map(|json| json.get().to_owned()));
    for (depth, cause) in job.error.iter().enumerate() {
        row(if depth == 0 { "because" } else { "caused by" }, Some(cause.clone()));
    }
    Ok(output.columns(rows)?)
}

fn attempts(job: &JobInfo) -> String {
    match (job.failures, job.losses) {
        (0, 0) => job.attempt.to_string(),
        (failures, losses) => {
            format!("{} ({failures} failed, {losses} lost their worker)", job.attempt)
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
        // What it said last is written before it is over.
        let is_over = larder.job(id)?.status.is_over();
        let lines = larder.job_log(id)?;
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
