//! `mirror`: a larder becomes what another is.

use larder::{CopyOutcome, Larder, MirrorOptions, MirrorReport, Registry};
use serde::Serialize;

use super::copy;
use crate::command_error::CommandError;
use crate::open::{open, target};
use crate::output::Output;
use crate::text;

/// Makes a larder hold all that another holds: versions under their numbers, tags and notes as they are there
///
/// What was interrupted is completed by doing it again. What the second holds besides stays, unless it is to be
/// deleted.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The larder that is mirrored
    #[arg(value_name = "FROM")]
    from: String,
    /// The larder that becomes like it; made if nothing is there
    #[arg(value_name = "TO")]
    to: String,
    /// Remove the versions and tags that the first does not have
    #[arg(long)]
    delete: bool,
    /// Write nothing and print what would be
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
    let options = MirrorOptions { delete: *delete, dry_run: *dry_run };
    let mut mirrored = larder.mirror_to(&target, &options)?;
    if output.is_json() {
        return Ok(output.document(Document { dry_run: *dry_run, mirrored: &mirrored })?);
    }
    // What was there already is what most of it is.
    mirrored.copied.versions.retain(|it| it.outcome != CopyOutcome::Present);
    if output.is_quiet() {
        let mut new =
            mirrored.copied.versions.iter().map(|it| Larder::pin(&it.version).to_string());
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
        output.line(&format!("{restored} {}", Larder::pin(version)))?;
    }
    copy::print_lines(&mirrored.copied, copied, output)?;
    for tag in &mirrored.untagged {
        output.line(&format!("{removed} {}:{}", tag.name, tag.tag))?;
    }
    for version in &mirrored.removed {
        output.line(&format!("{removed} {}", Larder::pin(version)))?;
    }
    let larder::CopyReport { versions, blobs, bytes, .. } = &mirrored.copied;
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
