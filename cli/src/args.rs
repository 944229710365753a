//! What may be written on the command line, but for each command's own.

use clap::{Parser, Subcommand, ValueEnum};
use larder::StoreUrl;

use crate::commands::{
    cache, completions, copy, diff, doctor, export, fire, gc, get, history, import, job, jobs,
    list, lock, man, migrate, mirror, note, predict, put, remove, restore, serializers, show, tag,
    types, verify, versions, work,
};

/// Keeps models and the components around them: typed, versioned, verified.
#[derive(Parser)]
#[command(name = "larder", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The larder that is meant if none is named.
pub(crate) const DEFAULT_STORE: &str = "larder.db";

#[derive(clap::Args)]
pub(crate) struct Global {
    /// Where the larder is: `larder.db`, `sqlite:PATH`, `fs:FOLDER`
    #[arg(
        long,
        global = true,
        env = "LARDER_STORE",
        value_name = "URL",
        default_value = DEFAULT_STORE,
        // A URL may hold secrets.
        hide_env_values = true
    )]
    pub(crate) store: String,
    /// How to print
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Print references only, one a line
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Whether to print colours; `auto` is where there is a terminal and no `NO_COLOR`
    #[command(flatten)]
    pub(crate) color: colorchoice_clap::Color,
    /// The larder that a reference names, which is meant instead of `store`.
    #[arg(skip)]
    pub(crate) named: Option<StoreUrl>,
}

impl Global {
    /// Where the larder is.
    pub(crate) fn url(&self) -> larder::Result<StoreUrl> {
        self.named.clone().map_or_else(|| self.store.parse(), Ok)
    }
}

/// How to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
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
    Export(export::Args),
    Import(import::Args),
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
