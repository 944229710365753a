//! `audit`: what was changed or denied.

use std::time::{Duration, SystemTime};

use larder::Larder;
use larder::access::{AuditEntry, LarderAccess, Outcome};
use larder::store::Timestamp;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Prints what servers of this larder changed or denied, for whom and why
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only of this last time, such as `2h`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    since: Option<Duration>,
    /// Check that no entry was changed or removed
    #[arg(long)]
    verify: bool,
}

#[derive(Serialize)]
struct Entries {
    entries: Vec<AuditEntry>,
}

#[derive(Serialize)]
struct Verified {
    records: u64,
    entries: u64,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    record: u64,
    fault: String,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    if args.verify {
        return verify(larder, output);
    }
    let since = args.since.and_then(|time| SystemTime::now().checked_sub(time));
    let access = larder.access();
    let entries = access.audit(since.map(Timestamp::new)).collect::<Result<Vec<_>, _>>()?;
    if output.is_json() {
        return Ok(output.document(Entries { entries })?);
    }
    let row = |entry: &AuditEntry| {
        let outcome = match entry.outcome {
            Outcome::Allowed => "allowed",
            Outcome::Denied => "denied",
        };
        let principal = entry.principal.as_ref().map_or("", |name| name.as_str());
        [
            output.time(entry.at),
            principal.to_owned(),
            entry.action.clone(),
            entry.resource.clone(),
            outcome.to_owned(),
            entry.because.clone(),
        ]
    };
    let rows: Vec<_> = entries.iter().map(row).collect();
    Ok(output.table(["TIME", "WHO", "ACTION", "WHAT", "OUTCOME", "BECAUSE"], rows)?)
}

fn verify(larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let report = larder.access().verify_audit()?;
    let findings = report.faults.into_iter();
    let findings: Vec<Finding> =
        findings.map(|it| Finding { record: it.record, fault: it.fault }).collect();
    let is_sound = findings.is_empty();
    let events = text::count(report.entries, "event");
    if output.is_json() {
        let (records, entries) = (report.records, report.entries);
        output.document(Verified { records, entries, findings })?;
    } else {
        let rows = findings.into_iter().map(|it| [it.record.to_string(), it.fault]);
        if is_sound {
            output.line(&format!("the audit log is sound: {events}"))?;
        } else {
            output.table(["RECORD", "FAULT"], rows)?;
        }
    }
    if is_sound { Ok(()) } else { Err(CommandError::silent(Exit::Corrupt)) }
}
