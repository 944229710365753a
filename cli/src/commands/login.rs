//! `login` and `logout`: the token for a server, kept for the user.

use std::io::{IsTerminal as _, Read as _};

use larder::StoreUrl;
use larder::client::login::{DeviceLogin, log_out, who_is};
use larder::client::tokens;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::{Outcome, Output};

/// The maximum number of bytes of a token.
const MOST_TOKEN: u64 = 16 << 10;

/// Signs in to a server, and keeps its token
///
/// With single sign-on, it prints a page to open, in the browser of any device. Otherwise it asks for a token. The token is
/// kept in `larder/tokens.json` in the user's configuration, which only the user can read. `LARDER_TOKEN` takes precedence.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server, such as `https://larder.example.com`
    #[arg(value_name = "URL", add = crate::complete::urls())]
    url: StoreUrl,
    /// Read the token from stdin
    #[arg(long)]
    token_stdin: bool,
}

/// Forgets the token for a server, and ends its session
///
/// A token that somebody created stays valid: `larder token revoke` revokes it.
#[derive(clap::Args)]
pub(crate) struct LogoutArgs {
    /// The server, such as `https://larder.example.com`
    #[arg(value_name = "URL", add = crate::complete::urls())]
    url: StoreUrl,
}

#[derive(Serialize)]
struct LoggedIn<'a> {
    server: &'a str,
    user: Option<&'a str>,
}

#[derive(Serialize)]
struct LoggedOut {
    outcome: Outcome,
    revoked: bool,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Result<(), CommandError> {
    let token = match args.token_stdin {
        true => of_stdin()?,
        false => match DeviceLogin::begin(&args.url)? {
            Some(device) => on_device(device, output)?,
            None => asked()?,
        },
    };
    let who = who_is(&args.url, &token)?;
    let server = tokens::save(&args.url, &token)?;
    let user = who.name.as_deref();
    if output.is_json() {
        return Ok(output.document(LoggedIn { server: &server, user })?);
    }
    Ok(match user {
        Some(user) => output.line(&format!("logged in to {server} as {user}")),
        None => output.line(&format!("kept the token for {server}, which asks for none")),
    }?)
}

/// Waits until somebody signed in at the provider of identities.
fn on_device(device: DeviceLogin, output: &mut Output) -> Result<String, CommandError> {
    // With JSON too: without it nobody could go on.
    let said = match device.page_with_code() {
        Some(page) => format!("open {page} and compare the code {}", device.code()),
        None => format!("open {} and enter the code {}", device.page(), device.code()),
    };
    anstream::eprintln!("{}", crate::text::clean(&said));
    output.flush()?;
    Ok(device.finish()?.token)
}

fn of_stdin() -> Result<String, CommandError> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(MOST_TOKEN).read_to_string(&mut text);
    read.map_err(|error| CommandError::reading("the token", &error))?;
    Ok(text.trim().to_owned())
}

/// Asks for the token at the terminal, which does not show it.
fn asked() -> Result<String, CommandError> {
    if !std::io::stdin().is_terminal() {
        let message = "cannot log in: the server has no single sign-on, and there is no terminal";
        let hint = "give the token on stdin, with `--token-stdin`";
        return Err(CommandError::new(Exit::Failure, message).with_hint(hint));
    }
    let token = rpassword::prompt_password("token: ");
    let token = token.map_err(|error| CommandError::reading("the token", &error))?;
    Ok(token.trim().to_owned())
}

pub(crate) fn logout(args: &LogoutArgs, output: &mut Output) -> Result<(), CommandError> {
    // The token is forgotten, whatever the server says.
    let ended = log_out(&args.url);
    let is_changed = tokens::remove(&args.url)?;
    let revoked = ended.as_ref().is_ok_and(|revoked| *revoked);
    if output.is_json() {
        return Ok(output.document(LoggedOut { outcome: Outcome::changed(is_changed), revoked })?);
    }
    let text = match (is_changed, revoked) {
        (false, false) => "unchanged: no token is kept for this server",
        (true, false) => "forgot the token; it stays valid until it ends or is revoked",
        (_, true) => "logged out; the token is revoked",
    };
    Ok(output.line(text)?)
}
