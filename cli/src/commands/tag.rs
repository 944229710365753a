//! `tag` and `untag`: movable names for versions.

use larder::{Identifier, Larder, Reference, Selector, TagName, VersionInfo};
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;

/// Lets a tag name a version, whatever it named before
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF")]
    reference: Reference,
    /// The tag, such as `prod`
    tag: TagName,
}

/// Takes a tag away; the version that it named stays
#[derive(clap::Args)]
pub(crate) struct UntagArgs {
    /// The tag with its name: `name:tag`
    #[arg(value_name = "NAME:TAG")]
    reference: Reference,
}

#[derive(Serialize)]
struct Tagged<'a> {
    tag: &'a TagName,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

#[derive(Serialize)]
struct Untagged<'a> {
    name: &'a Identifier,
    tag: &'a TagName,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let version = larder.tag(&args.reference, &args.tag)?;
    if output.is_json() {
        output.document(Tagged { tag: &args.tag, version: &version })?;
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
    let name = args.reference.identifier();
    let Selector::Tag(tag) = args.reference.selector() else {
        let message = format!("`{}` does not say which tag to take away", args.reference);
        return Err(
            CommandError::new(Exit::Usage, message).with_hint(format!("write `{name}:TAG`"))
        );
    };
    larder.untag(name, tag)?;
    if output.is_json() {
        output.document(Untagged { name, tag })?;
    } else {
        output.line(&format!("removed the tag {}", args.reference))?;
    }
    Ok(())
}
