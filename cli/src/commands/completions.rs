//! `completions`: what a shell needs to complete commands.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::command_error::CommandError;
use crate::output::Output;

/// Prints what a shell needs to complete this program's commands
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, program: &str, output: &mut Output) -> Result<(), CommandError> {
    // Its generator panics when it cannot write; a vector always takes it.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), program, &mut script);
    Ok(output.bytes(&script)?)
}
