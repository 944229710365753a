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
//! # Features
//!
//! | feature | has |
//! | --- | --- |
//! | `default` | what a person needs at a terminal on one machine: `archive`, `bincode`, `bytes`, `fs`, `json`, `msgpack`, `postcard`, `script`, `serving`, `sqlite`, `tensors` |
//! | `full` | `default`, `cedar`, `collections`, `grpc`, `http`, `hub`, `mlflow`, `nats`, `object`, `oidc`, `onnx`, `onnxruntime`, `postgres`, `server`, `training`, `wasm` |
//!
//! `archive` has `export` and `import`, `collections` has `collection`, `serving` has `deploy`, `deployments` and `undeploy`, `cedar` has `policy`, `http` has `login` and `logout`, `oidc` has the options of `serve` for single sign-on; the others are features of the crate `larder`. Commands, URLs and files that need
//! a missing feature end with an error that names it.
//!
//! # Output
//!
//! Data goes to stdout, messages to stderr, and colour to terminals unless `NO_COLOR` is set. Text is for people and may
//! change. `--format json` prints one object, whose key `schema` is 1 until an incompatible change, and no messages.
//! Every `tags` is an array of objects with `tag` and `version`; `outcome` is `created`, `changed`,
//! `restored` or `unchanged`:
//!
//! | command | keys beside `schema` |
//! | --- | --- |
//! | `list` | `versions`: the newest version of every name, or the matches; with `--notes`, each with the keys of `note` |
//! | `versions` | `versions`, oldest first, each with `tags` as in `show` |
//! | `diff` | `same`; `old`, `new` (`name`, `version`, `digest`, `type`, `type_version`, `size`); `fields` (`path`, `state`: `same`, `changed`, `added` or `removed`; `old`, `new`: a `json` text, an `artifact`, a `file` or a `folder`; `shared`), `counts`, and `bytes` of artifacts in `both` or only one |
//! | `show` | the fields of a version; `type_version`, `linked`, `rust_type`, `tags` (with `moved`, `by`, `protected`), `description`, `labels`, `metrics`, `locked`, `name_locked`, `fields`, `artifacts` (`digest`, `size`, `serializer`, `linked`), `signature` (`input`, `output`) |
//! | `show --source` | `source` and, where the type is linked in, `linked_source` (`$source`: the language; `file`, `text`) |
//! | `verify` | `versions`, `blobs`, `bytes`: the numbers verified; `findings` (`what`, `digest`, `fault`); `orphans` (`count`, `bytes`): unused blobs; with `--repair-from`, if there are findings, `repair` (`repaired`, `not_found`: findings) |
//! | `remove` | `removed`: the versions that were removed |
//! | `restore` | `outcome`, and the fields of the version |
//! | `restore --list` | `removed`: versions, each with the times `removed` and `collected` |
//! | `gc` | `dry_run`; `condemned`, `waiting`, `swept` (`digest`, `size`); `pardoned`, `gone`: digests; `kept`, `unfinished` (`count`, `bytes`) |
//! | `doctor` | `program` (`version`, `rustc`, `target`), `linked` (`types`, `serializers`, `stores`: names), `larder` (`url`, `format`, `atomic_commit`, `free`, `names`, `versions`, `removed`, `tags`, `blobs`, `condemned`, `newest`, `locked`, `damaged`), `null` if there is none, and `findings` (`level`: `warning` or `note`, `what`, `advice`) |
//! | `tag` | `outcome`, `tag`, and the fields of the version |
//! | `put` | `outcome`, `tags`, and the fields of the version |
//! | `get`, `man` | `path`; of `get` also the fields of the version |
//! | `put --dry-run` | `dry_run`, `outcome`, `tags`, `stored`: the bytes to write, `jobs` (`name`, `trigger`, `skipped`: why), and the fields of `diff` except `same` |
//! | `migrate` | `migrated`: the new versions; `unchanged`: the number of names that needed none; `not_linked`: the names whose type is not linked in |
//! | `mirror` | as `copy`, and `restored`, `removed`: versions; `untagged` (`name`, `tag`, `version`) |
//! | `copy`, `pull`, `import` | `dry_run`; `versions`: the fields of the source's versions, each with `to`, its number in the target, and `outcome` (`copied`, `renumbered`, `present`); `tags` (with `name`, `moved_from`, `present`); `blobs`, `bytes`: the numbers copied |
//! | `export` | `path`, `versions`, `blobs`, `bytes`: the numbers exported |
//! | `untag` | `name` and `tag` |
//! | `history` | `name`, `tag` and `moves` (`move`: its number, `version`, `null` for a removal, `moved`, `by`) |
//! | `note` | `reference`, `outcome`, `description`, `labels`, `metrics`, and the time `locked` |
//! | `lock`, `unlock` | `outcome`, `locked`, `name` and `version`, `null` for a name |
//! | `cache info` | `path`, `limit`, `blobs` (`count`, `bytes`) |
//! | `cache clear` | `removed` (`count`, `bytes`) |
//! | `deploy` | `outcome`, and the fields of the deployment: `name`, `reference`, `created`, `changed`, `by`, `allow_signature_change`, `serving` (`name`, `version`, `digest`, `since`, `seen`: when a server last said so), `canary` (`reference`, `share`, `interval` and `max_p90` in seconds, `min_requests`, `max_error_rate`, `since`), `events` (`at`, `event`: `deployed`, `serving`, `refused`, `failed`, `promoted` or `rolled_back`, `name`, `version`, `digest`, `by`, `reason`) |
//! | `deployments` | `deployments`: each with the fields above |
//! | `undeploy` | `name` |
//! | `jobs` | `jobs`: each with `id`, `name`, `version`, `type`, `trigger`, `event`, `status`, `attempt`, `failures`, `losses`, `created`, `started`, `finished`, `not_before`, `holder`, `until`, `cancelling`, `fraction`, `message`, `error` (an array), `depends_on` (from triggers to ids), `payload`, `output` |
//! | `job show`, `job cancel` | the fields of the job |
//! | `job retry`, `fire --wait` | `jobs`, as above |
//! | `job forget` | `forgotten`: the number of deleted jobs |
//! | `job logs` | `lines` (`attempt`, `at`, `text`) |
//! | `fire` | the fields of the version, `event`, and `jobs`: ids |
//! | `work --drain` | `jobs`: the number of jobs that ran |
//! | `serve` | `url`, and `token`: of the user `admin`, if the larder had no users |
//! | `login` | `outcome`, `server`, and `user` |
//! | `logout` | `outcome`, `server`, and `revoked`: whether the server ended the session too |
//! | `whoami` | `name`, `authenticated`; on a server also `groups`, `token`: its id, `scopes`, `grants` (`role`, `names`) |
//! | `user list` | `users` (`name`, `kind`: `person` or `service`, `groups`, `created`) |
//! | `group list` | `groups` (`group`, `members`) |
//! | `user`, `group` | `outcome`, and `user` or `group` |
//! | `token create` | `secret`, `id`, `owner`, `label`, `scopes` (`role`, `names`), `created`, `expires`, `revoked`; of a sign-in also `groups` |
//! | `token list` | `tokens`: as above, without `secret` |
//! | `token revoke` | `outcome`, `id` |
//! | `grant list` | `grants` (`subject`, `role`, `names`, `created`) |
//! | `grant add`, `grant remove` | `outcome`, `subject`, `role`, `names` |
//! | `policy set` | `outcome`, `number` |
//! | `policy show` | `number`, `text`, `created` |
//! | `policy test` | `passed`: their number, and `failed` (`case`: its number, `question`, `allowed`, `because`) |
//! | `can` | `user`, `action`, `allowed`, `because` |
//! | `audit` | `entries` (`at`, `principal`, `token`, `action`, `resource`, `outcome`, `because`, `request`) |
//! | `audit --verify` | `records`, `entries`: their numbers; `findings` (`record`, `fault`) |
//! | `collection create` | `outcome`, `fields` (`name`, `type`, `nullable`, …), `key`, and the fields of the version |
//! | `collection insert` | `outcome`, `inserted`, `updated`, `skipped`: numbers of rows; `rows`: those of the version; `rejects`: the path of the file with what was skipped; and the fields of the version |
//! | `collection find` | `name`, `version`, `rows`: objects, and `next`: the cursor for `--after`; with `--count`, `rows` is their number |
//! | `collection get` | `name`, `version`, and `row` |
//! | `collection update`, `collection delete` | `outcome`, `updated` or `deleted`, `rows`, and the fields of the version |
//! | `collection delta` | `name`, `from`, `to`; `inserted`, `updated`, `deleted`: arrays of `row`, its id, and `key` |
//! | `collection export` | `path`, `rows` |
//! | `collection attach`, `collection index` | `outcome`, `collection`, `listener` or `index`: the reference of the component, and the fields of its state, as in `collection status` |
//! | `collection detach` | `collection`, `name` |
//! | `collection outputs` | `collection`, `name`, `outputs`: each with `row`, its id, `key`, `status` (`ok`, `failed`, `stale`, `missing` or `empty`), `output`, `error`, `model`: the digest, and `imputed`; without a name, `listeners`, as in `collection status` |
//! | `collection like` | `collection`, `measure`, `left_out`: the number of rows that are not indexed yet, and `rows`: each with `_score` |
//! | `collection status` | `name`, `version`, `rows`, `key`, `valid_permille`, `fields`, `fragments`, `small_fragments`, `deleted_rows`, `bytes`; `listeners` and `indexes`: each with `name`, `key`, `model`, `version`, `fills`, `measure`, `width`, `output`, `paused`, `rows`, `ok`, `failed`, `empty`, `stale`, `missing`, `coverage`: a share, `backlog`, `behind`: versions, `lag` in seconds, `jobs`, `error` |
//! | `collection compact` | `outcome`, `rows`, `fragments`, `fragments_before`, and the fields of the version |
//! | `completions` | `shell`, `script` |
//! | none | `program`, `version` |
//! | `types` | `types` (`type`, `rust_type`, `crate`, `signature`) |
//! | `serializers` | `serializers` (`name`, `linked`, `crate`, `types`, `traits`, `record`, `used_by`) |
//!
//! The author of tag moves is `LARDER_AUTHOR`, or else the user's name (`USER`). `LARDER_CACHE_SIZE` limits the cache of
//! remote blobs, such as `64GiB`.
//!
//! A version has `name`, `version`, `digest`, `type`, `size`, `created` and `crate`. Unknown values are `null`. `predict`
//! prints only the output of the model, and `get -o -` only the file, in either format.
//!
//! Errors are on stderr: `error: …`, one line per cause, and in most cases a hint; with `--format json`, an object of
//! `schema` and `error` (`message`, `causes`, `hint`, `exit`: the exit code). `predict --lines` answers a line that fails
//! by `{"error": …}` with the same keys and `line`, its number, goes on, and ends with exit code 1.
//!
//! JSON has no NaN and no infinities. Where a model has floating-point numbers, `predict` reads and prints them as `"NaN"`,
//! `"Infinity"` and `"-Infinity"`; `predict --strict` fails instead of printing them.
//!
//! # Exit codes
//!
//! | code | means |
//! | --- | --- |
//! | 0 | success |
//! | 1 | failure of the disk, the input or the model; or warnings of `doctor`; or differences in `diff` |
//! | 2 | invalid command line; or failure of `diff` |
//! | 3 | not found |
//! | 4 | corrupt data |
//! | 5 | refused, because something would be lost or broken, or because of a conflict with another writer |
//! | 6 | needs a type, a serializer, a store, a feature or a version of Larder that is not linked in |
//! | 7 | denied by access control |

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
