//! `can`: whether somebody may do something, and why.

use larder::access::{LarderAccess, Principal, PrincipalName, Resource};
use larder::store::{Absence, Action, TagName};
use larder::{Identifier, Larder};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Says whether a user may do something, and which grant or policy says so
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The user or service
    user: String,
    /// `read`, `predict`, `write`, `tag`, `annotate`, `run`, `deploy`, `maintain` or `administer`
    action: Action,
    /// The name; the whole larder without one
    #[arg(add = complete::names())]
    name: Option<Qualified<Identifier>>,
    /// The tag of the name that it is about, which policies may ask for
    #[arg(long, requires = "name")]
    tag: Option<TagName>,
}

#[derive(Serialize)]
struct Document<'a> {
    user: &'a str,
    action: &'a str,
    allowed: bool,
    because: &'a str,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let access = larder.access();
    let name = PrincipalName::new(&args.user)?;
    let known = access.users()?;
    let Some(user) = known.iter().find(|user| user.name == name) else {
        let similar = known.iter().map(|user| user.name.to_string()).collect();
        let reference = format!("the user {name}");
        return Err(larder::Error::NotFound { reference, similar, absence: Absence::NoUser }.into());
    };
    let principal = Principal { name, groups: user.groups.clone(), token: None, scopes: None };
    let resource = match &args.name {
        Some(name) => match &args.tag {
            Some(tag) => Resource::Tag(name.into(), tag.clone()),
            None => Resource::Name(name.into()),
        },
        None => Resource::Larder,
    };
    let decision = access.rules()?.authorize(&principal, args.action, &resource);
    let (allowed, because) = (decision.is_allowed(), decision.because());
    if output.is_json() {
        let (user, action) = (args.user.as_str(), args.action.as_str());
        output.document(Document { user, action, allowed, because })?;
    } else {
        output.line(&format!("{}: {because}", if allowed { "yes" } else { "no" }))?;
    }
    if allowed { Ok(()) } else { Err(CommandError::silent(Exit::Denied)) }
}
