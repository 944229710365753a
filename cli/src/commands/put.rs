//! `put`: storing files, folders and models.

use larder::maintenance::LarderMaintenance;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use larder::extend::{PlannedJob, temp_folder};
use larder::features;
use larder::jobs::Event;
use larder::maintenance::diff::{Diff, Plan};
use larder::store::{ItemKind, TagName, TreePath, TypeTag, VersionNumber};
use larder::{Applied, Component, Error, Identifier, Larder, VersionInfo};
use larder_models::ModelKind;
use serde::Serialize;
use tempfile::TempDir;

use super::job_args::{self, JobArgs};
use super::onnx_args::OnnxArgs;
use super::{diff, note};
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Stores a file or a folder as a new version; creates the larder if there is none
///
/// ONNX models, WebAssembly modules and scripts are recognised by their content, checked, and stored as models for
/// `larder predict`. Nothing is executed. What its extension or the newest version of the name says is a model, and is
/// none, is refused unless `--as file` is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name
    #[arg(add = complete::names())]
    name: Qualified<Identifier>,
    /// The file or folder, without links, devices and pipes; `-` is stdin, with --name-as
    #[arg(value_name = "FILE|DIR", value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,
    /// The file name of what is read from stdin, such as `model.onnx`
    #[arg(long, value_name = "FILE")]
    name_as: Option<String>,
    /// Tag the version; may be repeated
    #[arg(long = "tag", value_name = "TAG", add = complete::tags())]
    tags: Vec<TagName>,
    #[command(flatten)]
    notes: note::NoteArgs,
    /// The kind of the file; by default recognised by its content
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<As>,
    #[command(flatten)]
    onnx: OnnxArgs,
    /// Print the differences from the newest version, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    jobs: JobArgs,
}

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum As {
    /// An ONNX model
    Onnx,
    /// A WebAssembly model
    Wasm,
    /// A model as a Rhai script
    Script,
    /// A plain file or folder
    File,
}

impl As {
    fn kind(self) -> ModelKind {
        match self {
            Self::Onnx => ModelKind::Onnx,
            Self::Wasm => ModelKind::Wasm,
            Self::Script => ModelKind::Script,
            Self::File => ModelKind::File,
        }
    }
}

const AS_FILE: &str = "use `--as file` to store it as a plain file";

#[derive(Serialize)]
struct Put<'a> {
    outcome: Outcome,
    tags: Vec<Tagged<'a>>,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

/// A tag that names the version.
#[derive(Serialize)]
struct Tagged<'a> {
    tag: &'a TagName,
    version: VersionNumber,
}

impl Args {
    fn tagged(&self, version: VersionNumber) -> Vec<Tagged<'_>> {
        self.tags.iter().map(|tag| Tagged { tag, version }).collect()
    }
}

pub(crate) fn run(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    // Checks everything before the larder is created.
    let notes = args.notes.change();
    notes.check()?;
    let input = Input::new(args, output)?;
    let component = input.read(args)?;
    let larder = larder()?;
    input.check_successor(args, &*component, &larder)?;
    let larder = args.jobs.on(&Event::Apply, &larder, output)?;
    let applied = larder.apply(&args.name, &*component)?;
    let version = applied.version();
    if !notes.is_empty() {
        larder.annotate(version.reference(), &notes)?;
    }
    for tag in &args.tags {
        larder.tag(version.reference(), tag)?;
    }
    let jobs = args.jobs.wait(&larder, &applied);
    print(args, &applied, output)?;
    job_args::report(jobs?, output);
    Ok(())
}

