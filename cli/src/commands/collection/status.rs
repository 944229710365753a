//! `collection status`.

use larder::Larder;
use larder::collections::{Field, LarderListeners, Layout, ListenerStatus, WatchInfo};
use serde::Serialize;

use super::outputs::{print, state};
use super::version;
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Prints the fields of a collection, how its rows are kept, and the state of its listeners and indexes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
}

#[derive(Serialize)]
struct Document<'a> {
    name: String,
    version: u64,
    rows: u64,
    key: Option<&'a str>,
    valid_permille: u16,
    fields: &'a [Field],
    #[serde(flatten)]
    layout: Layout,
    listeners: &'a [ListenerStatus],
    indexes: &'a [ListenerStatus],
    watches: &'a [WatchInfo],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (_, version) = version(larder, &args.reference)?;
    let (info, layout) = (version.info(), version.layout());
    let models = larder.listeners(&info.identifier)?;
    let (listeners, indexes) = (models.status()?, models.index_status()?);
    let watches = models.watches()?;
    let key = version.key().map(|field| field.name.as_str());
    if output.is_json() {
        return Ok(output.document(Document {
            name: info.identifier.to_string(),
            version: info.version.get(),
            rows: version.rows(),
            key,
            valid_permille: version.valid_permille(),
            fields: version.schema().fields(),
            layout,
            listeners: &listeners,
            indexes: &indexes,
            watches: &watches,
        })?);
    }
    let small = match layout.small_fragments {
        0 => String::new(),
        small => format!(", {small} of them small"),
    };
    let share = f64::from(version.valid_permille()) / 10.0;
    output.columns(vec![
        ["collection".to_owned(), info.reference().to_string()],
        ["rows".into(), version.rows().to_string()],
        ["key".into(), key.unwrap_or("none").to_owned()],
        ["folds".into(), format!("train {} %, valid {share} %", 100.0 - share)],
        ["fragments".into(), format!("{}{small}", layout.fragments)],
        ["deleted rows".into(), layout.deleted_rows.to_string()],
        ["size".into(), text::size(layout.bytes)],
    ])?;
    output.line("")?;
    let fields = version.schema().fields().iter().map(|field| {
        let kind = format!("{}{}", field.kind, if field.nullable { "?" } else { "" });
        let mut notes = Vec::new();
        notes.extend(field.default.as_ref().map(|value| format!("default {value}")));
        notes.extend(field.media_type.clone());
        notes.extend(field.serializer.as_ref().map(|name| format!("by {name}")));
        notes.extend(
            (!field.aliases.is_empty()).then(|| format!("formerly {}", field.aliases.join(", "))),
        );
        [field.name.clone(), kind, notes.join("; ")]
    });
    output.table(["FIELD", "TYPE", "NOTES"], fields)?;
    models_on(&listeners, &indexes, output)?;
    if !watches.is_empty() {
        output.line("")?;
        let row =
            |it: &WatchInfo| [it.name.clone(), it.component.to_string(), it.event.to_string()];
        output.table(["WATCH", "COMPONENT", "EVENT"], watches.iter().map(row))?;
    }
    Ok(())
}

/// Prints the state of listeners and indexes: coverage, backlog and lag.
fn models_on(
    listeners: &[ListenerStatus],
    indexes: &[ListenerStatus],
    output: &mut Output,
) -> Result<(), CommandError> {
    if !listeners.is_empty() {
        output.line("")?;
        print(listeners, output)?;
    }
    if !indexes.is_empty() {
        output.line("")?;
        let row = |it: &ListenerStatus| {
            [
                it.name.clone(),
                it.key.join(", "),
                it.measure.map(|measure| measure.to_string()).unwrap_or_default(),
                it.width.map_or_else(|| "-".into(), |width| width.to_string()),
                format!("{} of {}", it.ok, it.rows),
                it.failed.to_string(),
                it.backlog.to_string(),
                state(it),
            ]
        };
        let heading =
            ["INDEX", "KEY", "MEASURE", "LENGTH", "INDEXED", "FAILED", "BACKLOG", "STATE"];
        output.table(heading, indexes.iter().map(row))?;
    }
    Ok(())
}
