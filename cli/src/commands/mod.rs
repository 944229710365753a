//! The commands, a file each.

pub(crate) mod cache;
pub(crate) mod completions;
pub(crate) mod copy;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod export;
pub(crate) mod fire;
pub(crate) mod gc;
pub(crate) mod get;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod jobs;
pub(crate) mod list;
pub(crate) mod lock;
mod making;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod mirror;
pub(crate) mod note;
pub(crate) mod predict;
pub(crate) mod put;
pub(crate) mod remove;
pub(crate) mod restore;
pub(crate) mod serializers;
pub(crate) mod show;
pub(crate) mod tag;
mod tree;
pub(crate) mod types;
pub(crate) mod verify;
pub(crate) mod versions;
mod welcome;
pub(crate) mod work;

use std::sync::Arc;

use larder::store::{MemoryStore, Store};
use larder::{Larder, Registry, StoreUrl};

use crate::args::{Cli, Command, Global};
use crate::command_error::CommandError;
use crate::output::Output;
use crate::progress;

/// Runs a command, giving it what it needs and no more.
pub(crate) fn run(
    Cli { global, command }: Cli,
    program: &str,
    registry: impl FnOnce() -> larder::Result<Registry>,
) -> Result<(), CommandError> {
    let mut output = Output::new(&global);
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
    let url = || global.url();
    let larder = |registry| open(&url()?, registry);
    match command {
        None => Ok(welcome::run(program, output)?),
        Some(Command::List(args)) => list::run(&args, &larder(registry()?)?, output),
        Some(Command::Show(args)) => show::run(&args, &larder(registry()?)?, output),
        Some(Command::Versions(args)) => versions::run(&args, &larder(registry()?)?, output),
        Some(Command::Diff(args)) => diff::run(&args, url, registry, output),
        Some(Command::Predict(args)) => predict::run(&args, &larder(registry()?)?, output),
        Some(Command::Put(args)) if args.dry_run => {
            put::plan(&args, || stand_in(&url()?, registry()?), output)
        }
        Some(Command::Put(args)) => put::run(&args, || make(&url()?, registry()?), output),
        Some(Command::Get(args)) => get::run(&args, &larder(registry()?)?, output),
        Some(Command::Copy(args)) => copy::run(&args, &larder(registry()?)?, output),
        Some(Command::Pull(args)) => copy::pull(&args, &url()?, registry()?, output),
        Some(Command::Mirror(args)) => mirror::run(&args, registry()?, output),
        Some(Command::Export(args)) => export::run(&args, &larder(registry()?)?, output),
        Some(Command::Import(args)) => import::run(&args, &url()?, &registry()?, output),
        Some(Command::Verify(args)) => verify::run(&args, &larder(registry()?)?, output),
        Some(Command::Remove(args)) => remove::run(&args, &larder(registry()?)?, output),
        Some(Command::Restore(args)) => restore::run(&args, &larder(registry()?)?, output),
        Some(Command::Gc(args)) => gc::run(&args, &larder(registry()?)?, output),
        Some(Command::Doctor(_)) => doctor::run(&global.store, registry()?, output),
        Some(Command::Tag(args)) => tag::run(&args, &larder(registry()?)?, output),
        Some(Command::Untag(args)) => tag::untag(&args, &larder(registry()?)?, output),
        Some(Command::Migrate(args)) => migrate::run(&args, &larder(registry()?)?, output),
        Some(Command::History(args)) => history::run(&args, &larder(registry()?)?, output),
        Some(Command::Note(args)) => note::run(&args, &larder(registry()?)?, output),
        Some(Command::Lock(args)) => lock::run(&args, &larder(registry()?)?, output),
        Some(Command::Unlock(args)) => lock::unlock(&args, &larder(registry()?)?, output),
        Some(Command::Jobs(args)) => jobs::run(&args, &larder(registry()?)?, output),
        Some(Command::Job(args)) => job::run(&args, &larder(registry()?)?, output),
        Some(Command::Fire(args)) => fire::run(&args, &larder(registry()?)?, output),
        Some(Command::Work(args)) => work::run(&args, &larder(registry()?)?, output),
        Some(Command::Types(_)) => types::run(&registry()?, output),
        Some(Command::Serializers(_)) => {
            serializers::run(&open_if_there(&url()?, registry()?)?, output)
        }
        Some(Command::Cache(args)) => cache::run(&args, output),
        Some(Command::Completions(args)) => completions::run(&args, program, output),
        Some(Command::Man(args)) => man::run(&args, output),
    }
}

/// Opens the larder that something is written to. Where there is none it is made, or, if nothing is to be
/// written, stood in for by an empty one.
fn target(url: &StoreUrl, registry: &Registry, dry_run: bool) -> Result<Larder, CommandError> {
    let store = match dry_run {
        true => registry.find_store(url)?.unwrap_or_else(|| Arc::new(MemoryStore::new())),
        false => registry.open_store(url)?,
    };
    Ok(Larder::new(store, Registry::new()))
}

/// Opens the larder, and makes it if there is none.
fn make(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    ready(registry.open(url)?)
}

/// Opens the larder, or an empty one in its place if there is none.
fn stand_in(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    Ok(match open_if_there(url, registry)? {
        Opened::Larder(larder) => larder,
        Opened::Nothing { registry, .. } => Larder::new(Arc::new(MemoryStore::new()), registry),
    })
}

/// The larder as this command line uses it: with the user's cache, in the user's name, telling how far it is.
fn ready(larder: Larder) -> Result<Larder, CommandError> {
    let larder = progress::shown(larder::cache::with_user_cache(larder)?);
    let said = |variable| std::env::var(variable).ok().filter(|name: &String| !name.is_empty());
    Ok(match ["LARDER_AUTHOR", "USER", "USERNAME"].into_iter().find_map(said) {
        Some(author) => larder.with_author(author),
        None => larder,
    })
}

/// Opens the larder, if there is one: no command but `put` makes a larder where none is.
fn open(url: &StoreUrl, registry: Registry) -> Result<Larder, CommandError> {
    match open_if_there(url, registry)? {
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

/// Opens the store of another larder, if there is one.
pub(crate) fn open_other(url: &StoreUrl, larder: &Larder) -> Result<Arc<dyn Store>, CommandError> {
    larder.registry().find_store(url)?.ok_or_else(|| CommandError::no_larder(url))
}

fn open_if_there(url: &StoreUrl, registry: Registry) -> Result<Opened, CommandError> {
    Ok(match registry.find_store(url)? {
        Some(store) => Opened::Larder(ready(Larder::new(store, registry))?),
        None => Opened::Nothing { url: url.clone(), registry },
    })
}
