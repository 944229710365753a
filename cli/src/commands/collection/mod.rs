//! `collection`: rows, and models on them.

mod attach;
mod compact;
mod create;
mod delete;
mod delta;
mod export;
mod find;
mod get;
#[cfg(feature = "training")]
mod impute;
mod index;
mod insert;
mod outputs;
pub(crate) mod shown;
mod status;
mod update;
mod watch;

use larder::collections::{CollectionVersion, LarderCollections, UntypedCollection};
use larder::{Identifier, Larder, Reference, Registry, StoreUrl, VersionInfo};

use crate::command_error::{CommandError, Exit};
use crate::global::Format;
use crate::open::{make, open};
use crate::output::Output;
use crate::qualified::Qualified;

/// Creates, fills, searches and changes collections of rows
///
/// Each write is one version of the collection, which `show`, `tag`, `copy` and the other commands treat as any other. A
/// FILTER compares fields with values: `price < 10 and (name like "p*" or not has sold)`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    Create(create::Args),
    Insert(insert::Args),
    #[command(visible_alias = "ls")]
    Find(find::Args),
    Get(get::Args),
    Update(update::Args),
    #[command(visible_alias = "rm")]
    Delete(delete::Args),
    Delta(delta::Args),
    Export(export::Args),
    Attach(attach::Args),
    Detach(attach::DetachArgs),
    Outputs(outputs::Args),
    Index(index::Args),
    Like(index::LikeArgs),
    #[cfg(feature = "training")]
    Impute(impute::Args),
    Watch(watch::Args),
    Unwatch(watch::UnwatchArgs),
    Status(status::Args),
    Compact(compact::Args),
}

pub(crate) fn run(
    args: &Args,
    url: &StoreUrl,
    registry: Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let prints_rows = matches!(args.action, Action::Find(_) | Action::Get(_) | Action::Like(_));
    if output.format().is_of_rows() && !prints_rows {
        let message = "cannot print in this format: only `find`, `get` and `like` print rows";
        return Err(
            CommandError::new(Exit::Usage, message).with_hint("use `--format text` or `json`")
        );
    }
    match &args.action {
        Action::Create(args) => create::run(args, || make(url, registry), output),
        Action::Insert(args) => insert::run(args, || make(url, registry), output),
        Action::Find(args) => find::run(args, &open(url, registry)?, output),
        Action::Get(args) => get::run(args, &open(url, registry)?, output),
        Action::Update(args) => update::run(args, &open(url, registry)?, output),
        Action::Delete(args) => delete::run(args, &open(url, registry)?, output),
        Action::Delta(args) => delta::run(args, &open(url, registry)?, output),
        Action::Export(args) => export::run(args, &open(url, registry)?, output),
        Action::Attach(args) => attach::run(args, &open(url, registry)?, output),
        Action::Detach(args) => attach::detach(args, &open(url, registry)?, output),
        Action::Outputs(args) => outputs::run(args, &open(url, registry)?, output),
        Action::Index(args) => index::run(args, &open(url, registry)?, output),
        Action::Like(args) => index::like(args, &open(url, registry)?, output),
        #[cfg(feature = "training")]
        Action::Impute(args) => impute::run(args, &open(url, registry)?, output),
        Action::Watch(args) => watch::run(args, &open(url, registry)?, output),
        Action::Unwatch(args) => watch::unwatch(args, &open(url, registry)?, output),
        Action::Status(args) => status::run(args, &open(url, registry)?, output),
        Action::Compact(args) => compact::run(args, &open(url, registry)?, output),
    }
}

/// Returns the handle of a collection.
fn collection(
    larder: &Larder,
    name: &Qualified<Identifier>,
) -> Result<UntypedCollection, CommandError> {
    Ok(larder.untyped_collection(Identifier::from(name))?)
}

/// Returns the handle of a collection, and the version that a reference names.
fn version(
    larder: &Larder,
    reference: &Qualified,
) -> Result<(UntypedCollection, CollectionVersion), CommandError> {
    let reference = Reference::from(reference);
    let collection = larder.untyped_collection(reference.identifier().clone())?;
    let version = collection.select(reference.selector().clone())?;
    Ok((collection, version))
}

/// Prints what a write did.
fn written(
    output: &mut Output,
    version: &VersionInfo,
    text: &str,
    document: impl serde::Serialize,
) -> Result<(), CommandError> {
    #[derive(serde::Serialize)]
    struct Document<'a, T> {
        #[serde(flatten)]
        done: T,
        #[serde(flatten)]
        version: &'a VersionInfo,
    }
    if output.is_json() {
        return Ok(output.document(Document { done: document, version })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version])?);
    }
    Ok(output.line(text)?)
}

/// The format of a file of rows, by name; by default, its extension says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// Comma-separated values, with a heading
    Csv,
    /// One JSON object on each line
    Jsonl,
    /// Parquet
    Parquet,
    /// An Arrow IPC file or stream
    Arrow,
}

impl From<As> for larder::collections::formats::FileFormat {
    fn from(format: As) -> Self {
        match format {
            As::Csv => Self::Csv,
            As::Jsonl => Self::JsonLines,
            As::Parquet => Self::Parquet,
            As::Arrow => Self::Arrow,
        }
    }
}

/// The format of rows on stdout, if it is one of files.
fn file_format(format: Format) -> Option<larder::collections::formats::FileFormat> {
    use larder::collections::formats::FileFormat;
    match format {
        Format::Text | Format::Json => None,
        Format::Jsonl => Some(FileFormat::JsonLines),
        Format::Csv => Some(FileFormat::Csv),
        Format::Parquet => Some(FileFormat::Parquet),
        Format::Arrow => Some(FileFormat::Arrow),
    }
}
