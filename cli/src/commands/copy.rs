//! `copy`: versions go to another larder.

use std::io;

use larder::{
    CopyReport, CopiedTag, CopiedVersion, CopyOptions, CopyOutcome, Larder, QualifiedReference, Reference,
    Registry, StoreUrl,
};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::open::{open, target};
use crate::output::Output;
use crate::qualified::{self, Qualified};
use crate::text;

/// Copies versions, with their tags, to another larder: only what it lacks, every byte checked
#[derive(clap::Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct Args {
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(
        value_name = "REF",
        required_unless_present = "all",
        conflicts_with = "all",
        add = complete::references()
    )]
    references: Vec<Qualified>,
    /// Where they go: `sqlite:PATH`, `fs:FOLDER`; made if nothing is there
    #[arg(value_name = "URL", required = true)]
    url: String,
    /// Copy the whole larder
    #[arg(long)]
    all: bool,
    /// Copy every version of the names, not only those that are meant
    #[arg(long)]
    all_versions: bool,
    #[command(flatten)]
    how: How,
}

/// Copies versions, with their tags, from another larder to this one: the counterpart of `push`
#[derive(clap::Args)]
pub(crate) struct PullArgs {
    /// The versions there: `URL#name`, `URL#name:tag`, `URL#name@7` or `URL#name@b3:1f2e`
    #[arg(value_name = "URL#REF", required = true, add = complete::references(), value_parser = qualified::parser::<QualifiedReference>())]
    located: Vec<QualifiedReference>,
    /// Copy every version of the names, not only those that are meant
    #[arg(long)]
    all_versions: bool,
    #[command(flatten)]
    how: How,
}

/// What `copy`, `pull` and `import` have in common.
#[derive(clap::Args)]
pub(crate) struct How {
    /// Write nothing and print what would be
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Let tags there name other versions than they do, where they do here
    #[arg(long)]
    overwrite: bool,
}

impl How {
    pub(crate) fn options(&self, all_versions: bool) -> CopyOptions {
        CopyOptions { all_versions, overwrite: self.overwrite, dry_run: self.dry_run }
    }
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let references = qualified::plain(&args.references);
    copy(larder, &references, &args.url.parse()?, args.all_versions, &args.how, output)
}

pub(crate) fn pull(
    args: &PullArgs,
    to: &StoreUrl,
    registry: Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let from = qualified::one(args.located.iter().map(|located| located.store().clone()))?;
    let references: Vec<_> = args.located.iter().map(|at| at.reference().clone()).collect();
    let larder = open(&from, registry)?;
    copy(&larder, &references, to, args.all_versions, &args.how, output)
}

fn copy(
    larder: &Larder,
    references: &[Reference],
    to: &StoreUrl,
    all_versions: bool,
    how: &How,
    output: &mut Output,
) -> Result<(), CommandError> {
    // No larder is made for what is not there.
    for reference in references {
        larder.show(reference)?;
    }
    let target = target(to, larder.registry(), how.dry_run)?;
    print(&larder.copy_to(references, &target, &how.options(all_versions))?, how, output)
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    copied: &'a CopyReport,
}

pub(crate) fn print(copied: &CopyReport, how: &How, output: &mut Output) -> Result<(), CommandError> {
    let dry_run = how.dry_run;
    if output.is_json() {
        return Ok(output.document(Document { dry_run, copied })?);
    }
    if output.is_quiet() {
        let new = copied.versions.iter().filter(|it| it.outcome != CopyOutcome::Present);
        let mut there = new.map(|it| format!("{}@{}", it.version.identifier, it.to.get()));
        return Ok(there.try_for_each(|reference| output.line(&reference))?);
    }
    let done = if dry_run { "would copy" } else { "copied" };
    print_lines(copied, done, output)?;
    let is_new = |it: &&CopiedVersion| it.outcome != CopyOutcome::Present;
    let new = copied.versions.iter().filter(is_new).count() as u64;
    let (versions, blobs) = (text::count(new, "version"), text::count(copied.blobs, "blob"));
    output.say(format!("{done} {versions}, {blobs}, {}", text::size(copied.bytes)));
    Ok(())
}

pub(crate) fn print_lines(copied: &CopyReport, done: &str, output: &mut Output) -> io::Result<()> {
    for CopiedVersion { version, to, outcome, .. } in &copied.versions {
        let from = Larder::pin(version);
        let renamed = match *to == version.version {
            true => String::new(),
            false => format!(" as {}@{}", version.identifier, to.get()),
        };
        let (digest, size) = (version.digest.short(), text::size(version.size));
        output.line(&match outcome {
            CopyOutcome::Present => format!("present: {from}{renamed}"),
            _ => format!("{done} {from}{renamed} ({digest}, {size})"),
        })?;
    }
    for CopiedTag { name, tag, version, moved_from, .. } in
        copied.tags.iter().filter(|tag| !tag.present)
    {
        let before = moved_from.map(|from| format!(" instead of {name}@{}", from.get()));
        let before = before.unwrap_or_default();
        output
            .line(&format!("{done} {name}:{tag}, which names {name}@{}{before}", version.get()))?;
    }
    Ok(())
}
