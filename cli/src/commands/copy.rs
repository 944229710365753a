//! `copy` and `pull`: copying versions between larders.

use larder::maintenance::LarderMaintenance;
use std::io;

use larder::features::feature_of;
use larder::maintenance::{CopiedTag, CopiedVersion, CopyOptions, CopyOutcome, CopyReport};
use larder::store::ItemKind;
use larder::{Larder, QualifiedReference, Reference, Registry, StoreUrl};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::open::{open, target};
use crate::output::Output;
use crate::qualified::{self, Qualified};
use crate::text;

/// Copies versions and their tags to another larder
#[derive(clap::Args)]
#[command(allow_missing_positional = true)]
pub(crate) struct Args {
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(
        value_name = "REF",
        conflicts_with = "all",
        add = complete::references()
    )]
    references: Vec<Qualified>,
    /// The target: `sqlite:PATH`, `fs:FOLDER`; created if there is none
    #[arg(value_name = "URL", required = true, add = complete::urls())]
    url: String,
    /// Copy the whole larder
    #[arg(long)]
    all: bool,
    /// Copy all versions of the names
    #[arg(long)]
    all_versions: bool,
    #[command(flatten)]
    options: CopyArgs,
}

/// Copies versions and their tags from another larder to this one
#[derive(clap::Args)]
pub(crate) struct PullArgs {
    /// The versions: `URL#name`, `URL#name:tag`, `URL#name@7` or `URL#name@b3:1f2e`
    #[arg(value_name = "URL#REF", required = true, add = complete::references(), value_parser = qualified::parser::<QualifiedReference>())]
    references: Vec<QualifiedReference>,
    /// Copy all versions of the names
    #[arg(long)]
    all_versions: bool,
    #[command(flatten)]
    options: CopyArgs,
}

/// Options of `copy`, `pull` and `import`.
#[derive(clap::Args)]
pub(crate) struct CopyArgs {
    /// Print what would be copied, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Move tags of the target that name other versions
    #[arg(long)]
    overwrite: bool,
}

impl CopyArgs {
    pub(crate) fn options(&self, all_versions: bool) -> CopyOptions {
        CopyOptions::new()
            .all_versions(all_versions)
            .overwrite(self.overwrite)
            .dry_run(self.dry_run)
    }
}

/// Refuses a single argument, which may be what to copy or where to.
pub(crate) fn check(args: &Args) -> Result<(), CommandError> {
    if !args.references.is_empty() || args.all {
        return Ok(());
    }
    let given = &args.url;
    let scheme = given.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_url = scheme == "memory" || feature_of(ItemKind::Store, scheme).is_some();
    let is_reference = !is_url && given.parse::<Reference>().is_ok();
    let (missing, hint) = match is_reference {
        true => ("the target", format!("write `larder copy {given} URL`")),
        // A URL may hold a secret.
        false => ("what to copy", "write `larder copy REF URL`, or `larder copy --all URL`".into()),
    };
    let message = format!("cannot copy: {missing} is missing");
    Err(CommandError::new(Exit::Usage, message).with_hint(hint))
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let references = qualified::plain(&args.references);
    copy(larder, &references, &args.url.parse()?, args.all_versions, &args.options, output)
}

pub(crate) fn pull(
    args: &PullArgs,
    to: &StoreUrl,
    registry: Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let from = qualified::one(args.references.iter().map(|reference| reference.store().clone()))?;
    let references: Vec<_> = args.references.iter().map(|at| at.reference().clone()).collect();
    let larder = open(&from, registry)?;
    copy(&larder, &references, to, args.all_versions, &args.options, output)
}

fn copy(
    larder: &Larder,
    references: &[Reference],
    to: &StoreUrl,
    all_versions: bool,
    options: &CopyArgs,
    output: &mut Output,
) -> Result<(), CommandError> {
    // Checks the references before the target is created.
    for reference in references {
        larder.show(reference)?;
    }
    let target = target(to, larder.registry(), options.dry_run)?;
    print(
        &larder.maintenance().copy(
            qualified::selection(references),
            &target,
            &options.options(all_versions),
        )?,
        options,
        output,
    )
}

#[derive(Serialize)]
struct Document<'a> {
    dry_run: bool,
    #[serde(flatten)]
    copied: &'a CopyReport,
}

pub(crate) fn print(
    copied: &CopyReport,
    options: &CopyArgs,
    output: &mut Output,
) -> Result<(), CommandError> {
    let dry_run = options.dry_run;
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
        let from = version.reference();
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
