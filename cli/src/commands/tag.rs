//! `tag` and `untag`: movable names for versions.

use larder::{Identifier, Larder, Reference, Selector, TagName, TagOptions, VersionInfo};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Lets a tag name a version, whatever it named before
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The tag, such as `prod`
    tag: TagName,
    /// Only if the tag names this version now
    #[arg(long, value_name = "REF", add = complete::references())]
    from: Option<Reference>,
    /// Only if there is no such tag yet
    #[arg(long, conflicts_with = "from")]
    new: bool,
    /// Protect it: from then on it is moved and removed with --force only
    #[arg(long)]
    protect: bool,
    /// End its protection, with --force
    #[arg(long, conflicts_with = "protect", requires = "force")]
    unprotect: bool,
    /// Move it even if it is protected
    #[arg(long)]
    force: bool,
}

/// Takes a tag away; the version that it named stays
#[derive(clap::Args)]
pub(crate) struct UntagArgs {
    /// The tag with its name: `name:tag`
    #[arg(value_name = "NAME:TAG", add = complete::references())]
    reference: Qualified,
    /// Only if the tag names this version now
    #[arg(long, value_name = "REF", add = complete::references())]
    from: Option<Reference>,
    /// Remove it even if it is protected
    #[arg(long)]
    force: bool,
}

impl Args {
    fn options(&self) -> TagOptions {
        let options = conditions(self.from.as_ref(), self.force);
        let options = if self.new { options.only_new() } else { options };
        match (self.protect, self.unprotect) {
            (true, _) => options.protect(),
            (_, true) => options.unprotect(),
            _ => options,
        }
    }
}

fn conditions(from: Option<&Reference>, force: bool) -> TagOptions {
    let options = TagOptions::new();
    let options = if force { options.force() } else { options };
    match from {
        Some(from) => options.from(from.clone()),
        None => options,
    }
}

#[derive(Serialize)]
struct Tagged<'a> {
    tag: &'a TagName,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

#[derive(Serialize)]
struct RemovedTag<'a> {
    name: &'a Identifier,
    tag: &'a TagName,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let version = larder.tag_with(&args.reference, &args.tag, &args.options())?;
    if output.is_json() {
        output.document(Tagged { tag: &args.tag, version: &version })?;
    } else if output.is_quiet() {
        output.references([&version])?;
    } else {
        let (name, reference) = (&version.identifier, Larder::pin(&version));
        output.line(&format!("{name}:{} is {reference} ({})", args.tag, version.digest.short()))?;
    }
    Ok(())
}

pub(crate) fn untag(
    args: &UntagArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let (name, tag) = tag_of(&args.reference)?;
    larder.untag_with(name, tag, &conditions(args.from.as_ref(), args.force))?;
    if output.is_json() {
        output.document(RemovedTag { name, tag })?;
    } else {
        output.say(format_args!("removed the tag {}", args.reference));
    }
    Ok(())
}

/// The name and the tag of a reference that has one.
pub(crate) fn tag_of(reference: &Reference) -> Result<(&Identifier, &TagName), CommandError> {
    let name = reference.identifier();
    match reference.selector() {
        Selector::Tag(tag) => Ok((name, tag)),
        _ => Err(CommandError::new(Exit::Usage, format!("`{reference}` does not say which tag"))
            .with_hint(format!("write `{name}:TAG`"))),
    }
}
