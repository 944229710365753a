//! The command line: global options and commands. Each command declares its own arguments.

use std::fmt::Write as _;

use clap::{CommandFactory as _, Parser, Subcommand};
use unicode_width::UnicodeWidthStr as _;

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
    versions, whoami, work,
};
#[cfg(feature = "serving")]
use crate::commands::{deploy, deployments};
#[cfg(feature = "archive")]
use crate::commands::{export, import};
#[cfg(feature = "server")]
use crate::commands::{serve, ui};
use crate::global::Global;
use crate::output;

/// The maximum width of help.
const MOST_WIDTH: usize = 100;

/// A store for models and their components: typed, versioned, verified.
#[derive(Parser)]
#[command(name = "larder", version, max_term_width = MOST_WIDTH)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[command(visible_aliases = ["ls", "search"])]
    List(list::Args),
    Show(show::Args),
    Versions(versions::Args),
    Diff(diff::Args),
    Predict(predict::Args),
    Put(put::Args),
    Get(get::Args),
    #[command(visible_alias = "push")]
    Copy(copy::Args),
    Pull(copy::PullArgs),
    Mirror(mirror::Args),
    #[cfg(feature = "archive")]
    Export(export::Args),
    #[cfg(not(feature = "archive"))]
    Export(without_feature::Args),
    #[cfg(feature = "archive")]
    Import(import::Args),
    #[cfg(not(feature = "archive"))]
    Import(without_feature::Args),
    #[cfg(feature = "collections")]
    Collection(collection::Args),
    #[cfg(not(feature = "collections"))]
    Collection(without_feature::Args),
    Verify(verify::Args),
    #[command(visible_alias = "rm")]
    Remove(remove::Args),
    Restore(restore::Args),
    Gc(gc::Args),
    Doctor(doctor::Args),
    Tag(tag::Args),
    Untag(tag::UntagArgs),
    Migrate(migrate::Args),
    History(history::Args),
    Note(note::Args),
    Lock(lock::Args),
    Unlock(lock::UnlockArgs),
    #[cfg(feature = "serving")]
    Deploy(deploy::Args),
    #[cfg(not(feature = "serving"))]
    Deploy(without_feature::Args),
    #[cfg(feature = "serving")]
    Deployments(deployments::Args),
    #[cfg(not(feature = "serving"))]
    Deployments(without_feature::Args),
    #[cfg(feature = "serving")]
    Undeploy(deploy::UndeployArgs),
    #[cfg(not(feature = "serving"))]
    Undeploy(without_feature::Args),
    Jobs(jobs::Args),
    Job(job::Args),
    Fire(fire::Args),
    Work(work::Args),
    #[cfg(feature = "server")]
    Serve(serve::Args),
    #[cfg(not(feature = "server"))]
    Serve(without_feature::Args),
    #[cfg(feature = "server")]
    Ui(ui::Args),
    #[cfg(not(feature = "server"))]
    Ui(without_feature::Args),
    #[cfg(feature = "http")]
    Login(login::Args),
    #[cfg(not(feature = "http"))]
    Login(without_feature::Args),
    #[cfg(feature = "http")]
    Logout(login::LogoutArgs),
    #[cfg(not(feature = "http"))]
    Logout(without_feature::Args),
    Whoami(whoami::Args),
    User(user::Args),
    Group(group::Args),
    Token(token::Args),
    Grant(grant::Args),
    #[cfg(feature = "cedar")]
    Policy(policy::Args),
    #[cfg(not(feature = "cedar"))]
    Policy(without_feature::Args),
    Can(can::Args),
    Audit(audit::Args),
    Types(types::Args),
    Serializers(serializers::Args),
    Cache(cache::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// The groups of commands in the help, with the commands of each.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Everyday", &["list", "show", "put", "get", "predict", "diff"]),
    (
        "Versions and tags",
        &["versions", "tag", "untag", "history", "note", "lock", "unlock", "remove", "restore"],
    ),
    ("Data", &["collection"]),
    (
        "Upkeep",
        &[
            "verify", "doctor", "gc", "copy", "pull", "mirror", "export", "import", "migrate",
            "cache",
        ],
    ),
    ("Jobs", &["jobs", "job", "fire", "work"]),
    (
        "Server",
        &[
            "serve",
            "ui",
            "deploy",
            "deployments",
            "undeploy",
            "login",
            "logout",
            "whoami",
            "user",
            "group",
            "token",
            "grant",
            "policy",
            "can",
            "audit",
        ],
    ),
    ("Set-up", &["types", "serializers", "completions", "man", "help"]),
];

/// The command line, whose help lists the commands in groups.
pub(crate) fn command() -> clap::Command {
    let command = Cli::command();
    let groups = groups(&command);
    let heading = *command.get_styles().get_header();
    command.help_template(format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{groups}\n{heading}Global options:{heading:#}\n{{options}}{{after-help}}"
    ))
}

fn groups(command: &clap::Command) -> String {
    let (heading, literal) = {
        let styles = command.get_styles();
        (*styles.get_header(), *styles.get_literal())
    };
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (group, names) in GROUPS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{heading}{group}:{heading:#}");
        for name in names {
            let known = command.find_subcommand(name);
            let about = known.and_then(clap::Command::get_about).map(ToString::to_string);
            let about =
                about.unwrap_or_else(|| "Prints this help, or the help of a command".into());
            let aliases: Vec<_> =
                known.map(|known| known.get_visible_aliases().collect()).unwrap_or_default();
            let aliases = match aliases[..] {
                [] => String::new(),
                _ => format!(" [{}]", aliases.join(", ")),
            };
            let about = wrapped(&format!("{about}{aliases}"), width + 4);
            let _ = writeln!(text, "  {literal}{name:width$}{literal:#}  {about}");
        }
    }
    text
}

/// Breaks lines that are longer than the terminal is wide, and indents those that follow.
fn wrapped(text: &str, indent: usize) -> String {
    let width = output::width().unwrap_or(MOST_WIDTH).min(MOST_WIDTH).saturating_sub(indent);
    let (mut wrapped, mut at) = (String::new(), 0);
    for word in text.split(' ') {
        if at > 0 && at + 1 + word.width() > width {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            at = 0;
        } else if at > 0 {
            wrapped.push(' ');
            at += 1;
        }
        wrapped.push_str(word);
        at += word.width();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = Cli::command();
        let mut known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        known.push("help");
        let mut grouped: Vec<_> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        known.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(known, grouped);
    }
}
