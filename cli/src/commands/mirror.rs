//! `mirror`: replicas of larders.

use larder::Registry;
use larder::maintenance::LarderMaintenance;
use larder::maintenance::{CopyOutcome, MirrorOptions, MirrorReport};
use serde::Serialize;

use super::copy;
use crate::command_error::CommandError;
use crate::complete;
use crate::open::{open, target};
use crate::output::Output;
use crate::text;

/// Copies a whole larder to another: versions with their numbers, tags and notes
///
/// Run it again to complete an interrupted run. Other content of the target is kept, unless --delete is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The source
    #[arg(value_name = "FROM", add = complete::urls())]
    from: String,
    /// The target; created if there is none
    #[arg(value_name = "TO", add = complete::urls())]
    to: String,
    /// Remove versions and tags that the source does not have
    #[arg(long)]
    delete: bool,
    /// Print what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    mirrored: &'a MirrorReport,
}

pub(crate) fn run(
    Args { from, to, delete, dry_run }: &Args,
    registry: Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let (from, to) = (from.parse()?, to.parse()?);
    let larder = open(&from, registry)?;
    let target = target(&to, larder.registry(), *dry_run)?;
    let options = MirrorOptions::new().delete(*delete).dry_run(*dry_run);
    let mut mirrored = larder.maintenance().mirror(&target, &options)?;
    if output.is_json() {
        return Ok(output.document(Document { dry_run: *dry_run, mirrored: &mirrored })?);
    }
    // Most versions are already present.
    mirrored.copied.versions.retain(|it| it.outcome != CopyOutcome::Present);
    if output.is_quiet() {
        let mut new = mirrored.copied.versions.iter().map(|it| it.version.reference().to_string());
        return Ok(new.try_for_each(|reference| output.line(&reference))?);
    }
    print(&mirrored, *dry_run, output)
}

fn print(mirrored: &MirrorReport, dry_run: bool, output: &mut Output) -> Result<(), CommandError> {
    let [copied, restored, removed] = match dry_run {
        true => ["would copy", "would restore", "would remove"],
        false => ["copied", "restored", "removed"],
    };
    for version in &mirrored.restored {
        output.line(&format!("{restored} {}", version.reference()))?;
    }
    copy::print_lines(&mirrored.copied, copied, output)?;
    for tag in &mirrored.untagged {
        output.line(&format!("{removed} {}:{}", tag.name, tag.tag))?;
    }
    for version in &mirrored.removed {
        output.line(&format!("{removed} {}", version.reference()))?;
    }
    let larder::maintenance::CopyReport { versions, blobs, bytes, .. } = &mirrored.copied;
    let [versions, gone] = [versions.len(), mirrored.removed.len()]
        .map(|number| text::count(number as u64, "version"));
    let blobs = text::count(*blobs, "blob");
    let gone = match mirrored.removed.is_empty() {
        true => String::new(),
        false => format!("; {removed} {gone}"),
    };
    output.say(format!("{copied} {versions}, {blobs}, {}{gone}", text::size(*bytes)));
    Ok(())
}
