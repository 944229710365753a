//! `gc`: garbage collection.

use larder::maintenance::LarderMaintenance;
use std::io;
use std::time::Duration;

use larder::Larder;
use larder::maintenance::{Garbage, GcOptions, GcReport};
use larder::store::BlobCount;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Removes blobs that no version uses
///
/// One run marks a blob as garbage, and a run after the grace period removes it. Others may write at the same time.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// Grace period: removed versions can be restored and garbage is kept; longer than any commit
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = text::parse_duration)]
    grace: Duration,
    /// Lock the larder while collecting, so that a grace period below one second is safe: writers wait
    #[arg(long)]
    exclusive: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    collected: &'a GcReport,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    if args.grace < GcOptions::MIN_GRACE && !args.exclusive {
        let grace = humantime::format_duration(args.grace);
        return Err(CommandError::new(
            Exit::Usage,
            format!(
                "cannot collect garbage with a grace period of {grace}: a version that is being written would lose its bytes"
            ),
        )
        .with_hint(
            "use `--grace 1s` or more; while nobody writes, `--exclusive` locks the larder and allows less",
        ));
    }
    let options =
        GcOptions::new().grace(args.grace).exclusive(args.exclusive).dry_run(args.dry_run);
    let collected = larder.maintenance().gc(&options)?;
    if output.is_json() {
        output.document(Document { dry_run: args.dry_run, collected: &collected })?;
    } else if !output.is_quiet() {
        // Garbage has no references to print.
        print(args, &collected, output)?;
    }
    Ok(())
}

fn print(args: &Args, collected: &GcReport, output: &mut Output) -> io::Result<()> {
    let row = |done: &str, garbage: &Garbage| {
        [done.to_owned(), garbage.digest.to_string(), text::size(garbage.size)]
    };
    let (removed, found) =
        if args.dry_run { ("would remove", "would mark") } else { ("removed", "marked") };
    let swept = collected.deleted.iter().map(|garbage| row(removed, garbage));
    let fresh = collected.marked.iter().map(|garbage| row(found, garbage));
    let rows: Vec<_> = swept.chain(fresh).collect();
    if !rows.is_empty() {
        output.columns(rows)?;
    }
    let amount = |amount: BlobCount, thing: &str| {
        format!("{} ({})", text::count(amount.count, thing), text::size(amount.bytes))
    };
    let garbage = |garbage: &[Garbage]| amount(Garbage::total(garbage), "blob");
    output.say(format!(
        "{removed} {}, {found} {} as garbage",
        garbage(&collected.deleted),
        garbage(&collected.marked),
    ));
    output.say(format!(
        "kept {}, and {} within the grace period",
        amount(collected.kept, "blob"),
        garbage(&collected.pending),
    ));
    let others = [(&collected.unmarked, "in use again"), (&collected.missing, "already gone")];
    for (digests, what) in others.into_iter().filter(|(digests, _)| !digests.is_empty()) {
        output
            .say(format!("formerly marked, {what}: {}", text::count(digests.len() as u64, "blob")));
    }
    if collected.unfinished.count > 0 {
        let files = amount(collected.unfinished, "file");
        output.say(format!("removed {files} of interrupted writes"));
    }
    Ok(())
}
