//! `whoami`: who the commands run as.

use larder::StoreUrl;
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;

/// Says who you are for the larder
///
/// On a server, the owner of the token, with its groups and grants. On a larder of your own, the author of versions and tag moves.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// On a larder of one's own.
#[derive(Serialize)]
struct Author {
    name: Option<String>,
    authenticated: bool,
}

pub(crate) fn run(url: &StoreUrl, output: &mut Output) -> Result<(), CommandError> {
    #[cfg(feature = "http")]
    if matches!(url.scheme(), "http" | "https") {
        return on_server(url, output);
    }
    #[cfg(not(feature = "http"))]
    if matches!(url.scheme(), "http" | "https") {
        return Err(CommandError::without_feature(format!("ask {url} who you are"), "http"));
    }
    let name = crate::open::author();
    if output.is_json() {
        return Ok(output.document(Author { name, authenticated: false })?);
    }
    Ok(output.line(name.as_deref().unwrap_or("nobody: set LARDER_AUTHOR"))?)
}

#[cfg(feature = "http")]
fn on_server(url: &StoreUrl, output: &mut Output) -> Result<(), CommandError> {
    use larder::client::login::who_am_i;

    let who = who_am_i(url)?;
    if output.is_json() {
        return Ok(output.document(who)?);
    }
    output.line(who.name.as_deref().unwrap_or("anybody: the server asks for no token"))?;
    if !who.groups.is_empty() {
        output.line(&format!("in {}", who.groups.join(", ")))?;
    }
    for grant in &who.grants {
        output.line(&format!("{} on {}", grant.role, grant.names))?;
    }
    if let Some(scopes) = &who.scopes {
        let scopes = scopes.iter().map(|scope| format!("{}:{}", scope.role, scope.names));
        output.line(&format!("token for {}", scopes.collect::<Vec<_>>().join(" ")))?;
    }
    Ok(())
}
