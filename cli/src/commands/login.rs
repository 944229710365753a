//! `login` and `logout`: the token for a server, kept in the user's configuration.

use std::io::{self, IsTerminal, Read};

use larder::StoreUrl;
use larder::client::tokens;
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Maximum size in bytes of what is read as a token.
const MOST: u64 = 16 << 10;

/// Keeps the token for a server, for later commands and programs
///
/// The token is typed in, or read from stdin: `pass larder | larder login https://larder.example.com`. It is tried first, and kept in
/// `larder/tokens.json` in the configuration folder, which only you can read. `LARDER_TOKEN` takes precedence.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The URL of the server, such as `https://larder.example.com`
    url: StoreUrl,
}

/// Forgets the token for a server
///
/// The token itself stays valid: `larder token revoke` ends it.
#[derive(clap::Args)]
pub(crate) struct LogoutArgs {
    /// The URL of the server
    url: StoreUrl,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Result<(), CommandError> {
    let token = typed()?;
    let token = token.trim();
    let user = tokens::owner(&args.url, token)?;
    let kept = tokens::save(&args.url, token)?;
    let outcome = Outcome::changed(kept.is_new);
    let (server, user) = (kept.origin.as_str(), user.as_deref());
    if output.is_json() {
        return Ok(output.document(Document { outcome, server, user })?);
    }
    Ok(output.line(&match user {
        Some(user) => format!("signed in at {server} as {user}"),
        None => format!("signed in at {server}, which asks for no token"),
    })?)
}

pub(crate) fn logout(args: &LogoutArgs, output: &mut Output) -> Result<(), CommandError> {
    let kept = tokens::remove(&args.url)?;
    let (outcome, server) = (Outcome::changed(kept.is_new), kept.origin.as_str());
    if output.is_json() {
        return Ok(output.document(Document { outcome, server, user: None })?);
    }
    Ok(output.line(&match kept.is_new {
        true => format!("forgot the token for {server}"),
        false => format!("unchanged: there is no token for {server}"),
    })?)
}

/// Reads a token from stdin, without showing it on a terminal.
fn typed() -> Result<String, CommandError> {
    let failed = |error: io::Error| larder::Error::store("read the token from stdin", error);
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Ok(rpassword::prompt_password("token: ").map_err(failed)?);
    }
    let mut text = String::new();
    stdin.lock().take(MOST).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
