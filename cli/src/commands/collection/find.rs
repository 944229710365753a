//! `collection find`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use larder::collections::arrow_array::RecordBatch;
use larder::collections::formats::{FileFormat, RowWriter};
use larder::collections::{
    CollectionVersion, Cursor, Filter, Find, Fold, JsonRow, LarderListeners, Order, OutputsReader,
    RowBatch, Scan, UntypedCollection, value_of,
};
use larder::{Error, Larder};
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{file_format, version};
use crate::command_error::CommandError;
use crate::complete;
use crate::global::Format;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Rows that text shows, if no limit is stated.
const MOST_SHOWN: u64 = 1_000;

/// Finds rows
///
/// Prints a table, one JSON object (`--format json`), or rows: `--format jsonl`, `csv`, `parquet` or `arrow`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The collection: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    #[command(flatten)]
    which: Which,
    /// Sort by a field or `_outputs.NAME`; `-FIELD` for the largest first; may be repeated
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true, value_delimiter = ',')]
    order: Vec<Order>,
    /// The maximum number of rows
    #[arg(long, short = 'n', value_name = "NUMBER")]
    limit: Option<u64>,
    /// Continue after a page: the `next` that it printed
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
    /// Write to a file, in the format of its extension
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the number of rows only
    #[arg(long)]
    count: bool,
}

/// Which rows, and what of them.
#[derive(clap::Args)]
pub(super) struct Which {
    /// Only rows that match, such as 'price < 10 and name like "p*"'; `_outputs.NAME` and `_status.NAME` are fields too
    #[arg(long = "where", value_name = "FILTER")]
    pub(super) filter: Option<Filter>,
    /// Only rows of a fold: `train` or `valid`
    #[arg(long)]
    pub(super) fold: Option<Fold>,
    /// Only these fields, separated by commas
    #[arg(long, alias = "fields", value_name = "FIELDS", value_delimiter = ',')]
    pub(super) columns: Option<Vec<String>>,
}

impl Which {
    pub(super) fn scan(&self) -> Scan {
        let mut scan = Scan::new();
        if let Some(filter) = &self.filter {
            scan = scan.filter(filter.clone());
        }
        if let Some(fold) = self.fold {
            scan = scan.fold(fold);
        }
        if let Some(columns) = &self.columns {
            let names = columns.iter().map(|name| name.trim());
            scan = scan.columns(names.filter(|name| outputs_in(name).is_none()));
        }
        scan
    }

    /// Returns the reader of the outputs beside the rows: all if no columns are stated, or `all` is false.
    pub(super) fn outputs(
        &self,
        collection: &UntypedCollection,
        by_default: bool,
    ) -> larder::Result<OutputsReader> {
        let listeners = collection.larder().listeners(collection.name())?;
        let Some(columns) = &self.columns else {
            return if by_default { listeners.reader() } else { Ok(OutputsReader::default()) };
        };
        let wanted: Vec<&str> = columns.iter().filter_map(|name| outputs_in(name.trim())).collect();
        match &*wanted {
            [] => Ok(OutputsReader::default()),
            wanted if wanted.contains(&"") => listeners.reader(),
            wanted => listeners.reader_of(wanted),
        }
    }
}

/// Returns the listener whose outputs a column is; empty for those of all.
fn outputs_in(column: &str) -> Option<&str> {
    let rest = column.strip_prefix("_outputs")?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

#[derive(Serialize)]
struct Document<'a> {
    name: String,
    version: u64,
    rows: Vec<Box<RawValue>>,
    next: Option<&'a str>,
}

#[derive(Serialize)]
struct Count {
    name: String,
    version: u64,
    rows: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (collection, version) = version(larder, &args.reference)?;
    let mut find = Find::new(args.which.scan());
    find.order = args.order.clone();
    find.limit = args.limit;
    let version = match &args.after {
        Some(cursor) => collection.at(cursor.version())?,
        None => version,
    };
    let version = larder.listeners(collection.name())?.version_for(&find, &version)?;
    if args.count {
        let rows = version.count(&find.scan)?;
        if output.is_json() {
            let (name, version) =
                (version.info().identifier.to_string(), version.info().version.get());
            return Ok(output.document(Count { name, version, rows })?);
        }
        return Ok(output.line(&rows.to_string())?);
    }
    let mut outputs = args.which.outputs(&collection, true)?;
    if matches!(output.format(), Format::Text | Format::Csv) {
        outputs = outputs.flat();
    }
    if let Some(path) = &args.output {
        let rows = to_file(&version, &find, &outputs, path, None)?;
        output.say(format!("wrote {} to {}", text::count(rows, "row"), path.display()));
        return Ok(());
    }
    if let Some(format) = file_format(output.format()) {
        if args.after.is_some() {
            let page = version.page(&find, args.after.as_ref())?;
            return print(
                format,
                &page.version,
                [Ok(page.rows)].into_iter(),
                &find,
                &outputs,
                output,
            );
        }
        let batches = version.find(&find)?;
        return print(format, &version, batches, &find, &outputs, output);
    }
    shown(args, &version, find, &outputs, output)
}

