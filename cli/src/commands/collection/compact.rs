//! `collection compact`.

use larder::collections::CompactReport;
use larder::jobs::LarderJobs;
use larder::{Error, Identifier, Larder};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::commands::job_args::JobArgs;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Merges small fragments and drops deleted rows, in a job
///
/// Writes keep to rules of their own: fewer than 64 small fragments, and less than a tenth of a fragment deleted. This goes
/// further, which makes reading faster. The rows stay the same. A job that is interrupted goes on where it was.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    name: Qualified<Identifier>,
    #[command(flatten)]
    jobs: JobArgs,
}

#[derive(Serialize)]
struct Document {
    outcome: Outcome,
    rows: u64,
    fragments: u64,
    fragments_before: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let larder = args.jobs.of(larder, output)?;
    let collection = super::collection(&larder, &args.name)?;
    let before = collection.latest()?;
    let fired = larder.jobs().fire(before.info().reference(), "compact", ())?;
    let Some(jobs) = args.jobs.wait(&larder, &fired)? else {
        return crate::commands::fire::created(&fired, &larder, output);
    };
    let report = jobs.last().and_then(|job| job.output.as_deref());
    let report = report.ok_or_else(|| Error::internal("a compaction without a report"))?;
    let report: CompactReport = serde_json::from_str(report.get())
        .map_err(|error| Error::internal(format!("the report of a compaction: {error}")))?;
    let after = collection.latest()?;
    let (from, to) = (report.fragments_before, report.fragments);
    let is_new = before.info().reference().to_string() != report.version;
    let reference = &report.version;
    let text = match is_new {
        true => format!("{reference} has {}, of {from} before", text::count(to, "fragment")),
        false => format!("unchanged: {reference} has {}", text::count(to, "fragment")),
    };
    let document = Document {
        outcome: Outcome::changed(is_new),
        rows: after.rows(),
        fragments: to,
        fragments_before: from,
    };
    super::written(output, after.info(), &text, document)
}
