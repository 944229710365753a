//! `remove`: removing versions.

use larder::jobs::LarderJobs;
use larder::jobs::{Event, JobId, JobsQuery};
use larder::versions::RemoveOptions;
use larder::versions::Selector;
use larder::{Identifier, Larder, Reference, VersionInfo};
use serde::Serialize;

use super::job_args::{self, JobArgs};
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Removes a version, or all versions of a name
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name@7`, `name@b3:1f2e` or `name:latest`; with --all, the name
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified<String>,
    /// Remove all versions of the name
    #[arg(long)]
    all: bool,
    /// Remove it even if other versions use it, or its `cleanup` fails or is not linked in
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a [VersionInfo],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = &args.jobs.on(&Event::Remove, larder, output)?;
    let options = RemoveOptions::new().force(args.force);
    let removed = if args.all {
        larder.remove_all(Identifier::new(&args.reference)?, &options)?
    } else {
        vec![larder.remove_with(one_version(&args.reference)?, &options)?]
    };
    let jobs = match args.jobs.wait {
        true => jobs_of(larder, &removed).and_then(|jobs| args.jobs.wait(larder, jobs)),
        false => Ok(None),
    };
    if output.is_json() {
        output.document(Removed { removed: &removed })?;
    } else if output.is_quiet() {
        output.references(&removed)?;
    } else {
        for version in &removed {
            let (reference, size) = (version.reference(), text::size(version.size));
            output.line(&format!("removed {reference} ({}, {size})", version.digest.short()))?;
        }
    }
    job_args::report(jobs?, output);
    Ok(())
}

/// The unfinished jobs that the removal created.
fn jobs_of(larder: &Larder, removed: &[VersionInfo]) -> Result<Vec<JobId>, CommandError> {
    let mut ids = Vec::new();
    for version in removed {
        let query = JobsQuery::new().name(version.identifier.clone()).version(version.version);
        for job in larder.jobs().list(&query) {
            let job = job?;
            if job.event == "remove" && !job.status.is_over() {
                ids.push(job.id);
            }
        }
    }
    Ok(ids)
}

/// Parses the reference, and refuses a bare name, which may mean the newest version or all of them.
fn one_version(text: &str) -> Result<Reference, CommandError> {
    let reference: Reference = text.parse()?;
    if *reference.selector() == Selector::Latest && text == reference.identifier().as_str() {
        let message = format!("cannot remove `{text}`: it does not name a version");
        let hint = format!("use `{text}@N` or `{text}:latest`, or `--all {text}` for all versions");
        return Err(CommandError::new(Exit::Usage, message).with_hint(hint));
    }
    Ok(reference)
}
