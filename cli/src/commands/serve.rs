//! `serve`: the larder and its models over HTTP.

use std::path::PathBuf;

use larder::Larder;
use larder::server::{Listen, Server, ServerOptions, Tls};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::command_error::CommandError;
use crate::output::Output;

/// Serves the larder and its models over HTTP
///
/// Requests need a token. In a larder without users, the first start creates the user `admin`, and prints a token for it, once.
/// The log goes to stderr, one JSON object a line; `LARDER_LOG=info` logs each request.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The address to listen on, or `unix:/PATH` for a socket that only this user may open
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7420")]
    listen: Listen,
    /// The certificates of the server, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", value_hint = clap::ValueHint::FilePath)]
    tls_cert: Option<PathBuf>,
    /// The private key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", value_hint = clap::ValueHint::FilePath)]
    tls_key: Option<PathBuf>,
    /// A proxy in front of the server speaks TLS
    #[arg(long)]
    behind_proxy: bool,
    /// Ask for no tokens, and listen on this machine only
    #[arg(long)]
    no_auth: bool,
    #[cfg(feature = "oidc")]
    #[command(flatten)]
    oidc: super::oidc_args::OidcArgs,
}

#[derive(Serialize)]
struct Started<'a> {
    url: &'a str,
    token: Option<&'a str>,
}

pub(crate) fn run(args: &Args, larder: Larder, output: &mut Output) -> Result<(), CommandError> {
    let mut options = ServerOptions::new()
        .listen(args.listen.clone())
        .behind_proxy(args.behind_proxy)
        .authenticate(!args.no_auth);
    if let (Some(certificates), Some(key)) = (&args.tls_cert, &args.tls_key) {
        options = options.tls(Tls { certificates: certificates.clone(), key: key.clone() });
    }
    #[cfg(feature = "oidc")]
    if let Some(oidc) = args.oidc.options()? {
        options = options.oidc(oidc);
    }
    let filter = EnvFilter::try_from_env("LARDER_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // A program that has a subscriber of its own keeps it.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    let server = Server::start(larder, &options)?;
    let (url, token) = (server.url(), server.first_token());
    if output.is_json() {
        output.document(Started { url: &url, token })?;
    } else {
        if let Some(token) = token {
            output.line(&format!("token of admin, not shown again: {token}"))?;
        }
        output.line(&format!("serving at {url}"))?;
    }
    output.flush()?;
    Ok(server.wait()?)
}
