//! `collection export`.

use std::path::PathBuf;

use larder::Larder;
use larder::collections::formats::FileFormat;
use larder::collections::{Find, LarderListeners};
use serde::Serialize;

use super::find::{Which, to_file};
use super::{As, version};
use crate::command_error::CommandError;
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Writes rows to a file
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The file: `.csv`, `.jsonl`, `.parquet` or `.arrow`; it is replaced if it exists
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// The format; by default chosen by the extension
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    form: Option<As>,
}

#[derive(Serialize)]
struct Document {
    path: String,
    rows: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (collection, version) = version(larder, &args.reference)?;
    let find = Find::new(args.which.scan());
    let version = larder.listeners(collection.name())?.version_for(&find, &version)?;
    let outputs = args.which.outputs(&collection, false)?;
    let rows = to_file(&version, &find, &outputs, &args.file, args.form.map(FileFormat::from))?;
    let path = args.file.display().to_string();
    if output.is_json() {
        return Ok(output.document(Document { path, rows })?);
    }
    output.say(format!(
        "wrote {} of {} to {path}",
        text::count(rows, "row"),
        version.info().reference()
    ));
    Ok(())
}
