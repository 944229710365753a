//! What may be written on the command line, but for each command's own.

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands::{
    completions, get, list, predict, put, remove, serializers, show, tag, types, verify, versions,
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

#[derive(clap::Args)]
pub(crate) struct Global {
    /// Where the larder is: `larder.db`, `sqlite:PATH`, `fs:FOLDER`
    #[arg(
        long,
        global = true,
        env = "LARDER_STORE",
        value_name = "URL",
        default_value = "larder.db",
        // A URL may hold secrets.
        hide_env_values = true
    )]
    pub(crate) store: String,
    /// How to print
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
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
    #[command(visible_alias = "ls")]
    List(list::Args),
    Show(show::Args),
    Versions(versions::Args),
    Predict(predict::Args),
    Put(put::Args),
    Get(get::Args),
    Verify(verify::Args),
    #[command(visible_alias = "rm")]
    Remove(remove::Args),
    Tag(tag::Args),
    Untag(tag::UntagArgs),
    Types(types::Args),
    Serializers(serializers::Args),
    Completions(completions::Args),
}
