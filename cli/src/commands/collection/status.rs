//! `collection status`: rows, listeners and indexes.

use larder::collections::{LarderCollections, LarderListeners, Layout, ListenerStatus};
use larder::{Identifier, Larder};
use serde::Serialize;

use super::outputs::{print, state};
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Shows the rows of a collection, its listeners and its indexes: coverage, backlog and lag
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection
    #[arg(value_name = "COLLECTION", add = complete::names())]
    collection: Qualified<Identifier>,
}

#[derive(Serialize)]
struct Document<'a> {
    collection: &'a Identifier,
    version: u64,
    rows: u64,
    key: Option<&'a str>,
    #[serde(flatten)]
    layout: Layout,
    listeners: &'a [ListenerStatus],
    indexes: &'a [ListenerStatus],
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let collection = larder.untyped_collection(&*args.collection)?;
    let version = collection.latest()?;
    let listeners = larder.listeners(&*args.collection)?;
    let (all, indexes) = (listeners.status()?, listeners.index_status()?);
    let layout = version.layout();
    let key = version.key().map(|field| field.name.clone());
    if output.is_json() {
        return Ok(output.document(Document {
            collection: &args.collection,
            version: version.info().version.get(),
            rows: version.rows(),
            key: key.as_deref(),
            layout,
            listeners: &all,
            indexes: &indexes,
        })?);
    }
    if output.is_quiet() {
        return Ok(output.references([version.info()])?);
    }
    output.columns(vec![
        ["version".into(), version.info().reference().to_string()],
        ["rows".into(), version.rows().to_string()],
        ["key".into(), key.map_or_else(|| "-".into(), |key| text::clean(&key).into_owned())],
        ["fragments".into(), format!("{}, {} small", layout.fragments, layout.small_fragments)],
        ["deleted".into(), format!("{} not dropped yet", text::count(layout.deleted_rows, "row"))],
        ["size".into(), text::size(layout.bytes)],
    ])?;
    if !all.is_empty() {
        output.line("")?;
        print(&all, output)?;
    }
    if !indexes.is_empty() {
        output.line("")?;
        let row = |it: &ListenerStatus| {
            [
                it.name.clone(),
                text::clean(&it.key.join(", ")).into_owned(),
                it.measure.map(|measure| measure.to_string()).unwrap_or_default(),
                it.width.map_or_else(|| "-".into(), |width| width.to_string()),
                format!("{} of {}", it.ok, it.rows),
                it.failed.to_string(),
                it.backlog.to_string(),
                state(it),
            ]
        };
        let heading = ["INDEX", "KEY", "MEASURE", "LENGTH", "INDEXED", "FAILED", "BACKLOG", "STATE"];
        output.table(heading, indexes.iter().map(row))?;
    }
    Ok(())
}
