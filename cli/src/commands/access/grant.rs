//! `grant`: roles of users and groups on names.

use larder::Larder;
use larder::access::{Grant, LarderAccess, Role, Subject};
use serde::Serialize;

use super::report;
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Grants roles on names, lists grants, and takes them back
///
/// viewer: reads; user: also predicts; writer: also applies, removes, tags, annotates and runs jobs; operator: also deploys and
/// collects garbage; admin: also changes users, tokens and grants. What nobody granted is denied.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Grants a role
    Add(Granted),
    /// Lists grants
    #[command(visible_alias = "ls")]
    List,
    /// Takes a grant back
    #[command(visible_alias = "rm")]
    Remove(Granted),
}

#[derive(clap::Args)]
struct Granted {
    /// Who: `user:NAME`, `group:NAME` or `everyone`
    #[arg(value_name = "WHO")]
    subject: Subject,
    /// The role: `viewer`, `user`, `writer`, `operator` or `admin`
    role: Role,
    /// The names, such as `house/*`; `*` alone is the whole larder
    names: String,
}

#[derive(Serialize)]
struct Document<'a> {
    subject: &'a Subject,
    role: Role,
    names: &'a str,
}

#[derive(Serialize)]
struct Grants {
    grants: Vec<Grant>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    match &args.action {
        Action::Add(Granted { subject, role, names }) => {
            let is_new = access.grant(subject, *role, names)?;
            let outcome = if is_new { Outcome::Created } else { Outcome::Unchanged };
            let done = format!("{subject} is {role} on {names}");
            report(output, outcome, &done, &done, Document { subject, role: *role, names })
        }
        Action::List => {
            let grants = access.rules()?.grants().to_vec();
            if output.is_json() {
                return Ok(output.document(Grants { grants })?);
            }
            let rows: Vec<_> = grants
                .into_iter()
                .map(|it| {
                    let created = output.time(it.created);
                    [it.subject.to_string(), it.role.to_string(), it.names, created]
                })
                .collect();
            Ok(output.table(["WHO", "ROLE", "NAMES", "GRANTED"], rows)?)
        }
        Action::Remove(Granted { subject, role, names }) => {
            access.revoke_grant(subject, *role, names)?;
            let done = format!("{subject} is no longer {role} on {names}");
            let document = Document { subject, role: *role, names };
            report(output, Outcome::Changed, &done, "", document)
        }
    }
}
