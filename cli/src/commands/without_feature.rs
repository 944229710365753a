//! Commands in a program without the feature that they need.

use std::ffi::OsString;

use crate::command_error::CommandError;

/// Needs a feature that this program was built without
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

pub(crate) fn run(command: &str, feature: &str) -> Result<(), CommandError> {
    Err(CommandError::without_feature(format!("run `{command}`"), feature))
}
