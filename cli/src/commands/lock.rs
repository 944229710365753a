//! `lock` and `unlock`: protection of versions and names.

use larder::store::VersionNumber;
use larder::{Identifier, Larder, Reference};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;

/// Locks a version or a name against changes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name@7`, `name:tag`, `name:latest` or `name@b3:1f2e`; or a name
    #[arg(value_name = "REF|NAME", add = complete::references())]
    reference: Qualified<String>,
}

/// Unlocks a version or a name
#[derive(clap::Args)]
pub(crate) struct UnlockArgs {
    /// The version or name
    #[arg(value_name = "REF|NAME", add = complete::references())]
    reference: Qualified<String>,
}

#[derive(Serialize)]
struct Locked<'a> {
    outcome: Outcome,
    locked: bool,
    name: &'a Identifier,
    version: Option<VersionNumber>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    set(&args.reference, true, larder, output)
}

pub(crate) fn unlock(
    args: &UnlockArgs,
    larder: &Larder,
    output: &mut Output,
) -> Result<(), CommandError> {
    set(&args.reference, false, larder, output)
}

fn set(text: &str, locked: bool, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let reference: Reference = text.parse()?;
    let name = reference.identifier();
    let was_locked = match text == name.as_str() {
        true => larder.show(name).is_ok_and(|shown| shown.name_locked.is_some()),
        false => larder.annotations(&reference)?.locked.is_some(),
    };
    let version = match (text == name.as_str(), locked) {
        (true, true) => larder.locks().lock_name(name).map(|()| None),
        (true, false) => larder.locks().unlock_name(name).map(|()| None),
        (false, true) => larder.locks().lock_version(&reference).map(Some),
        (false, false) => larder.locks().unlock_version(&reference).map(Some),
    }?;
    if output.is_json() {
        let version = version.map(|version| version.version);
        let outcome = Outcome::changed(was_locked != locked);
        return Ok(output.document(Locked { outcome, locked, name, version })?);
    }
    if output.is_quiet() {
        return Ok(match &version {
            Some(version) => output.references([version]),
            None => output.line(name.as_str()),
        }?);
    }
    let verb = match (locked, was_locked) {
        (true, false) => "locked",
        (false, true) => "unlocked",
        (true, true) => "unchanged: already locked:",
        (false, false) => "unchanged: not locked:",
    };
    Ok(match version {
        Some(version) => output.line(&format!("{verb} {}", version.reference())),
        None => output.line(&format!("{verb} the name {name}")),
    }?)
}
