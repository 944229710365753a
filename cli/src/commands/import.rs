//! `import`: what was exported comes in.

use std::path::PathBuf;

use larder::archive::{self, Limits};
use larder::{Reference, Registry, StoreUrl};

use super::copy::{self, How};
use crate::command_error::CommandError;
use crate::open::target;
use crate::output::Output;
use crate::text;

/// Takes in what `export` wrote, from anyone: checked to the last byte before anything is copied
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder or file
    path: PathBuf,
    /// The versions in it: `name`, `name:tag`, `name@7` or `name@b3:1f2e`; all if there is none
    #[arg(value_name = "REF")]
    references: Vec<Reference>,
    #[command(flatten)]
    how: How,
    /// The most that may be in it, unpacked, such as `200GiB`
    #[arg(long, value_name = "SIZE", value_parser = text::parse_size, default_value = "64GiB")]
    max_size: u64,
    /// How many times its size it may unpack to
    #[arg(long, value_name = "N", default_value_t = Limits::default().ratio)]
    max_ratio: u64,
}

pub(crate) fn run(
    args: &Args,
    url: &StoreUrl,
    registry: &Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let limits = Limits { total: args.max_size, ratio: args.max_ratio, ..Limits::default() };
    // No larder is made for what cannot be taken in.
    let archive = archive::open(&args.path, &limits)?;
    for reference in &args.references {
        archive.larder().show(reference)?;
    }
    let target = target(url, registry, args.how.dry_run)?;
    let options = args.how.options(false);
    let copied = archive.larder().copy_to(&args.references, &target, &options)?;
    copy::print(&copied, &args.how, output)
}
