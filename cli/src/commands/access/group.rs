//! `group`: groups of users.

use larder::Larder;
use larder::access::LarderAccess;
use serde::Serialize;

use super::report;
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Adds, lists and removes groups, and their members
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Adds a group
    Add {
        /// The name: a-z 0-9 . _ -
        group: String,
    },
    /// Lists groups with their members
    #[command(visible_alias = "ls")]
    List,
    /// Removes a group without members
    #[command(visible_alias = "rm")]
    Remove {
        /// The name
        group: String,
    },
    /// Adds a user to a group
    Join {
        /// The group
        group: String,
        /// The user or service
        user: String,
    },
    /// Removes a user from a group
    Leave {
        /// The group
        group: String,
        /// The user or service
        user: String,
    },
}

#[derive(Serialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Serialize)]
struct Group {
    group: String,
    members: Vec<String>,
}

#[derive(Serialize)]
struct Named<'a> {
    group: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    match &args.action {
        Action::Add { group } => {
            let is_new = access.add_group(group)?;
            let outcome = if is_new { Outcome::Created } else { Outcome::Unchanged };
            let done = format!("added the group {group}");
            let document = Named { group, user: None };
            report(output, outcome, &done, &format!("{group} is there"), document)
        }
        Action::List => list(larder, output),
        Action::Remove { group } => {
            access.remove_group(group)?;
            let done = format!("removed the group {group}");
            report(output, Outcome::Changed, &done, "", Named { group, user: None })
        }
        Action::Join { group, user } => {
            let outcome = Outcome::changed(access.set_member(group, user, true)?);
            let (done, otherwise) =
                (format!("{user} is in {group}"), format!("{user} is in {group}"));
            report(output, outcome, &done, &otherwise, Named { group, user: Some(user) })
        }
        Action::Leave { group, user } => {
            let outcome = Outcome::changed(access.set_member(group, user, false)?);
            let text = format!("{user} is not in {group}");
            report(output, outcome, &text, &text, Named { group, user: Some(user) })
        }
    }
}

fn list(larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    let users = access.users()?;
    let groups = access.groups()?.into_iter().map(|group| {
        let members = users.iter().filter(|user| user.groups.contains(&group));
        let members = members.map(|user| user.name.to_string()).collect();
        Group { group: group.to_string(), members }
    });
    let groups: Vec<Group> = groups.collect();
    if output.is_json() {
        return Ok(output.document(Groups { groups })?);
    }
    let rows = groups.into_iter().map(|group| [group.group, group.members.join(", ")]);
    Ok(output.table(["NAME", "MEMBERS"], rows)?)
}
