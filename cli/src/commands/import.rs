//! `import`: copying from an export.

use larder::maintenance::LarderMaintenance;
use std::path::PathBuf;

use larder::archive::{self, Limits};
use larder::{Reference, Registry, StoreUrl};

use super::copy::{self, CopyArgs};
use crate::command_error::{CommandError, Exit};
use crate::open::target;
use crate::output::Output;
use crate::qualified;
use crate::text;

/// Copies versions and their tags from an export, which is verified first
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder or file that `export` wrote
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    path: PathBuf,
    /// The versions: `name`, `name:tag`, `name@7` or `name@b3:1f2e`; all if none is given
    #[arg(value_name = "REF")]
    references: Vec<Reference>,
    #[command(flatten)]
    options: CopyArgs,
    /// The maximum unpacked size, such as `200GiB`
    #[arg(long, value_name = "SIZE", value_parser = text::parse_size, default_value = "64GiB")]
    max_size: u64,
    /// The maximum compression ratio
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
    // Opens the archive before the target is created.
    let archive = archive::open(&args.path, &limits)?;
    for reference in &args.references {
        archive.larder().show(reference)?;
    }
    let target = target(url, registry, args.options.dry_run)?;
    let options = args.options.options(false);
    let copied = archive.larder().maintenance().copy(
        qualified::selection(&args.references),
        &target,
        &options,
    )?;
    if copied.versions.is_empty() {
        let message = format!("cannot import {}: it has no version", args.path.display());
        return Err(CommandError::new(Exit::Refused, message));
    }
    copy::print(&copied, &args.options, output)
}
