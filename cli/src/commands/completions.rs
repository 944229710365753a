//! `completions`: shell completions.

use clap_complete::env::Shells;

use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;

/// Prints a shell script that completes commands, names, tags and versions
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    shell: String,
}

pub(crate) fn run(args: &Args, program: &str, output: &mut Output) -> Result<(), CommandError> {
    let shells = Shells::builtins();
    let Some(shell) = shells.completer(&args.shell) else {
        return Err(CommandError::new(
            Exit::Usage,
            format!("cannot complete for `{}`: unknown shell", args.shell),
        ));
    };
    let mut script = Vec::new();
    shell.write_registration(complete::VARIABLE, program, program, program, &mut script)?;
    if args.shell == "bash" {
        // Where file names are meant, they are offered; elsewhere, none are.
        script = String::from_utf8_lossy(&script).replace(" -o bashdefault", "").into_bytes();
        // Otherwise bash splits `name:tag` and `name@7` into words.
        script.splice(0..0, *b"COMP_WORDBREAKS=${COMP_WORDBREAKS//[:@]/}\n");
    }
    if output.is_json() {
        let (shell, script) = (&args.shell, String::from_utf8_lossy(&script));
        return Ok(output.document(Script { shell, script: &script })?);
    }
    Ok(output.bytes(&script)?)
}

#[derive(Serialize)]
struct Script<'a> {
    shell: &'a str,
    script: &'a str,
}
