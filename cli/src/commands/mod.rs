//! The commands, a file each.

pub(crate) mod completions;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod predict;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod serializers;
pub(crate) mod show;
pub(crate) mod tag;
pub(crate) mod types;
pub(crate) mod verify;
pub(crate) mod versions;
mod welcome;

use std::fs;
use std::io;
use std::path::Path;

use larder::{Larder, Registry, StoreUrl};

use crate::args::{Cli, Command, Global};
use crate::command_error::CommandError;
use crate::output::Output;

/// Runs a command, giving it what it needs and no more.
pub(crate) fn run(
    Cli { global, command }: Cli,
    program: &str,
    registry: impl FnOnce() -> larder::Result<Registry>,
) -> Result<(), CommandError> {
    let mut output = Output::new(global.format);
    let result = dispatch(&global, command, program, registry, &mut output);
    // What was printed before a failure is to be read before the failure is.
    let flushed = output.flush().map_err(CommandError::from);
    result.and(flushed)
}

fn dispatch(
    global: &Global,
    command: Option<Command>,
    program: &str,
    registry: impl FnOnce() -> larder::Result<Registry>,
    output: &mut Output,
) -> Result<(), CommandError> {
    let larder = |registry| open(global, registry);
    match command {
        None => Ok(welcome::run(program, output)?),
        Some(Command::List(_)) => list::run(&larder(registry()?)?, output),
        Some(Command::Show(args)) => show::run(&args, &larder(registry()?)?, output),
        Some(Command::Versions(args)) => versions::run(&args, &larder(registry()?)?, output),
        Some(Command::Predict(args)) => predict::run(&args, &larder(registry()?)?, output),
        Some(Command::Put(args)) => put::run(&args, || make(global, registry()?), output),
        Some(Command::Get(args)) => get::run(&args, &larder(registry()?)?, output),
        Some(Command::Verify(args)) => verify::run(&args, &larder(registry()?)?, output),
        Some(Command::Remove(args)) => remove::run(&args, &larder(registry()?)?, output),
        Some(Command::Tag(args)) => tag::run(&args, &larder(registry()?)?, output),
        Some(Command::Untag(args)) => tag::untag(&args, &larder(registry()?)?, output),
        Some(Command::Types(_)) => types::run(&registry()?, output),
        Some(Command::Serializers(_)) => {
            serializers::run(&open_if_there(global, registry()?)?, output)
        }
        Some(Command::Completions(args)) => completions::run(&args, program, output),
    }
}

/// Opens the larder, and makes it if there is none.
fn make(global: &Global, registry: Registry) -> Result<Larder, CommandError> {
    Ok(larder::with_user_cache(registry.open(&global.store)?))
}

/// Opens the larder, if there is one: no command but `put` makes a larder where none is.
fn open(global: &Global, registry: Registry) -> Result<Larder, CommandError> {
    match open_if_there(global, registry)? {
        Opened::Larder(larder) => Ok(larder),
        Opened::Nothing { url, .. } => Err(CommandError::no_larder(&url)),
    }
}

/// What is at the store's URL.
pub(crate) enum Opened {
    Larder(Larder),
    Nothing { url: StoreUrl, registry: Registry },
}

impl Opened {
    pub(crate) fn registry(&self) -> &Registry {
        match self {
            Self::Larder(larder) => larder.registry(),
            Self::Nothing { registry, .. } => registry,
        }
    }
}

fn open_if_there(global: &Global, registry: Registry) -> Result<Opened, CommandError> {
    let url: StoreUrl = global.store.parse()?;
    if matches!(url.scheme(), "sqlite" | "fs") && is_nothing(url.path()?) {
        return Ok(Opened::Nothing { url, registry });
    }
    let store = registry.open_store(&url)?;
    Ok(Opened::Larder(larder::with_user_cache(Larder::new(store, registry))))
}

/// Whether nothing is there, or a file or folder that is empty. Any other trouble is the store's to tell.
fn is_nothing(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut all| all.next().is_none()),
        Ok(found) => found.len() == 0,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
