//! `collection delta`.

use larder::collections::{CollectionVersion, UntypedCollection, value_of};
use larder::store::VersionNumber;
use larder::versions::Selector;
use larder::{Larder, Reference};
use serde::Serialize;
use serde_json::Value;

use super::find::cell;
use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Number of rows that are read by id at a time.
const STEP: usize = 8_192;

/// Lists the rows that changed between two versions
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection, such as `shop/rows`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The older version: a number, a tag or a reference
    #[arg(value_name = "FROM", required_unless_present = "from_option")]
    from: Option<String>,
    /// The newer version; by default the newest
    #[arg(value_name = "TO")]
    to: Option<String>,
    /// The same as FROM
    #[arg(long = "from", value_name = "FROM", hide = true, conflicts_with = "from")]
    from_option: Option<String>,
    /// The same as TO
    #[arg(long = "to", value_name = "TO", hide = true, conflicts_with = "to")]
    to_option: Option<String>,
}

#[derive(Serialize)]
struct Document {
    name: String,
    from: u64,
    to: u64,
    inserted: Vec<Row>,
    updated: Vec<Row>,
    deleted: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    row: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<Value>,
}

/// Reads a version: `3`, `@3`, `:prod`, `prod`, `shop/rows@3`.
fn select(collection: &UntypedCollection, text: &str) -> Result<CollectionVersion, CommandError> {
    let name = collection.name();
    let number = text.trim_start_matches('@').parse().ok().and_then(VersionNumber::new);
    let selector = match number {
        Some(number) => Selector::Version(number),
        None if text.starts_with(['@', ':']) => {
            format!("{name}{text}").parse::<Reference>()?.selector().clone()
        }
        None => match text.parse::<Reference>() {
            Ok(reference) if reference.identifier() == name => reference.selector().clone(),
            Ok(other) if text.contains(['@', ':']) => {
                let message =
                    format!("cannot compare {name} with {other}: it is another collection");
                return Err(CommandError::new(Exit::Usage, message));
            }
            _ => format!("{name}:{text}").parse::<Reference>()?.selector().clone(),
        },
    };
    Ok(collection.select(selector)?)
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let reference = Reference::from(&args.reference);
    let is_pinned = *reference.selector() != Selector::Latest;
    let (collection, stated) = super::version(larder, &args.reference)?;
    let from = args.from.as_ref().or(args.from_option.as_ref());
    let to = args.to.as_ref().or(args.to_option.as_ref());
    // `delta shop/rows@1 shop/rows@2` compares these two.
    let (from, to) = match (from, to) {
        (Some(to), None) if is_pinned => (stated, select(&collection, to)?),
        (Some(from), Some(to)) => (select(&collection, from)?, select(&collection, to)?),
        (Some(from), None) => (select(&collection, from)?, stated),
        (None, _) => {
            let message = "cannot list changes: the older version is missing";
            return Err(CommandError::new(Exit::Usage, message));
        }
    };
    let delta = to.delta(&from)?;
    let document = Document {
        name: collection.name().to_string(),
        from: from.info().version.get(),
        to: to.info().version.get(),
        inserted: rows(&to, &delta.inserted)?,
        updated: rows(&to, &delta.updated)?,
        deleted: rows(&from, &delta.deleted)?,
    };
    if output.is_json() {
        return Ok(output.document(document)?);
    }
    let kinds = [
        ("inserted", &document.inserted),
        ("updated", &document.updated),
        ("deleted", &document.deleted),
    ];
    let lines = kinds.iter().flat_map(|(kind, rows)| {
        rows.iter().map(|row| {
            let key = row.key.as_ref().map_or_else(String::new, cell);
            [(*kind).to_owned(), row.row.to_string(), key]
        })
    });
    let lines: Vec<_> = lines.collect();
    if !lines.is_empty() {
        output.table(["CHANGE", "ROW", "KEY"], lines)?;
    }
    let counts =
        kinds.map(|(kind, rows)| format!("{kind} {}", text::count(rows.len() as u64, "row")));
    output.say(format!("from {} to {}: {}", document.from, document.to, counts.join(", ")));
    Ok(())
}

/// Returns rows with their keys.
fn rows(version: &CollectionVersion, ids: &[u64]) -> Result<Vec<Row>, CommandError> {
    let Some(key) = version.key().map(|field| field.name.clone()) else {
        return Ok(ids.iter().map(|&row| Row { row, key: None }).collect());
    };
    let columns = [key];
    let mut rows = Vec::with_capacity(ids.len());
    for step in ids.chunks(STEP) {
        let found = version.take(step, Some(&columns))?;
        let keys = found.rows.column(0);
        rows.extend(
            (0..found.ids.len())
                .map(|at| Row { row: found.ids.value(at), key: Some(value_of(keys, at)) }),
        );
    }
    Ok(rows)
}
