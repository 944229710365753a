//! The command line of [Larder](https://docs.rs/larder), as a library.
//!
//! The program `larder` lists, shows, verifies and removes components of every type, and predicts with models that
//! carry their own code: ONNX files and scripts. To predict with any other model, or to see its signature, its code must
//! be linked in. That takes a program of your own:
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
//! Wherever a version or a name is to be written, it may say which larder it is in, and then `--store` is not
//! asked: `larder show fs:shelf#wine/quality:prod`. All that a command names is in one larder; `diff` alone compares
//! versions of two.
//!
//! # Output
//!
//! Data goes to stdout, talk to stderr, colour to terminals only and not under `NO_COLOR`. Text is for
//! people and may change. `--format json` prints one object, whose key `schema` is 1 until a change that
//! readers must know of:
//!
//! | command | keys beside `schema` |
//! | --- | --- |
//! | `list` | `versions`: the newest version of every name, or what is searched for; with `--notes`, each also with those of `note` |
//! | `versions` | `versions`, oldest first, each with `tags` |
//! | `diff` | `same`; `old`, `new` (`name`, `version`, `digest`, `type`, `type_version`, `size`); `fields` (`path`, `state`: `same`, `changed`, `added` or `removed`; `old`, `new`: a `json` text, an `artifact`, a `file` or a `folder`; `shared`), `counts` of them all; `bytes` of artifacts in `both` or only one |
//! | `show` | those of a version; `type_version`, `linked`, `rust_type`, `tags` (`tag`, `version`, `moved`, `by`, `protected`), `description`, `labels`, `metrics`, `locked`, `name_locked`, `fields`, `artifacts` (`digest`, `size`, `serializer`, `linked`), `signature` (`input`, `output`) |
//! | `show --source` | `source` and, where the type is linked in, `linked_source` (`$source`: the language; `file`, `text`) |
//! | `verify` | `versions`, `blobs`, `bytes`: how many were read; `findings` (`what`, `digest`, `fault`); `orphans` (`count`, `bytes`): the blobs in no version; with `--repair-from`, if there are findings, `repair` (`repaired`, `not_found`: findings) |
//! | `remove` | `removed`: the versions that were removed |
//! | `restore` | those of the version |
//! | `restore --list` | `removed`: versions, each with `removed` and `collected`, when that was |
//! | `gc` | `dry_run`; `condemned`, `waiting`, `swept` (`digest`, `size`); `pardoned`, `gone`: digests; `kept`, `unfinished` (`count`, `bytes`) |
//! | `doctor` | `program` (`version`, `rustc`, `target`), `linked` (`types`, `serializers`, `stores`: names), `larder` (`url`, `format`, `atomic_commit`, `free`, `names`, `versions`, `removed`, `tags`, `blobs`, `condemned`, `newest`, `locked`, `damaged`), which is `null` where there is none, and `findings` (`level`: `warning` or `note`, `what`, `advice`) |
//! | `tag` | `tag`, and the version that it names |
//! | `put` | `created`, `tag`, and those of the version |
//! | `put --dry-run` | `dry_run`, `created`, `tag`, `stored`: the bytes that would be written, `jobs` (`name`, `trigger`, `skipped`: why), and those of `diff` but `same` |
//! | `migrate` | `migrated`: the versions that were written; `unchanged`: how many names needed none; `not_linked`: the names whose type is missing |
//! | `mirror` | as `copy`, and `restored`, `removed`: versions; `untagged` (`name`, `tag`, `version`) |
//! | `copy`, `pull`, `import` | `dry_run`; `versions`: those of the source, each with `to`, its number in the target, and `outcome` (`copied`, `renumbered`, `present`); `tags` (`name`, `tag`, `version`, `moved_from`, `present`); `blobs`, `bytes`: how many were lacking |
//! | `export` | `path`, `versions`, `blobs`, `bytes`: how many there are in it |
//! | `untag` | `name` and `tag` |
//! | `history` | `name`, `tag` and `moves` (`number`, `version`, which is `null` for a removal, `moved`, `by`) |
//! | `note` | `reference`, `description`, `labels`, `metrics`, and `locked`, since when |
//! | `lock`, `unlock` | `locked`, `name` and `version`, which is `null` for a name |
//! | `cache info` | `path`, `limit`, `blobs` (`count`, `bytes`) |
//! | `cache clear` | `removed` (`count`, `bytes`) |
//! | `jobs` | `jobs`: each with `id`, `name`, `version`, `type`, `trigger`, `event`, `status`, `attempt`, `failures`, `losses`, `created`, `started`, `finished`, `not_before`, `holder`, `until`, `cancelling`, `fraction`, `message`, `error` (an array), `depends_on` (from triggers to ids), `payload`, `output` |
//! | `job show`, `job cancel` | those of the job |
//! | `job retry`, `fire --wait` | `jobs`, as above |
//! | `job forget` | `forgotten`: how many it took away |
//! | `job logs` | `lines` (`attempt`, `at`, `text`) |
//! | `fire` | those of the version, `event`, and `jobs`: ids |
//! | `work --drain` | `jobs`: how many it ran |
//! | `types` | `types` (`type`, `rust_type`, `crate`, `signature`) |
//! | `serializers` | `serializers` (`name`, `linked`, `crate`, `types`, `traits`, `record`, `used_by`) |
//!
//! Who moves a tag is written down: `LARDER_AUTHOR`, else the user's name (`USER`). The cache of remote blobs holds as
//! much as `LARDER_CACHE_SIZE` says, such as `64GiB`.
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
//! | 1 | it failed: the disk, the input, the model; or `doctor` found what wants attention; or `diff` found differences |
//! | 2 | the command line is wrong; or `diff` failed |
//! | 3 | what it names is not there |
//! | 4 | stored bytes are not what was written |
//! | 5 | refused, because something would be lost or broken, or another writer was faster |
//! | 6 | it needs a type, a serializer, a store or a version of Larder that is not linked in |

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
mod table;
mod text;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};
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
/// use larder::{Item, FnSerializer, Registry};
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
    if complete::answered(&args, args::Cli::command) {
        return ExitCode::SUCCESS;
    }
    let program = text::program_name(args.first());
    match parse(args) {
        Ok((mut cli, arguments)) => {
            cli.global.color.write_global();
            let named = qualified::larder(&arguments, || cli.global.url());
            let done = named.and_then(|named| {
                cli.global.named = named;
                dispatch::run(cli, &program, registry)
            });
            match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => error.report(),
            }
        }
        Err(error) => {
            // A reader that is gone has no use for help.
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}

fn parse(args: Vec<OsString>) -> Result<(args::Cli, ArgMatches), clap::Error> {
    let mut command = args::Cli::command();
    let arguments = command.try_get_matches_from_mut(args)?;
    let cli = args::Cli::from_arg_matches(&arguments);
    cli.map(|cli| (cli, arguments)).map_err(|error| error.format(&mut command))
}
