//! `login` and `logout`: the token for a server, kept in the user's configuration.

use std::io::{self, IsTerminal, Read};

use larder::StoreUrl;
use larder::client::login::{DeviceLogin, log_out};
use larder::client::tokens;
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::{Outcome, Output};

/// Maximum size in bytes of what is read as a token.
const MOST: u64 = 16 << 10;

/// Signs in to a server, and keeps the token for later commands and programs
///
/// On a server with single sign-on, it prints a page to open in the browser of any device. Otherwise the token is typed in, or
/// read from stdin: `pass larder | larder login https://larder.example.com`. It is tried first, and kept in `larder/tokens.json` in
/// the configuration folder, which only you can read. `LARDER_TOKEN` takes precedence.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The URL of the server, such as `https://larder.example.com`
    url: StoreUrl,
    /// Use a token that is typed in, or read from stdin, on a server with single sign-on too
    #[arg(long)]
    token_stdin: bool,
}

/// Forgets the token for a server
///
/// The session of a sign-in ends on the server too. A token that somebody created stays valid: `larder token revoke` ends it.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<bool>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Result<(), CommandError> {
    let token = token(args, output)?;
    let token = token.trim();
    let user = tokens::owner(&args.url, token)?;
    let kept = tokens::save(&args.url, token)?;
    let outcome = Outcome::changed(kept.is_new);
    let (server, user) = (kept.origin.as_str(), user.as_deref());
    if output.is_json() {
        return Ok(output.document(Document { outcome, server, user, revoked: None })?);
    }
    Ok(output.line(&match user {
        Some(user) => format!("signed in at {server} as {user}"),
        None => format!("signed in at {server}, which asks for no token"),
    })?)
}

/// Returns the token that is given, or one of a sign-in.
fn token(args: &Args, output: &mut Output) -> Result<String, CommandError> {
    let given = match args.token_stdin || !io::stdin().is_terminal() {
        true => typed()?,
        false => String::new(),
    };
    if args.token_stdin || !given.trim().is_empty() {
        return Ok(given);
    }
    match DeviceLogin::begin(&args.url)? {
        Some(device) => on_device(device, output),
        None if io::stdin().is_terminal() => typed(),
        None => Ok(given),
    }
}

/// Waits until somebody signed in at the provider of identities.
fn on_device(device: DeviceLogin, output: &mut Output) -> Result<String, CommandError> {
    let said = match device.page_with_code() {
        Some(page) => format!("open {page} and compare the code {}", device.code()),
        None => format!("open {} and enter the code {}", device.page(), device.code()),
    };
    // With JSON too: nobody could go on without it.
    anstream::eprintln!("{}", crate::text::clean(&said));
    output.flush()?;
    Ok(device.finish()?.token)
}

pub(crate) fn logout(args: &LogoutArgs, output: &mut Output) -> Result<(), CommandError> {
    // The token is forgotten, whatever the server says.
    let revoked = log_out(&args.url).unwrap_or_default();
    let kept = tokens::remove(&args.url)?;
    let (outcome, server) = (Outcome::changed(kept.is_new), kept.origin.as_str());
    if output.is_json() {
        let revoked = Some(revoked);
        return Ok(output.document(Document { outcome, server, user: None, revoked })?);
    }
    Ok(output.line(&match (kept.is_new, revoked) {
        (true, true) => format!("signed out of {server}; the token is revoked"),
        (true, false) => format!("forgot the token for {server}"),
        (false, _) => format!("unchanged: there is no token for {server}"),
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
