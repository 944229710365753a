//! The command line of [Larder](https://docs.rs/larder), as a library.
//!
//! The program `larder` lists, shows, verifies and removes components of every type, and predicts with models that
//! carry their own code: scripts, ONNX files and WebAssembly. To predict with other models, or to see their signatures,
//! link their code into a program of your own:
//!
//! ```no_run
//! # mod my_models {}
//! use my_models as _; // links the crate; being listed in Cargo.toml is not enough
//!
//! fn main() -> std::process::ExitCode {
//!     larder_cli::main()
//! }
//! ```
//!
//! `types` and `serializers` print what is linked in; `serializers` also prints what the newest versions of the larder
//! need.
//!
//! References and names may include their larder, which takes precedence over `--store`:
//! `larder show fs:models#wine/quality:prod`. All references of a command must be in one larder, except for `diff`.
//!
#![doc = include_str!("../reference.md")]
#![forbid(unsafe_code)]

mod args;
mod command_error;
mod commands;
mod complete;
mod dispatch;
mod global;
mod open;
mod output;
mod progress;
mod qualified;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches as _};
use larder::Registry;

use crate::command_error::CommandError;
use crate::global::Format;

/// Runs the command line of this process, with everything that is linked in.
pub fn main() -> ExitCode {
    run(std::env::args_os(), Registry::linked)
}

/// Runs a command line, which starts with the program's name, with a registry of your own.
///
/// For items that are registered at run time:
///
/// ```no_run
/// # fn main() -> std::process::ExitCode {
/// use larder::{Item, Registry};
/// use larder::serializers::FnSerializer;
///
/// larder_cli::run(std::env::args_os(), || {
///     let mut registry = Registry::linked()?;
///     registry.register(Item::pair(FnSerializer::<char>::new(
///         "utf8-char",
///         |value, out| Ok(write!(out, "{value}")?),
///         |bytes| Ok(std::str::from_utf8(bytes)?.parse()?),
///     )))?;
///     Ok(registry)
/// })
/// # }
/// ```
pub fn run(
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    registry: impl FnOnce() -> larder::Result<Registry>,
) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
    if complete::answered(&args, args::command) {
        return ExitCode::SUCCESS;
    }
    let program = text::program_name(args.first());
    // Arguments that cannot be parsed are an error in the format that they ask for.
    let wants_json = global::wants_json(&args);
    match parse(args) {
        Ok((mut cli, arguments)) => {
            let format = cli.global.format;
            cli.global.color.write_global();
            let named = qualified::larder(&arguments, || cli.global.url());
            let result = named.and_then(|named| {
                cli.global.named = named;
                dispatch::run(cli, &program, registry)
            });
            match result {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => error.report(format),
            }
        }
        Err(error) if error.use_stderr() && wants_json => {
            CommandError::usage(&error).report(Format::Json)
        }
        Err(error) => {
            // A closed stdout is not an error.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}

fn parse(args: Vec<OsString>) -> Result<(args::Cli, ArgMatches), clap::Error> {
    let mut command = args::command();
    let arguments = command.try_get_matches_from_mut(args)?;
    let cli = args::Cli::from_arg_matches(&arguments);
    cli.map(|cli| (cli, arguments)).map_err(|error| error.format(&mut command))
}
