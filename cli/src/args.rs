//! The command line: global options and commands. Each command declares its own arguments.

use clap::{Parser, Subcommand};

#[cfg(not(feature = "archive"))]
use crate::commands::without_archive;
use crate::commands::{
    cache, completions, copy, diff, doctor, fire, gc, get, history, job, jobs, list, lock, man,
    migrate, mirror, note, predict, put, remove, restore, serializers, show, tag, types, verify,
    versions, work,
};
#[cfg(feature = "archive")]
use crate::commands::{export, import};
use crate::global::Global;

/// A store for models and their components: typed, versioned, verified.
#[derive(Parser)]
#[command(name = "larder", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(visible_aliases = ["ls", "search"])]
    List(list::Args),
    Show(show::Args),
    Versions(versions::Args),
    Diff(diff::Args),
    Predict(predict::Args),
    Put(put::Args),
    Get(get::Args),
    #[command(visible_alias = "push")]
    Copy(copy::Args),
    Pull(copy::PullArgs),
    Mirror(mirror::Args),
    #[cfg(feature = "archive")]
    Export(export::Args),
    #[cfg(not(feature = "archive"))]
    Export(without_archive::Args),
    #[cfg(feature = "archive")]
    Import(import::Args),
    #[cfg(not(feature = "archive"))]
    Import(without_archive::Args),
    Verify(verify::Args),
    #[command(visible_alias = "rm")]
    Remove(remove::Args),
    Restore(restore::Args),
    Gc(gc::Args),
    Doctor(doctor::Args),
    Tag(tag::Args),
    Untag(tag::UntagArgs),
    Migrate(migrate::Args),
    History(history::Args),
    Note(note::Args),
    Lock(lock::Args),
    Unlock(lock::UnlockArgs),
    Jobs(jobs::Args),
    Job(job::Args),
    Fire(fire::Args),
    Work(work::Args),
    Types(types::Args),
    Serializers(serializers::Args),
    Cache(cache::Args),
    Completions(completions::Args),
    Man(man::Args),
}