fn print(args: &Args, applied: &Applied, output: &mut Output) -> Result<(), CommandError> {
    let version = applied.version();
    if output.is_json() {
        let (outcome, tags) = (outcome(applied.is_created()), args.tagged(version.version));
        return Ok(output.document(Put { outcome, tags, version })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    let verb = match applied {
        Applied::Created(_) => "put",
        Applied::Unchanged(_) => "unchanged:",
    };
    let (reference, digest) = (version.reference(), version.digest.short());
    let kind = kind_of(&version.type_tag);
    output.line(&format!("{verb} {reference} ({digest}, {}{kind})", text::size(version.size)))?;
    for tag in &args.tags {
        output.line(&format!("{}:{tag} is {reference}", args.name))?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Planned<'a> {
    dry_run: bool,
    outcome: Outcome,
    tags: Vec<Tagged<'a>>,
    stored: u64,
    jobs: &'a [PlannedJob],
    #[serde(flatten)]
    diff: &'a Diff,
}

fn outcome(is_created: bool) -> Outcome {
    if is_created { Outcome::Created } else { Outcome::Unchanged }
}

/// Prints what `run` would store.
pub(crate) fn plan(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    args.notes.change().check()?;
    let input = Input::new(args, output)?;
    let component = input.read(args)?;
    let larder = larder()?;
    input.check_successor(args, &*component, &larder)?;
    let plan = larder.plan(&args.name, &*component)?;
    let new = &plan.diff.new;
    let reference = new.reference();
    if output.is_json() {
        let Plan { created, stored, diff, jobs, .. } = &plan;
        let (outcome, tags) = (outcome(*created), args.tagged(new.version));
        let dry_run = true;
        return Ok(output.document(Planned {
            dry_run,
            outcome,
            tags,
            stored: *stored,
            jobs,
            diff,
        })?);
    }
    if output.is_quiet() {
        return Ok(output.line(&reference.to_string())?);
    }
    let verb = if plan.created { "would put" } else { "unchanged:" };
    let (digest, size) = (new.digest.short(), text::size(new.size));
    let (kind, stored) = (kind_of(&new.type_tag), text::size(plan.stored));
    output.line(&format!("{verb} {reference} ({digest}, {size}{kind}), {stored} new"))?;
    if plan.created {
        diff::print(&plan.diff, output)?;
    }
    for job in &plan.jobs {
        let of =
            if job.name == new.identifier { String::new() } else { format!(" of {}", job.name) };
        output.line(&match &job.skipped {
            Some(why) => format!("would skip the job {}{of}: {why}", job.trigger),
            None => format!("would create the job {}{of}", job.trigger),
        })?;
    }
    for tag in &args.tags {
        output.line(&format!("{}:{tag} would be {reference}", args.name))?;
    }
    Ok(())
}

/// The kind of a version, unless it is a plain file.
fn kind_of(type_tag: &TypeTag) -> String {
    match type_tag.as_str().strip_prefix("larder/") {
        Some("files") | None => String::new(),
        Some(kind) => format!(", {kind}"),
    }
}

/// The input of `put`: a path, or standard input as a file in a temporary folder.
struct Input {
    path: PathBuf,
    /// Deleted when dropped.
    folder: Option<TempDir>,
}

impl Input {
    fn new(args: &Args, output: &mut Output) -> Result<Self, CommandError> {
        let usage = |message, hint| Err(CommandError::new(Exit::Usage, message).with_hint(hint));
        match (&args.name_as, args.path == Path::new("-")) {
            (None, false) => Ok(Self { path: args.path.clone(), folder: None }),
            (Some(name), true) => Self::stdin(name, output),
            (None, true) => usage(
                "cannot put stdin: it has no file name",
                "give one with `--name-as FILE`, such as `--name-as model.onnx`",
            ),
            (Some(_), false) => usage(
                "cannot use `--name-as` with a file: it names what is read from stdin",
                "write `-` in the place of the file, or rename the file",
            ),
        }
    }

    fn stdin(name: &str, output: &mut Output) -> Result<Self, CommandError> {
        let path = TreePath::new(name)?;
        if path.as_str().contains('/') {
            let error = Error::invalid("file name", name, "it is a path; write a name alone");
            return Err(error.into());
        }
        if io::stdin().is_terminal() {
            output.say("reading the content from the terminal; end it with Ctrl-D");
        }
        let failed = |error| CommandError::reading("stdin", &error);
        let folder = temp_folder(&std::env::temp_dir()).map_err(failed)?;
        let path = folder.path().join(path.as_str());
        let mut file = File::create_new(&path).map_err(failed)?;
        io::copy(&mut io::stdin().lock(), &mut file).map_err(failed)?;
        Ok(Self { path, folder: Some(folder) })
    }

    fn read(&self, args: &Args) -> Result<Box<dyn Component>, CommandError> {
        let kind = args.kind.map(As::kind);
        let read = match args.onnx.open(&self.path, kind)? {
            Some(opened) => opened,
            None => larder_models::read_model(&self.path, kind),
        };
        read.map_err(|error| self.error(args, error))
    }

    /// Refuses a plain file where the newest version is a model, unless `--as file` says that it is meant.
    fn check_successor(
        &self,
        args: &Args,
        component: &dyn Component,
        larder: &Larder,
    ) -> Result<(), CommandError> {
        if args.kind.is_some() {
            return Ok(());
        }
        let checked = larder_models::check_successor(larder, &args.name, &self.path, component);
        checked.map_err(|error| self.error(args, error))
    }

    fn error(&self, args: &Args, error: Error) -> CommandError {
        let advised = args.kind.is_none();
        let error = match error {
            Error::NotLinked { kind: ItemKind::Type, name, .. } => {
                let feature = features::feature_of(ItemKind::Type, &name).unwrap_or("full");
                let action = format!("put {} as a model", self.path.display());
                let error = CommandError::without_feature(action, feature);
                if advised { error.with_hint_too(AS_FILE) } else { error }
            }
            error @ Error::Refused { .. } if advised => {
                CommandError::from(error).with_hint(AS_FILE)
            }
            error => error.into(),
        };
        // The temporary folder is not the user's.
        match &self.folder {
            Some(folder) => {
                let folder = format!("{}/", folder.path().display());
                error.map_messages(|message| message.replace(&folder, ""))
            }
            None => error,
        }
    }
}