/// Prints a table, or one JSON object.
fn shown(
    args: &Args,
    version: &CollectionVersion,
    mut find: Find,
    outputs: &OutputsReader,
    output: &mut Output,
) -> Result<(), CommandError> {
    let is_json = output.is_json();
    if !is_json {
        find.limit = Some(find.limit.unwrap_or(MOST_SHOWN));
    }
    let find = find.limit.map_or_else(|| find.clone().limit(u64::MAX - 1), |_| find.clone());
    let after = args.after.clone().unwrap_or_else(|| Cursor::start(version, &find));
    let page = version.page(&find, Some(&after))?;
    let next = page.next.as_ref().map(ToString::to_string);
    let version = page.version;
    let found = outputs.extend(page.rows)?;
    let rows = &found.rows;
    if is_json {
        let json = (0..rows.num_rows())
            .map(|row| serde_json::value::to_raw_value(&JsonRow::new(rows, row)));
        let json: Vec<_> = json
            .collect::<Result<_, _>>()
            .map_err(|error| CommandError::from(Error::store("print rows", error)))?;
        let (name, number) = (version.info().identifier.to_string(), version.info().version.get());
        return Ok(output.document(Document {
            name,
            version: number,
            rows: json,
            next: next.as_deref(),
        })?);
    }
    let (heading, cells) = table_of(rows);
    output.wide_table(heading, cells)?;
    if let Some(next) = next {
        let shown = text::count(rows.num_rows() as u64, "row");
        output.say(format!("{shown}, and more: continue with `--after {next}`"));
    }
    Ok(())
}

/// Returns the heading and the cells of rows.
pub(super) fn table_of(rows: &RecordBatch) -> (Vec<&str>, Vec<Vec<String>>) {
    let heading = rows.schema_ref().fields().iter().map(|field| field.name().as_str());
    let row = |row| rows.columns().iter().map(|column| cell(&value_of(column, row))).collect();
    (heading.collect(), (0..rows.num_rows()).map(row).collect())
}

/// The cell of a value in a table.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The bytes that a writer has written since the last call.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print(
    format: FileFormat,
    version: &CollectionVersion,
    batches: impl Iterator<Item = larder::Result<RowBatch>>,
    find: &Find,
    outputs: &OutputsReader,
    output: &mut Output,
) -> Result<(), CommandError> {
    let schema = outputs.schema(&version.projected(&find.scan)?);
    let mut failure = None;
    let written = Shared::default();
    let mut writer = RowWriter::new(written.clone(), format, &schema)?;
    for batch in batches {
        match batch {
            Ok(batch) => {
                writer.write(&outputs.extend(batch)?.rows)?;
                output.bytes(&written.take())?;
            }
            // The rows of sound fragments follow.
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    writer.finish()?;
    output.bytes(&written.take())?;
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Writes rows to a new file, which appears when it is complete. Returns their number.
pub(super) fn to_file(
    version: &CollectionVersion,
    find: &Find,
    outputs: &OutputsReader,
    path: &Path,
    format: Option<FileFormat>,
) -> Result<u64, CommandError> {
    let format = format.map_or_else(|| FileFormat::of(path), Ok)?;
    let failed =
        |error| CommandError::from(Error::store(format!("write {}", path.display()), error));
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".larder-").tempfile_in(folder).map_err(failed)?;
    let schema = outputs.schema(&version.projected(&find.scan)?);
    let mut writer = RowWriter::new(BufWriter::new(file), format, &schema)?;
    let mut rows = 0;
    for batch in version.find(find)? {
        let batch = batch?;
        rows += batch.rows.num_rows() as u64;
        writer.write(&outputs.extend(batch)?.rows)?;
    }
    let mut file = writer.finish()?.into_inner().map_err(|error| failed(error.into_error()))?;
    file.flush().and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    set_permissions(file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(rows)
}

/// Gives a temporary file the permissions of an ordinary one.
fn set_permissions(file: &File) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        Ok(())
    }
}
