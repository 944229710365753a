//! From the parsed command line to the command.

use larder::Registry;

use crate::args::{self, Cli, Command};
use crate::command_error::{CommandError, Exit};
#[cfg(feature = "cedar")]
use crate::commands::access::policy;
use crate::commands::access::{audit, can, grant, group, token, user};
#[cfg(feature = "collections")]
use crate::commands::collection;
#[cfg(feature = "http")]
use crate::commands::login;
#[cfg(not(all(
    feature = "archive",
    feature = "cedar",
    feature = "collections",
    feature = "http",
    feature = "server",
    feature = "serving"
)))]
use crate::commands::without_feature;
use crate::commands::{
    cache, completions, copy, diff, doctor, fire, gc, get, history, job, jobs, list, lock, man,
    migrate, mirror, note, predict, put, remove, restore, serializers, show, tag, types, verify,
    versions, welcome, whoami, work,
};
#[cfg(feature = "serving")]
use crate::commands::{deploy, deployments};
#[cfg(feature = "archive")]
use crate::commands::{export, import};
#[cfg(feature = "server")]
use crate::commands::{serve, ui};
use crate::global::Global;
use crate::open::{make, open, open_if_there, stand_in};
use crate::output::Output;

/// Runs a command.
pub(crate) fn run(
    Cli { global, command }: Cli,
    program: &str,
    registry: impl FnOnce() -> larder::Result<Registry>,
) -> Result<(), CommandError> {
    let mut output = Output::new(&global);
    let result = dispatch(&global, command, program, registry, &mut output);
    // Output before a failure comes before its message.
    let flushed = output.flush().map_err(CommandError::from);
    result.and(flushed)
}

