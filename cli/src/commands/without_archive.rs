//! `export` and `import` in a program without the feature `archive`.

use std::ffi::OsString;

use crate::command_error::CommandError;

/// Needs the feature `archive`, which this program was built without
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

pub(crate) fn run(command: &str) -> Result<(), CommandError> {
    Err(CommandError::without_feature(format!("run `{command}`"), "archive"))
}
