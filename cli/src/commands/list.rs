//! `list`: what a larder holds.

use std::io;

use larder::{Larder, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;
use crate::text;

/// Lists every name with its newest version
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Listed<'a> {
    versions: &'a [VersionInfo],
}

pub(crate) fn run(larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let mut versions = Vec::new();
    let mut failure = None;
    for found in larder.list() {
        match found {
            Ok(version) => versions.push(version),
            // One damaged name does not hide the others.
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    let printed = print(&versions, larder, output);
    // A failure counts for more than a reader that has gone away.
    match failure {
        None => Ok(printed?),
        Some(error) => Err(error.into()),
    }
}

fn print(versions: &[VersionInfo], larder: &Larder, output: &mut Output) -> io::Result<()> {
    if output.is_json() {
        return output.document(Listed { versions });
    }
    if versions.is_empty() {
        output.say(format!("nothing to list in {}", larder.store().url()));
        return Ok(());
    }
    output.table(
        ["NAME", "VERSION", "TYPE", "SIZE", "CREATED", "DIGEST"],
        versions.iter().map(|version| {
            [
                version.identifier.to_string(),
                version.version.to_string(),
                version.type_tag.to_string(),
                text::size(version.size),
                text::time(version.created),
                version.digest.short(),
            ]
        }),
    )
}
