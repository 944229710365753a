//! `collection get`.

use larder::collections::formats::RowWriter;
use larder::collections::{JsonRow, Key, LarderListeners, value_of};
use larder::store::Absence;
use larder::{Error, Larder};
use serde::Serialize;

use super::find::cell;
use super::{file_format, version};
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Prints the row with a key
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The key
    #[arg(allow_negative_numbers = true)]
    key: String,
}

#[derive(Serialize)]
struct Document<'a> {
    name: String,
    version: u64,
    row: JsonRow<'a>,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (collection, version) = version(larder, &args.reference)?;
    let key = key_of(&version, &args.key)?;
    let Some(found) = version.get(key)? else {
        let reference =
            format!("the row with the key {} of {}", args.key, version.info().reference());
        return Err(
            Error::NotFound { reference, absence: Absence::Unknown, similar: Vec::new() }.into()
        );
    };
    let listeners = larder.listeners(collection.name())?;
    let found = listeners.reader()?.extend(found)?;
    let rows = &found.rows;
    if let Some(format) = file_format(output.format()) {
        let mut writer = RowWriter::new(Vec::new(), format, rows.schema_ref())?;
        writer.write(rows)?;
        return Ok(output.bytes(&writer.finish()?)?);
    }
    if output.is_json() {
        let (name, number) = (version.info().identifier.to_string(), version.info().version.get());
        return Ok(output.document(Document {
            name,
            version: number,
            row: JsonRow::new(rows, 0),
        })?);
    }
    let fields = rows.schema_ref().fields().iter().zip(rows.columns());
    Ok(output.columns(
        fields.map(|(field, column)| [field.name().clone(), cell(&value_of(column, 0))]).collect(),
    )?)
}

/// Reads a key from its text.
pub(super) fn key_of(
    version: &larder::collections::CollectionVersion,
    text: &str,
) -> Result<Key, CommandError> {
    match version.key() {
        Some(field) => Ok(Key::parse(&field.kind, text)?),
        None => Err(Error::Refused {
            action: format!("find a row of {} by key", version.info().identifier),
            reason: "the collection has no key; use `collection find --where FILTER`".into(),
        }
        .into()),
    }
}
