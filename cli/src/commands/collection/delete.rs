//! `collection delete`.

use larder::collections::{Filter, Find, LarderListeners};
use larder::{Identifier, Larder};
use serde::Serialize;

use super::collection;
use super::get::key_of;
use crate::command_error::CommandError;
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Deletes rows by key or by a filter, as one version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `shop/rows`
    name: Qualified<Identifier>,
    /// The keys of the rows
    #[arg(
        value_name = "KEY",
        required_unless_present = "filter",
        conflicts_with = "filter",
        allow_negative_numbers = true
    )]
    keys: Vec<String>,
    /// The rows that match, such as 'price < 10'; `_outputs.NAME` and `_status.NAME` are fields too
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<Filter>,
}

#[derive(Serialize)]
struct Document {
    outcome: Outcome,
    deleted: u64,
    rows: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let collection = collection(larder, &args.name)?;
    let edited = match &args.filter {
        Some(filter) => {
            let find = Find::default().filter(filter.clone());
            let listeners = larder.listeners(collection.name())?;
            let version = listeners.version_for(&find, &collection.latest()?)?;
            collection.delete_of(&version, filter)?
        }
        None => {
            let version = collection.latest()?;
            let keys =
                args.keys.iter().map(|key| key_of(&version, key)).collect::<Result<Vec<_>, _>>()?;
            collection.delete_keys(&keys)?
        }
    };
    let rows = edited.version.rows();
    let reference = edited.version.info().reference();
    let text = format!(
        "deleted {}: {reference} has {}",
        text::count(edited.rows, "row"),
        text::count(rows, "row")
    );
    let document =
        Document { outcome: Outcome::changed(edited.rows > 0), deleted: edited.rows, rows };
    super::written(output, edited.version.info(), &text, document)
}
