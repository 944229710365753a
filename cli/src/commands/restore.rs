//! `restore`: restoring removed versions.

use larder::maintenance::LarderMaintenance;
use larder::maintenance::RemovedVersion;
use larder::{Identifier, Larder, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Restores a removed version, unless its blobs were collected
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name@7`
    #[arg(value_name = "REF", required_unless_present = "list", add = complete::removed())]
    reference: Option<Qualified>,
    /// List the removed versions of a name
    #[arg(long, value_name = "NAME", conflicts_with = "reference", add = complete::names())]
    list: Option<Qualified<Identifier>>,
}

#[derive(Serialize)]
struct Restored<'a> {
    outcome: Outcome,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a [RemovedVersion],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    if let Some(name) = &args.list {
        return list(&larder.maintenance().removed(name)?, output);
    }
    let Some(reference) = &args.reference else { return Ok(()) };
    let was_there = larder.show(reference).is_ok();
    let version = &larder.maintenance().restore(reference)?;
    if output.is_json() {
        let outcome = if was_there { Outcome::Unchanged } else { Outcome::Restored };
        output.document(Restored { outcome, version })?;
    } else if output.is_quiet() {
        output.references([version])?;
    } else {
        let (reference, size) = (version.reference(), text::size(version.size));
        let done = if was_there { "unchanged: not removed:" } else { "restored" };
        output.line(&format!("{done} {reference} ({}, {size})", version.digest.short()))?;
    }
    Ok(())
}

fn list(removed: &[RemovedVersion], output: &mut Output) -> Result<(), CommandError> {
    if output.is_json() {
        output.document(Removed { removed })?;
        return Ok(());
    }
    if output.is_quiet() {
        return Ok(output.references(removed.iter().map(|removed| &removed.version))?);
    }
    if removed.is_empty() {
        output.say("no removed versions");
        return Ok(());
    }
    let row = |RemovedVersion { version, removed, collected, .. }: &RemovedVersion| {
        [
            version.version.to_string(),
            version.type_tag.to_string(),
            text::size(version.size),
            output.time(*removed),
            if collected.is_some() { "collected" } else { "present" }.to_owned(),
            version.digest.short(),
        ]
    };
    let rows: Vec<_> = removed.iter().map(row).collect();
    Ok(output.table(["VERSION", "TYPE", "SIZE", "REMOVED", "BYTES", "DIGEST"], rows)?)
}
