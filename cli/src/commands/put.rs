//! `put`: storing files, folders and models.

use larder::maintenance::LarderMaintenance;
use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use larder::files::Tree;
use larder::jobs::Event;
use larder::maintenance::diff::Plan;
use larder::store::{TagName, TypeTag};
use larder::{Applied, Component, Error, Identifier, Larder, VersionInfo};
use larder_models::ModelKind;
use serde::Serialize;

use super::job_args::{self, JobArgs};
use super::{diff, note};
use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Stores a file or a folder as a new version; creates the larder if there is none
///
/// ONNX models, WebAssembly modules and scripts are recognised by their content, checked, and stored as models for
/// `larder predict`. Nothing is executed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name
    name: Qualified<Identifier>,
    /// The file or folder; without links, devices and pipes
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Tag the version
    #[arg(long)]
    tag: Option<TagName>,
    #[command(flatten)]
    notes: note::NoteArgs,
    /// The kind of the file; by default recognised by its content
    #[arg(long = "as", value_enum, value_name = "KIND")]
    kind: Option<As>,
    /// The engine of an ONNX model; by default the first that can run it
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// An input and its output, in JSON files: checked, and kept with an ONNX model; may be repeated
    #[arg(long = "example", value_name = "INPUT=OUTPUT")]
    examples: Vec<String>,
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

/// An engine of ONNX models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// tract, which is built in
    Tract,
    /// ONNX Runtime, from its shared library
    Onnxruntime,
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
    // Checks everything before the larder is created.
    let notes = args.notes.change();
    notes.check()?;
    let component = read(args, output)?;
    let larder = args.jobs.on(&Event::Apply, &larder()?)?;
    let applied = larder.apply(&args.name, &*component)?;
    let version = applied.version();
    if !notes.is_empty() {
        larder.annotate(version.reference(), &notes)?;
    }
    if let Some(tag) = &args.tag {
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
    let (reference, digest) = (version.reference(), version.digest.short());
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

/// Prints what `run` would store.
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
    if let Some(tag) = &args.tag {
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

fn read(args: &Args, output: &mut Output) -> Result<Box<dyn Component>, CommandError> {
    let path = &args.path;
    let kind = match args.kind {
        Some(kind) => kind,
        None => recognise(path, output)?,
    };
    let advise = |error: Error| {
        let advice = matches!(error, Error::Refused { .. }) && args.kind.is_none();
        let error = CommandError::from(error);
        if advice { error.with_hint("use `--as file` to store it as a plain file") } else { error }
    };
    let needs = |feature| {
        let action = format!("put {} as a model", path.display());
        let error = CommandError::without_feature(action, feature);
        if args.kind.is_none() {
            error.with_hint_too("use `--as file` to store it as a plain file")
        } else {
            error
        }
    };
    if kind != As::Onnx && (args.engine.is_some() || !args.examples.is_empty()) {
        let message = format!(
            "cannot put {}: `--engine` and `--example` are for ONNX models",
            path.display()
        );
        return Err(CommandError::new(Exit::Usage, message));
    }
    match kind {
        As::File => Ok(Box::new(Tree::read(path)?)),
        As::Onnx => onnx(args)?.ok_or_else(|| needs("onnx"))?.map_err(advise),
        As::Script => script(path).ok_or_else(|| needs("script"))?.map_err(advise),
        As::Wasm => wasm(path).ok_or_else(|| needs("wasm"))?.map_err(advise),
    }
}

type Opened = Option<larder::Result<Box<dyn Component>>>;

/// Defines a function that opens a model, or returns `None` without its feature.
macro_rules! model {
    ($name:ident, $feature:literal, $model:ident) => {
        #[cfg(feature = $feature)]
        fn $name(path: &Path) -> Opened {
            Some(larder_models::$model::open(path).map(|model| Box::new(model) as _))
        }
        #[cfg(not(feature = $feature))]
        fn $name(_: &Path) -> Opened {
            None
        }
    };
}

/// Opens an ONNX model with its examples.
#[cfg(feature = "onnx")]
fn onnx(args: &Args) -> Result<Opened, CommandError> {
    use larder_models::onnx::{Engine as Named, OpenOptions};

    let mut options = OpenOptions::new();
    match args.engine {
        Some(Engine::Tract) => options = options.engine(Named::Tract),
        Some(Engine::Onnxruntime) => options = options.engine(Named::OnnxRuntime),
        None => (),
    }
    for example in &args.examples {
        let Some((input, output)) = example.split_once('=') else {
            let message = format!(
                "cannot use the example `{example}`: it must be INPUT=OUTPUT, two JSON files"
            );
            return Err(CommandError::new(Exit::Usage, message));
        };
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| CommandError::reading(path, &error))
        };
        options = options.example(read(input)?, read(output)?);
    }
    let model = larder_models::OnnxModel::open_with(&args.path, &options);
    Ok(Some(model.map(|model| Box::new(model) as _)))
}

#[cfg(not(feature = "onnx"))]
fn onnx(_: &Args) -> Result<Opened, CommandError> {
    Ok(None)
}

model!(script, "script", Script);
model!(wasm, "wasm", WasmModel);

fn recognise(path: &Path, output: &mut Output) -> Result<As, CommandError> {
    // Links are not followed; `Tree::read` refuses them.
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
                "storing {} as a plain file: its content does not match its name; `--as {kind}` shows why",
                path.display()
            ));
            As::File
        }
    })
}
