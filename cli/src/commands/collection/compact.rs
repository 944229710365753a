//! `collection compact`.

use larder::{Identifier, Larder};
use serde::Serialize;

use super::collection;
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Merges small fragments and drops deleted rows, as a version with the same rows
///
/// Writes keep to rules of their own: fewer than 64 small fragments, and less than a tenth of a fragment deleted. This goes
/// further, which makes reading faster.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `shop/rows`
    name: Qualified<Identifier>,
}

#[derive(Serialize)]
struct Document {
    outcome: Outcome,
    rows: u64,
    fragments: u64,
    fragments_before: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let collection = collection(larder, &args.name)?;
    let before = collection.latest()?;
    let after = collection.compact()?;
    let (from, to) = (before.layout().fragments, after.layout().fragments);
    let is_new = before.info().version != after.info().version;
    let reference = after.info().reference();
    let text = match is_new {
        true => format!("{reference} has {}, of {from} before", text::count(to, "fragment")),
        false => format!("unchanged: {reference} has {}", text::count(to, "fragment")),
    };
    let document = Document {
        outcome: Outcome::changed(is_new),
        rows: after.rows(),
        fragments: to,
        fragments_before: from,
    };
    super::written(output, after.info(), &text, document)
}
