//! `man`: manual pages.

use std::fs;
use std::path::PathBuf;

use larder::store::files::check_parents;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;

/// Writes manual pages to a folder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder, such as `~/.local/share/man/man1`
    #[arg(value_name = "FOLDER", value_hint = clap::ValueHint::DirPath)]
    folder: PathBuf,
}

pub(crate) fn run(
    args: &Args,
    command: clap::Command,
    output: &mut Output,
) -> Result<(), CommandError> {
    let folder = args.folder.display();
    let written = check_parents(&args.folder)
        .and_then(|()| fs::create_dir_all(&args.folder))
        .and_then(|()| clap_mangen::generate_to(command, &args.folder));
    written.map_err(|error| {
        CommandError::new(Exit::Failure, error.to_string())
            .context(format!("cannot write manual pages to {folder}"))
    })?;
    if output.is_json() {
        return Ok(output.document(Written { path: folder.to_string() })?);
    }
    output.say(format_args!("wrote manual pages to {folder}"));
    Ok(())
}

#[derive(Serialize)]
struct Written {
    path: String,
}
