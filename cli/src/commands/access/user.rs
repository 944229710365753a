//! `user`: people and services.

use larder::Larder;
use larder::access::{LarderAccess, UserInfo};
use serde::Serialize;

use super::{joined, report};
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Adds, lists and removes users and services
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Adds a person, or a service
    Add {
        /// The name: a-z 0-9 . _ -
        name: String,
        /// It is a program, which signs in with tokens only
        #[arg(long)]
        service: bool,
        /// A group that it is in; may be repeated
        #[arg(long, value_name = "GROUP")]
        group: Vec<String>,
    },
    /// Lists users and services
    #[command(visible_alias = "ls")]
    List,
    /// Removes a user or a service; its tokens end at once
    #[command(visible_alias = "rm")]
    Remove {
        /// The name
        name: String,
    },
}

#[derive(Serialize)]
struct Users {
    users: Vec<UserInfo>,
}

#[derive(Serialize)]
struct User<'a> {
    user: &'a str,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    match &args.action {
        Action::Add { name, service, group } => {
            let groups: Vec<&str> = group.iter().map(String::as_str).collect();
            let (what, is_new) = match service {
                true => ("service", access.add_service(name, &groups)?),
                false => ("user", access.add_user(name, &groups)?),
            };
            let outcome = if is_new { Outcome::Created } else { Outcome::Unchanged };
            let (done, otherwise) =
                (format!("added the {what} {name}"), format!("{name} is there"));
            report(output, outcome, &done, &otherwise, User { user: name })
        }
        Action::List => {
            let users = access.users()?;
            if output.is_json() {
                return Ok(output.document(Users { users })?);
            }
            let rows: Vec<_> = users
                .iter()
                .map(|user| {
                    let created = output.time(user.created);
                    [user.name.to_string(), user.kind.to_string(), joined(&user.groups), created]
                })
                .collect();
            Ok(output.table(["NAME", "KIND", "GROUPS", "CREATED"], rows)?)
        }
        Action::Remove { name } => {
            access.remove_user(name)?;
            let done = format!("removed {name}; its tokens no longer hold");
            report(output, Outcome::Changed, &done, "", User { user: name })
        }
    }
}
