//! `history`: the moves of a tag.

use larder::store::TagName;
use larder::versions::TagMove;
use larder::{Identifier, Larder};
use serde::Serialize;

use super::tag::tag_of;
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Lists the moves of a tag, oldest first
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The tag: `name:tag`; it may have been removed
    #[arg(value_name = "NAME:TAG", add = complete::name_tags())]
    reference: Qualified,
}

#[derive(Serialize)]
struct History<'a> {
    name: &'a Identifier,
    tag: &'a TagName,
    moves: &'a [TagMove],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (name, tag) = tag_of(&args.reference)?;
    let moves = larder.tags().history(name, tag)?;
    if output.is_json() {
        return Ok(output.document(History { name, tag, moves: &moves })?);
    }
    if output.is_quiet() {
        let mut versions = moves.iter().filter_map(|tag_move| tag_move.version);
        return Ok(
            versions.try_for_each(|version| output.line(&format!("{name}@{}", version.get())))?
        );
    }
    let row = |TagMove { number, version, moved, by, .. }: TagMove| {
        [
            number.to_string(),
            version.map_or_else(|| "removed".into(), |version| version.to_string()),
            output.time(moved),
            by.unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = moves.into_iter().map(row).collect();
    Ok(output.table(["MOVE", "VERSION", "WHEN", "BY"], rows)?)
}
