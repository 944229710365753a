//! `put`: a file or folder becomes a version.

use std::path::PathBuf;

use larder::{Applied, Identifier, Larder, TagName, Tree, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// Keeps a file or a folder as a new version; makes the larder if there is none
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name to keep it under
    name: Identifier,
    /// The file or folder; links, devices and pipes in it are refused
    #[arg(value_name = "FILE|DIR")]
    path: PathBuf,
    /// Let this tag name the version
    #[arg(long)]
    tag: Option<TagName>,
}

#[derive(Serialize)]
struct Put<'a> {
    created: bool,
    tag: Option<&'a TagName>,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

pub(crate) fn run(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    // No larder is made for what cannot be kept.
    let tree = Tree::read(&args.path)?;
    let larder = larder()?;
    let applied = larder.apply(&args.name, &tree)?;
    let version = applied.version();
    if let Some(tag) = &args.tag {
        larder.tag(Larder::pin(version), tag)?;
    }
    if output.is_json() {
        let (created, tag) = (applied.is_created(), args.tag.as_ref());
        output.document(Put { created, tag, version })?;
        return Ok(());
    }
    let verb = match applied {
        Applied::Created(_) => "put",
        Applied::Unchanged(_) => "unchanged:",
    };
    let (reference, digest) = (Larder::pin(version), version.digest.short());
    output.line(&format!("{verb} {reference} ({digest}, {})", text::size(version.size)))?;
    if let Some(tag) = &args.tag {
        output.line(&format!("{}:{tag} is {reference}", args.name))?;
    }
    Ok(())
}
