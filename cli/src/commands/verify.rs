//! `verify`: verification and repair.

use larder::maintenance::LarderMaintenance;
use std::io;

use larder::maintenance::{Finding, RepairReport, VerifyReport};
use larder::{Larder, StoreUrl};
use serde::Serialize;

use super::examples;
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::open::open_other;
use crate::output::Output;
use crate::qualified::{self, Qualified};
use crate::text;

/// Verifies every byte of versions, and lists damage; exit code 4 if there is any
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`; all if none is given
    #[arg(value_name = "REF", add = complete::references())]
    pub(super) references: Vec<Qualified>,
    /// Predict for the examples of ONNX models too, and compare
    #[arg(long)]
    predict: bool,
    /// Repair damaged or missing blobs from another larder
    #[arg(long, value_name = "URL", value_parser = qualified::parser::<StoreUrl>(), add = complete::urls())]
    repair_from: Option<StoreUrl>,
}

/// The JSON output.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    checked: &'a VerifyReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    repair: Option<&'a RepairReport>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let source = args.repair_from.as_ref().map(|url| open_other(url, larder)).transpose()?;
    let checked =
        larder.maintenance().verify(qualified::selection(&qualified::plain(&args.references)))?;
    let repair = match &source {
        Some(source) if !checked.findings.is_empty() => {
            Some(larder.maintenance().repair(&checked, &**source)?)
        }
        _ => None,
    };
    let left = repair.as_ref().map_or(&checked.findings, |repair| &repair.not_found);
    let printed = print(&checked, repair.as_ref(), output);
    match left.len() as u64 {
        0 if args.predict => {
            printed.map_err(Into::into).and_then(|()| examples::check(args, larder, output))
        }
        0 => Ok(printed?),
        // Damage takes precedence over a closed stdout.
        faults => {
            let (faults, url) = (text::count(faults, "fault"), larder.store().url());
            Err(CommandError::new(Exit::Corrupt, format!("found {faults} in {url}")).with_hint(
                match source {
                    None => "repair from another larder with `larder verify --repair-from URL`",
                    Some(_) => "restore the rest from another copy",
                },
            ))
        }
    }
}

fn print(
    checked: &VerifyReport,
    repair: Option<&RepairReport>,
    output: &mut Output,
) -> io::Result<()> {
    if output.is_json() {
        return output.document(Document { checked, repair });
    }
    if output.is_quiet() {
        let of_version = |finding: &&Finding| finding.digest.is_some();
        let mut faulty: Vec<_> =
            checked.findings.iter().filter(of_version).map(|it| &it.what).collect();
        faulty.dedup();
        return faulty.into_iter().try_for_each(|what| output.line(what));
    }
    if !checked.findings.is_empty() {
        output.table(
            ["WHAT", "BLOB", "FAULT"],
            checked.findings.iter().map(|finding| {
                let blob = finding.digest.map_or_else(|| "-".into(), |digest| digest.short());
                [finding.what.clone(), blob, finding.fault.clone()]
            }),
        )?;
    }
    let sound = if checked.findings.is_empty() { ": no damage" } else { "" };
    output.say(format!(
        "verified {}, {}, {}{sound}",
        text::count(checked.versions, "version"),
        text::count(checked.blobs, "blob"),
        text::size(checked.bytes)
    ));
    if let Some(orphans) = checked.orphans.filter(|orphans| orphans.count > 0) {
        output.say(format!(
            "{} ({}) not in use; `larder gc` collects them",
            text::count(orphans.count, "blob"),
            text::size(orphans.bytes)
        ));
    }
    if let Some(repair) = repair {
        let lists = [("repaired", &repair.repaired), ("not found:", &repair.not_found)];
        for (done, findings) in lists {
            for Finding { what, digest, .. } in findings {
                let blob =
                    digest.map_or_else(String::new, |digest| format!(" ({})", digest.short()));
                output.line(&format!("{done} {what}{blob}"))?;
            }
        }
    }
    Ok(())
}
