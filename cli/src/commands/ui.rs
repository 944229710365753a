//! `ui`: the web page of the larder, for the user of this machine.

use std::io::IsTerminal;

use larder::Larder;
use larder::server::{Server, ServerOptions};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;

/// Opens the web page of the larder on this machine
///
/// Prints a link that works once, and opens it in the browser if there is one and stdout is a terminal. Only that browser is
/// answered; it may do everything. Deployments are shown, and served by `larder serve`. Ctrl-C ends it.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Print the link only, and open no browser
    #[arg(long)]
    no_open: bool,
}

#[derive(Serialize)]
struct Started<'a> {
    url: &'a str,
}

pub(crate) fn run(args: &Args, larder: Larder, output: &mut Output) -> Result<(), CommandError> {
    let server = Server::start(larder, &ServerOptions::local())?;
    let url = server.local_link().unwrap_or_else(|| server.url());
    if output.is_json() {
        output.document(Started { url: &url })?;
    } else {
        output.line(&url)?;
    }
    output.flush()?;
    if !args.no_open && std::io::stdout().is_terminal() && has_browser() {
        // The link is printed: without a browser it is opened by hand.
        let _ = open::that_detached(&url);
    }
    output.say("the link works once; ctrl-c ends the page");
    Ok(server.wait()?)
}

/// Returns whether there may be a browser with a screen.
fn has_browser() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
