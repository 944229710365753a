//! The command line of [Larder](https://docs.rs/larder), as a library.
//!
//! The program `larder` lists, shows, verifies and removes components of every type. To predict with a
//! model, or to see its signature, the model's code must be linked in. That takes a program of your own:
//!
//! ```no_run
//! # mod my_models {}
//! use my_models as _; // a crate that is only listed in Cargo.toml is not linked: name it
//!
//! fn main() -> std::process::ExitCode {
//!     larder_cli::main()
//! }
//! ```
//!
//! `types` and `serializers` print what is linked in; `serializers` prints, where a larder is, also what its
//! newest versions need and lack.
//!
//! # Output
//!
//! Data goes to stdout, talk to stderr, colour to terminals only and not under `NO_COLOR`. Text is for
//! people and may change. `--format json` prints one object, whose key `schema` is 1 until a change that
//! readers must know of:
//!
//! | command | keys beside `schema` |
//! | --- | --- |
//! | `list` | `versions`: the newest version of every name |
//! | `versions` | `versions`, oldest first, each with `tags` |
//! | `show` | those of a version; `linked`, `rust_type`, `tags`, `fields`, `artifacts` (`digest`, `size`, `serializer`, `linked`), `signature` (`input`, `output`) |
//! | `show --source` | `source` and, where the type is linked in, `linked_source` (`$source`: the language; `file`, `text`) |
//! | `verify` | `versions`, `blobs`, `bytes`: how many were read; `findings` (`what`, `digest`, `fault`) |
//! | `remove` | `removed`: the versions that were removed |
//! | `tag` | `tag`, and the version that it names |
//! | `put` | `created`, `tag`, and those of the version |
//! | `untag` | `name` and `tag` |
//! | `types` | `types` (`type`, `rust_type`, `crate`, `signature`) |
//! | `serializers` | `serializers` (`name`, `linked`, `crate`, `types`, `traits`, `record`, `used_by`) |
//!
//! A version has `name`, `version`, `digest`, `type`, `size`, `created` and `crate`. What is not known is
//! `null`. `predict` prints what the model gives, and nothing else, in either format.
//! Errors are text on stderr: `error: …`, each cause on a line of its own, and perhaps a hint.
//!
//! # Exit codes
//!
//! | code | means |
//! | --- | --- |
//! | 0 | done |
//! | 1 | it failed: the disk, the input, the model |
//! | 2 | the command line is wrong |
//! | 3 | what it names is not there |
//! | 4 | stored bytes are not what was written |
//! | 5 | refused, because something would be lost or broken, or another writer was faster |
//! | 6 | it needs a type, a serializer, a store or a version of Larder that is not linked in |

#![forbid(unsafe_code)]

mod args;
mod command_error;
mod commands;
mod output;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;
use larder::Registry;

/// Runs the command line of this process, with all that is linked in.
pub fn main() -> ExitCode {
    run(std::env::args_os(), Registry::linked)
}

/// Runs a command line, the program's name first, with a registry of your own.
///
/// For what is registered at run time:
///
/// ```no_run
/// # fn main() -> std::process::ExitCode {
/// use larder::{Item, Pair, Registry};
///
/// larder_cli::run(std::env::args_os(), || {
///     let mut registry = Registry::linked()?;
///     registry.register(Item::pair(Pair::<char>::new(
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
    let program = text::program_name(args.first());
    match args::Cli::try_parse_from(args) {
        Ok(cli) => match commands::run(cli, &program, registry) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => error.report(),
        },
        Err(error) => {
            // A reader that is gone has no use for help.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}
