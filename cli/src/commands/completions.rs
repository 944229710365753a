//! `completions`: what a shell needs to complete commands.

use clap_complete::env::Shells;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;

/// Prints what a shell needs to complete commands, and the names, tags and versions of the larder
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

pub(crate) fn run(args: &Args, program: &str, output: &mut Output) -> Result<(), CommandError> {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        return Err(CommandError::new(Exit::Usage, format!("`{}` is no known shell", args.shell)));
    };
    let mut script = Vec::new();
    shell.write_registration(complete::VARIABLE, program, program, program, &mut script)?;
    if args.shell == "bash" {
        // Else bash would take `name:tag` and `name@7` for several words.
        output.line("COMP_WORDBREAKS=${COMP_WORDBREAKS//[:@]/}")?;
    }
    Ok(output.bytes(&script)?)
}
