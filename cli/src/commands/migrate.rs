//! `migrate`: rewriting versions of older types.

use larder::maintenance::LarderMaintenance;
use larder::{Error, Identifier, Larder, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::{self, Qualified};

/// Rewrites the newest version of names with the current version of their type
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The names, such as `wine/quality`
    #[arg(value_name = "NAME", required_unless_present = "all", add = complete::names())]
    names: Vec<Qualified<Identifier>>,
    /// All names whose type is linked in
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

#[derive(Serialize)]
struct Migrated {
    migrated: Vec<VersionInfo>,
    /// The number of names that needed no migration.
    unchanged: u64,
    /// The names whose type is not linked in.
    not_linked: Vec<Identifier>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let names = if args.all {
        larder.list().map(|version| Ok(version?.identifier)).collect::<larder::Result<_>>()?
    } else {
        qualified::plain(&args.names)
    };
    let mut done = Migrated { migrated: Vec::new(), unchanged: 0, not_linked: Vec::new() };
    for name in names {
        match larder.maintenance().migrate(&name) {
            Ok(applied) if applied.is_created() => {
                if output.is_quiet() {
                    output.references([applied.version()])?;
                } else if !output.is_json() {
                    let (reference, tag) =
                        (applied.version().reference(), &applied.version().type_tag);
                    output.line(&format!("migrated {reference} (`{tag}`)"))?;
                }
                done.migrated.push(applied.version().clone());
            }
            Ok(_) => done.unchanged += 1,
            Err(Error::NotLinked { .. }) if args.all => done.not_linked.push(name),
            Err(error) => return Err(error.into()),
        }
    }
    if output.is_json() {
        return Ok(output.document(done)?);
    }
    if done.migrated.is_empty() {
        output.say("nothing to migrate");
    }
    for name in done.not_linked {
        output.say(format_args!("skipped {name}: its type is not linked in"));
    }
    Ok(())
}
