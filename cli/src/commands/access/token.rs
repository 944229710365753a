//! `token`: what programs sign in with.

use std::time::Duration;

use larder::access::{LarderAccess, PrincipalName, Role, Scope, TokenInfo, TokenOptions};
use larder::{Error, Larder};
use serde::Serialize;

use super::report;
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Creates, lists and revokes tokens
///
/// A program sends its token with each request: `LARDER_TOKEN` for this program.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Creates a token, and prints it once
    Create {
        /// The user or service that it is for
        user: String,
        /// A text for people, such as the program that uses it
        #[arg(long, default_value = "")]
        label: String,
        /// Narrow it to a role on names, such as `user:house/*`; may be repeated
        #[arg(long, value_name = "ROLE:NAMES", value_parser = scope)]
        scope: Vec<Scope>,
        /// When it ends, such as `12h`; or `never`
        #[arg(long, value_name = "TIME", default_value = "90days", value_parser = lifetime)]
        expires: Lifetime,
    },
    /// Lists tokens, without their secrets
    #[command(visible_alias = "ls")]
    List {
        /// Only those of this user or service
        user: Option<String>,
    },
    /// Revokes a token, at once
    Revoke {
        /// The id, as `list` prints it
        id: String,
    },
}

#[derive(Debug, Clone, Copy)]
struct Lifetime(Option<Duration>);

fn lifetime(text: &str) -> Result<Lifetime, String> {
    match text {
        "never" => Ok(Lifetime(None)),
        text => match humantime::parse_duration(text) {
            Ok(time) => Ok(Lifetime(Some(time))),
            Err(error) => Err(format!("{error}; write a time such as `30days`, or `never`")),
        },
    }
}

fn scope(text: &str) -> Result<Scope, String> {
    let Some((role, names)) = text.split_once(':') else {
        return Err("write a role and a pattern of names, such as `user:house/*`".into());
    };
    let role: Role = role.parse().map_err(|error: Error| error.to_string())?;
    Ok(Scope { role, names: names.to_owned() })
}

#[derive(Serialize)]
struct Created<'a> {
    secret: &'a str,
    #[serde(flatten)]
    info: &'a TokenInfo,
}

#[derive(Serialize)]
struct Tokens {
    tokens: Vec<TokenInfo>,
}

#[derive(Serialize)]
struct Revoked<'a> {
    id: &'a str,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    match &args.action {
        Action::Create { user, label, scope, expires } => {
            let mut options = TokenOptions::new().label(label).lifetime(expires.0);
            for scope in scope {
                options = options.scope(scope.role, &scope.names);
            }
            let created = access.create_token(user, &options)?;
            if output.is_json() {
                let document = Created { secret: &created.secret, info: &created.info };
                return Ok(output.document(document)?);
            }
            output.line(&created.secret)?;
            let ends = match created.info.expires {
                Some(end) => format!("ends {}", crate::text::time(end)),
                None => "never ends".to_owned(),
            };
            output
                .say(format!("token {} of {user}, {ends}; it is not shown again", created.info.id));
            Ok(())
        }
        Action::List { user } => {
            let owner = user.as_deref().map(PrincipalName::new).transpose()?;
            let tokens = access.tokens(owner.as_ref())?;
            if output.is_json() {
                return Ok(output.document(Tokens { tokens })?);
            }
            let rows: Vec<_> = tokens.iter().map(|token| row(token, output)).collect();
            Ok(output.table(["ID", "OWNER", "SCOPES", "EXPIRES", "STATE", "LABEL"], rows)?)
        }
        Action::Revoke { id } => {
            let outcome = Outcome::changed(access.revoke(id)?);
            let (done, otherwise) = (format!("revoked {id}"), format!("{id} is revoked"));
            report(output, outcome, &done, &otherwise, Revoked { id })
        }
    }
}

fn row(token: &TokenInfo, output: &Output) -> [String; 6] {
    let scopes = match &token.scopes {
        None => "all of its owner".to_owned(),
        Some(scopes) => {
            let scopes = scopes.iter().map(|scope| format!("{}:{}", scope.role, scope.names));
            scopes.collect::<Vec<_>>().join(" ")
        }
    };
    let expires = token.expires.map_or_else(|| "never".to_owned(), crate::text::time);
    let is_over =
        token.expires.is_some_and(|end| end.as_system_time() <= std::time::SystemTime::now());
    let state = match (token.revoked, is_over) {
        (Some(time), _) => format!("revoked {}", output.time(time)),
        (None, true) => "expired".to_owned(),
        (None, false) => "valid".to_owned(),
    };
    [token.id.clone(), token.owner.to_string(), scopes, expires, state, token.label.clone()]
}
