//! `collection status`.

use larder::Larder;
use larder::collections::{Field, Layout};
use serde::Serialize;

use super::version;
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Prints the fields of a collection, and how its rows are kept
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
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (_, version) = version(larder, &args.reference)?;
    let (info, layout) = (version.info(), version.layout());
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
    Ok(output.table(["FIELD", "TYPE", "NOTES"], fields)?)
}
