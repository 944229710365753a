//! `put`: a file or folder becomes a version.

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use larder::models::{ModelKind, OnnxModel, Script, WasmModel};
use larder::{
    Applied, Component, Error, Event, Identifier, Larder, Plan, TagName, Tree, TypeTag, VersionInfo,
};
use serde::Serialize;

use super::job_args::{self, JobArgs};
use super::{diff, note};
use crate::command_error::CommandError;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Keeps a file or a folder as a new version; makes the larder if there is none
///
/// A model in an ONNX file or a script is recognised by its content, checked, and kept as a model that
/// `larder predict` can use. Nothing is run to find out.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name to keep it under
    name: Qualified<Identifier>,
    /// The file or folder; links, devices and pipes in it are refused
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Let this tag name the version
    #[arg(long)]
    tag: Option<TagName>,
    #[command(flatten)]
    notes: note::Set,
    /// What the file is, if not what its content says
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<As>,
    /// Write nothing and print what would be, and how it differs from the newest version
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

/// What a file is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    /// A model in an ONNX file
    Onnx,
    /// A model in WebAssembly
    Wasm,
    /// A model in a script, in Rhai
    Script,
    /// A file or a folder, whatever is in it
    File,
}

#[derive(Serialize)]
struct Put<'a> {
    created: bool,
    tag: Option<&'a TagName>,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

pub(crate) fn run(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    // No larder is made for what cannot be kept.
    let notes = args.notes.change();
    notes.check()?;
    let component = read(args, output)?;
    let larder = args.jobs.on(&Event::Apply, &larder()?)?;
    let applied = larder.apply(&args.name, &*component)?;
    let version = applied.version();
    if !notes.is_empty() {
        larder.annotate(Larder::pin(version), &notes)?;
    }
    if let Some(tag) = &args.tag {
        larder.tag(Larder::pin(version), tag)?;
    }
    let jobs = args.jobs.wait(&larder, &applied);
    print(args, &applied, output)?;
    job_args::tell(jobs?, output);
    Ok(())
}

fn print(args: &Args, applied: &Applied, output: &mut Output) -> Result<(), CommandError> {
    let version = applied.version();
    if output.is_json() {
        let (created, tag) = (applied.is_created(), args.tag.as_ref());
        return Ok(output.document(Put { created, tag, version })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    let verb = match applied {
        Applied::Created(_) => "put",
        Applied::Unchanged(_) => "unchanged:",
    };
    let (reference, digest) = (Larder::pin(version), version.digest.short());
    let kind = kind_of(&version.type_tag);
    output.line(&format!("{verb} {reference} ({digest}, {}{kind})", text::size(version.size)))?;
    if let Some(tag) = &args.tag {
        output.line(&format!("{}:{tag} is {reference}", args.name))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Planned<'a> {
    dry_run: bool,
    tag: Option<&'a TagName>,
    #[serde(flatten)]
    plan: &'a Plan,
}

/// Prints what `run` would do.
pub(crate) fn plan(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    args.notes.change().check()?;
    let component = read(args, output)?;
    let plan = larder()?.plan(&args.name, &*component)?;
    let new = &plan.diff.new;
    let reference = new.reference();
    if output.is_json() {
        let tag = args.tag.as_ref();
        return Ok(output.document(Planned { dry_run: true, tag, plan: &plan })?);
    }
    if output.is_quiet() {
        return Ok(output.line(&reference.to_string())?);
    }
    let verb = if plan.created { "would put" } else { "unchanged:" };
    let (digest, size) = (new.digest.short(), text::size(new.size));
    let (kind, stored) = (kind_of(&new.type_tag), text::size(plan.stored));
    output.line(&format!("{verb} {reference} ({digest}, {size}{kind}), {stored} of it new"))?;
    if plan.created {
        diff::print(&plan.diff, output)?;
    }
    for job in &plan.jobs {
        let of =
            if job.name == new.identifier { String::new() } else { format!(" of {}", job.name) };
        output.line(&match &job.skipped {
            Some(why) => format!("would skip the job {}{of}: {why}", job.trigger),
            None => format!("would make the job {}{of}", job.trigger),
        })?;
    }
    if let Some(tag) = &args.tag {
        output.line(&format!("{}:{tag} would be {reference}", args.name))?;
    }
    Ok(())
}

/// What a version is, if it is no plain file.
fn kind_of(type_tag: &TypeTag) -> String {
    match type_tag.as_str().strip_prefix("larder/") {
        Some("files") | None => String::new(),
        Some(kind) => format!(", {kind}"),
    }
}

fn read(args: &Args, output: &mut Output) -> Result<Box<dyn Component>, CommandError> {
    let path = &args.path;
    let kind = match args.kind {
        Some(kind) => kind,
        None => recognise(path, output)?,
    };
    let advise = |error: Error| {
        let advice = matches!(error, Error::Refused { .. }) && args.kind.is_none();
        let error = CommandError::from(error);
        if advice { error.with_hint("`--as file` keeps it as a plain file") } else { error }
    };
    Ok(match kind {
        As::Onnx => Box::new(OnnxModel::open(path).map_err(advise)?),
        As::Script => Box::new(Script::open(path).map_err(advise)?),
        As::Wasm => Box::new(WasmModel::open(path).map_err(advise)?),
        As::File => Box::new(Tree::read(path)?),
    })
}

fn recognise(path: &Path, output: &mut Output) -> Result<As, CommandError> {
    // What is no plain file is the tree's to take or to refuse; a link is not followed.
    if !fs::symlink_metadata(path).is_ok_and(|meta| meta.is_file()) {
        return Ok(As::File);
    }
    let kind = ModelKind::of_file(path);
    let kind = kind.map_err(|error| CommandError::reading(path.display(), &error))?;
    Ok(match kind {
        ModelKind::Onnx => As::Onnx,
        ModelKind::Wasm => As::Wasm,
        ModelKind::Script => As::Script,
        _ => {
            let extension = path.extension().and_then(|extension| extension.to_str());
            let kind = match extension {
                Some("onnx") => "onnx",
                Some("wasm") => "wasm",
                Some("rhai") => "script",
                _ => return Ok(As::File),
            };
            output.say(format_args!(
                "{} is kept as a plain file: its content is not what its name says; `--as {kind}` tells why",
                path.display()
            ));
            As::File
        }
    })
}
