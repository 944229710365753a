//! `deploy`, `deployments` and `undeploy` in a program without the feature `serving`.

use std::ffi::OsString;

use crate::command_error::CommandError;

/// Needs the feature `serving`, which this program was built without
#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _arguments: Vec<OsString>,
}

pub(crate) fn run(command: &str) -> Result<(), CommandError> {
    Err(CommandError::without_feature(format!("run `{command}`"), "serving"))
}