fn dispatch(
    global: &Global,
    command: Option<Command>,
    program: &str,
    registry: impl FnOnce() -> larder::Result<Registry>,
    output: &mut Output,
) -> Result<(), CommandError> {
    let url = || global.url();
    let larder = |registry| open(&url()?, registry);
    if global.format.is_of_rows() && !matches!(command, Some(Command::Collection(_))) {
        let message = "cannot print in this format: only the rows of a collection have it";
        return Err(
            CommandError::new(Exit::Usage, message).with_hint("use `--format text` or `json`")
        );
    }
    match command {
        None => Ok(welcome::run(program, output)?),
        Some(Command::List(args)) => list::run(&args, &larder(registry()?)?, output),
        Some(Command::Show(args)) => show::run(&args, &larder(registry()?)?, output),
        Some(Command::Versions(args)) => versions::run(&args, &larder(registry()?)?, output),
        Some(Command::Diff(args)) => diff::run(&args, url, registry, output),
        Some(Command::Predict(args)) => predict::run(&args, &larder(registry()?)?, output),
        Some(Command::Put(args)) if args.dry_run => {
            put::plan(&args, || stand_in(&url()?, registry()?), output)
        }
        Some(Command::Put(args)) => put::run(&args, || make(&url()?, registry()?), output),
        Some(Command::Get(args)) => get::run(&args, &larder(registry()?)?, output),
        Some(Command::Copy(args)) => {
            copy::check(&args)?;
            copy::run(&args, &larder(registry()?)?, output)
        }
        Some(Command::Pull(args)) => copy::pull(&args, &url()?, registry()?, output),
        Some(Command::Mirror(args)) => mirror::run(&args, registry()?, output),
        #[cfg(not(feature = "archive"))]
        Some(Command::Export(_)) => without_feature::run("export", "archive"),
        #[cfg(not(feature = "archive"))]
        Some(Command::Import(_)) => without_feature::run("import", "archive"),
        #[cfg(feature = "archive")]
        Some(Command::Export(args)) => export::run(&args, &larder(registry()?)?, output),
        #[cfg(feature = "archive")]
        Some(Command::Import(args)) => import::run(&args, &url()?, &registry()?, output),
        #[cfg(feature = "collections")]
        Some(Command::Collection(args)) => collection::run(&args, &url()?, registry()?, output),
        #[cfg(not(feature = "collections"))]
        Some(Command::Collection(_)) => without_feature::run("collection", "collections"),
        Some(Command::Verify(args)) => verify::run(&args, &larder(registry()?)?, output),
        Some(Command::Remove(args)) => remove::run(&args, &larder(registry()?)?, output),
        Some(Command::Restore(args)) => restore::run(&args, &larder(registry()?)?, output),
        Some(Command::Gc(args)) => gc::run(&args, &larder(registry()?)?, output),
        Some(Command::Doctor(_)) => doctor::run(&global.store, registry()?, output),
        Some(Command::Tag(args)) => tag::run(&args, &larder(registry()?)?, output),
        Some(Command::Untag(args)) => tag::untag(&args, &larder(registry()?)?, output),
        Some(Command::Migrate(args)) => migrate::run(&args, &larder(registry()?)?, output),
        Some(Command::History(args)) => history::run(&args, &larder(registry()?)?, output),
        Some(Command::Note(args)) => note::run(&args, &larder(registry()?)?, output),
        Some(Command::Lock(args)) => lock::run(&args, &larder(registry()?)?, output),
        Some(Command::Unlock(args)) => lock::unlock(&args, &larder(registry()?)?, output),
        #[cfg(not(feature = "serving"))]
        Some(Command::Deploy(_)) => without_feature::run("deploy", "serving"),
        #[cfg(not(feature = "serving"))]
        Some(Command::Deployments(_)) => without_feature::run("deployments", "serving"),
        #[cfg(not(feature = "serving"))]
        Some(Command::Undeploy(_)) => without_feature::run("undeploy", "serving"),
        #[cfg(feature = "serving")]
        Some(Command::Deploy(args)) => deploy::run(&args, &larder(registry()?)?, output),
        #[cfg(feature = "serving")]
        Some(Command::Deployments(args)) => deployments::run(&args, &larder(registry()?)?, output),
        #[cfg(feature = "serving")]
        Some(Command::Undeploy(args)) => deploy::undeploy(&args, &larder(registry()?)?, output),
        Some(Command::Jobs(args)) => jobs::run(&args, &larder(registry()?)?, output),
        Some(Command::Job(args)) => job::run(&args, &larder(registry()?)?, output),
        Some(Command::Fire(args)) => fire::run(&args, &larder(registry()?)?, output),
        Some(Command::Work(args)) => work::run(&args, &larder(registry()?)?, output),
        #[cfg(feature = "server")]
        Some(Command::Serve(args)) => serve::run(&args, make(&url()?, registry()?)?, output),
        #[cfg(not(feature = "server"))]
        Some(Command::Serve(_)) => without_feature::run("serve", "server"),
        #[cfg(feature = "server")]
        Some(Command::Ui(args)) => ui::run(&args, larder(registry()?)?, output),
        #[cfg(not(feature = "server"))]
        Some(Command::Ui(_)) => without_feature::run("ui", "server"),
        #[cfg(feature = "http")]
        Some(Command::Login(args)) => login::run(&args, output),
        #[cfg(not(feature = "http"))]
        Some(Command::Login(_)) => without_feature::run("login", "http"),
        #[cfg(feature = "http")]
        Some(Command::Logout(args)) => login::logout(&args, output),
        #[cfg(not(feature = "http"))]
        Some(Command::Logout(_)) => without_feature::run("logout", "http"),
        Some(Command::Whoami(_)) => whoami::run(&url()?, output),
        Some(Command::User(args)) => user::run(&args, &make(&url()?, registry()?)?, output),
        Some(Command::Group(args)) => group::run(&args, &make(&url()?, registry()?)?, output),
        Some(Command::Token(args)) => token::run(&args, &larder(registry()?)?, output),
        Some(Command::Grant(args)) => grant::run(&args, &make(&url()?, registry()?)?, output),
        #[cfg(feature = "cedar")]
        Some(Command::Policy(args)) => policy::run(&args, &make(&url()?, registry()?)?, output),
        #[cfg(not(feature = "cedar"))]
        Some(Command::Policy(_)) => without_feature::run("policy", "cedar"),
        Some(Command::Can(args)) => can::run(&args, &larder(registry()?)?, output),
        Some(Command::Audit(args)) => audit::run(&args, &larder(registry()?)?, output),
        Some(Command::Types(_)) => types::run(&registry()?, output),
        Some(Command::Serializers(_)) => {
            serializers::run(&open_if_there(&url()?, registry()?)?, output)
        }
        Some(Command::Cache(args)) => cache::run(&args, output),
        Some(Command::Completions(args)) => completions::run(&args, program, output),
        Some(Command::Man(man)) => man::run(&man, args::command(), output),
    }
}
