//! The options that every command has.

use std::ffi::OsString;

use clap::ValueEnum;
use larder::StoreUrl;

/// The larder that is used if none is named.
pub(crate) const DEFAULT_STORE: &str = "larder.db";

#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The larder: the path of a file, `sqlite:PATH`, `fs:FOLDER`, `memory:`, `postgres://HOST/DATABASE`,
    /// `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX` or `https://SERVER`
    #[arg(
        long,
        global = true,
        env = "LARDER_STORE",
        value_name = "URL",
        default_value = DEFAULT_STORE,
        add = crate::complete::urls(),
        // A URL may hold secrets.
        hide_env_values = true
    )]
    pub(crate) store: String,
    /// The output format
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Print references only, one per line
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) color: colorchoice_clap::Color,
    /// The larder that a reference names, which takes precedence over `store`.
    #[arg(skip)]
    pub(crate) named: Option<StoreUrl>,
}

impl Global {
    /// The URL of the larder.
    pub(crate) fn url(&self) -> larder::Result<StoreUrl> {
        self.named.clone().map_or_else(|| self.store.parse(), Ok)
    }
}

/// Returns true if the arguments, which may be invalid, ask for JSON.
pub(crate) fn wants_json(args: &[OsString]) -> bool {
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let words = words.split(|word| word == "--").next().unwrap_or_default();
    let pairs = words.windows(2).any(|pair| pair[0] == "--format" && pair[1] == "json");
    pairs || words.iter().any(|word| word == "--format=json")
}

/// The output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    Text,
    /// One JSON object for programs
    Json,
    /// Rows of a collection: one JSON object on each line
    #[value(hide = true)]
    Jsonl,
    /// Rows of a collection: comma-separated values
    #[value(hide = true)]
    Csv,
    /// Rows of a collection: a Parquet file
    #[value(hide = true)]
    Parquet,
    /// Rows of a collection: an Arrow IPC file
    #[value(hide = true)]
    Arrow,
}

impl Format {
    /// Returns true if only rows have this format.
    pub(crate) fn is_of_rows(self) -> bool {
        !matches!(self, Self::Text | Self::Json)
    }
}
