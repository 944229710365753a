//! `tag` and `untag`: tags of versions.

use larder::store::TagName;
use larder::versions::Selector;
use larder::versions::TagOptions;
use larder::{Identifier, Larder, Reference, VersionInfo};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;

/// Sets or moves a tag to a version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The tag, such as `prod`
    #[arg(add = complete::tags())]
    tag: TagName,
    /// Only if the tag currently names this version
    #[arg(long, value_name = "REF", add = complete::references())]
    from: Option<Reference>,
    /// Only if the tag does not exist
    #[arg(long, conflicts_with = "from")]
    new: bool,
    /// Protect the tag: it is only moved or removed with --force
    #[arg(long)]
    protect: bool,
    /// Remove the protection; needs --force
    #[arg(long, conflicts_with = "protect", requires = "force")]
    unprotect: bool,
    /// Move the tag even if it is protected, or the version is not ready
    #[arg(long)]
    force: bool,
}

/// Removes a tag, but not its version
#[derive(clap::Args)]
pub(crate) struct UntagArgs {
    /// The tag: `name:tag`
    #[arg(value_name = "NAME:TAG", add = complete::name_tags())]
    reference: Qualified,
    /// Only if the tag currently names this version
    #[arg(long, value_name = "REF", add = complete::references())]
    from: Option<Reference>,
    /// Remove the tag even if it is protected
    #[arg(long)]
    force: bool,
}

impl Args {
    fn options(&self) -> TagOptions {
        let options = conditions(self.from.as_ref(), self.force);
        let options = if self.new { options.only_new(true) } else { options };
        match (self.protect, self.unprotect) {
            (true, _) => options.protected(true),
            (_, true) => options.protected(false),
            _ => options,
        }
    }
}

fn conditions(from: Option<&Reference>, force: bool) -> TagOptions {
    let options = TagOptions::new().force(force);
    match from {
        Some(from) => options.from(from.clone()),
        None => options,
    }
}

#[derive(Serialize)]
struct Tagged<'a> {
    outcome: Outcome,
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
    let find = || -> larder::Result<_> {
        let tags = larder.tags().of(args.reference.identifier())?;
        Ok(tags.into_iter().find(|tag| tag.tag == args.tag).map(|tag| (tag.version, tag.protected)))
    };
    let before = find()?;
    let version = larder.tags().set(&args.reference, &args.tag, &args.options())?;
    let changed = before != find()?;
    if output.is_json() {
        let (outcome, tag) = (Outcome::changed(changed), &args.tag);
        output.document(Tagged { outcome, tag, version: &version })?;
    } else if output.is_quiet() {
        output.references([&version])?;
    } else {
        let (name, reference) = (&version.identifier, version.reference());
        let done = if changed { "" } else { "unchanged: " };
        let digest = version.digest.short();
        output.line(&format!("{done}{name}:{} is {reference} ({digest})", args.tag))?;
    }
    Ok(())
}

pub(crate) fn untag(
    args: &UntagArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    let (name, tag) = tag_of(&args.reference)?;
    larder.tags().remove(name, tag, &conditions(args.from.as_ref(), args.force))?;
    if output.is_json() {
        output.document(RemovedTag { name, tag })?;
    } else {
        output.say(format_args!("removed the tag {}", args.reference));
    }
    Ok(())
}

/// Splits a reference into its name and its tag.
pub(crate) fn tag_of(reference: &Reference) -> Result<(&Identifier, &TagName), CommandError> {
    let name = reference.identifier();
    match reference.selector() {
        Selector::Tag(tag) => Ok((name, tag)),
        _ => Err(CommandError::new(
            Exit::Usage,
            format!("cannot use `{reference}`: it does not name a tag"),
        )
        .with_hint(format!("use `{name}:TAG`"))),
    }
}
