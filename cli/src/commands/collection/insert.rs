//! `collection insert`.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use larder::collections::formats::{FileFormat, Input};
use larder::collections::{Insert, LarderCollections, Reject};
use larder::extend::LarderExt;
use larder::extend::progress::Meter;
use larder::{Error, Identifier, Larder};
use serde::Serialize;

use super::As;
use super::create::SchemaArgs;
use crate::command_error::{CommandError, Exit};
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Inserts the rows of a file as one version; creates the collection, and the larder, if there is none
///
/// The fields of a new collection come from the file. One row that does not fit refuses all, unless `--skip-bad` is given.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `shop/rows`
    name: Qualified<Identifier>,
    /// The file: `.csv`, `.jsonl`, `.json`, `.parquet` or `.arrow`; `-` is stdin, with --as
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,
    /// The field that names rows, if the collection is created
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// The format; by default chosen by the extension
    #[arg(long = "as", value_enum, value_name = "FORMAT")]
    form: Option<As>,
    /// Replace rows whose key is there
    #[arg(long)]
    upsert: bool,
    /// Add fields that the collection lacks, and widen numbers
    #[arg(long)]
    evolve: bool,
    #[command(flatten)]
    schema: SchemaArgs,
    /// The share of rows in the fold `valid`, in thousandths, if the collection is created; 100 by default
    #[arg(long, value_name = "NUMBER")]
    valid_permille: Option<u16>,
    /// Leave out rows that do not fit, and write them to a file of JSON Lines; by default FILE.rejects.jsonl
    #[arg(long, value_name = "REJECTS", num_args = 0..=1)]
    #[allow(clippy::option_option, reason = "clap's type for an option whose value is optional")]
    skip_bad: Option<Option<PathBuf>>,
}

#[derive(Serialize)]
struct Document<'a> {
    outcome: Outcome,
    inserted: u64,
    updated: u64,
    skipped: u64,
    rows: u64,
    rejects: Option<&'a Path>,
}

/// A line of a file of rejects; its keys keep this order.
#[derive(Serialize)]
struct RejectedRow<'a, T> {
    row: u64,
    field: &'a str,
    value: &'a str,
    reason: &'a str,
    data: T,
}

/// A file that is created with the first reject.
struct Rejects {
    path: PathBuf,
    out: Option<BufWriter<File>>,
}

impl Rejects {
    fn take(&mut self, reject: &Reject) -> larder::Result<()> {
        let failed = |error| Error::store(format!("write {}", self.path.display()), error);
        let out = match &mut self.out {
            Some(out) => out,
            out => out.insert(BufWriter::new(File::create(&self.path).map_err(failed)?)),
        };
        let misfit = &reject.misfit;
        let line = RejectedRow {
            row: misfit.row + 1,
            field: &misfit.field,
            value: &misfit.value,
            reason: &misfit.reason,
            data: reject.data(),
        };
        serde_json::to_writer(&mut *out, &line).map_err(|error| failed(error.into()))?;
        writeln!(out).map_err(failed)
    }

    fn finish(self) -> Result<Option<PathBuf>, CommandError> {
        let Some(out) = self.out else { return Ok(None) };
        let file = out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all());
        file.map_err(|error| {
            CommandError::new(Exit::Failure, error.to_string())
                .context(format!("cannot write {}", self.path.display()))
        })?;
        Ok(Some(self.path))
    }
}

/// Counts the bytes that are read.
struct Counted {
    file: File,
    meter: Meter,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buf)?;
        self.meter.add(read as u64);
        Ok(read)
    }
}

pub(crate) fn run(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    let is_stdin = args.file == Path::new("-");
    let format = match args.form {
        Some(format) => FileFormat::from(format),
        None if is_stdin => {
            let message = "cannot read rows from stdin: their format is not known";
            return Err(CommandError::new(Exit::Usage, message)
                .with_hint("use `--as csv`, `jsonl`, `parquet` or `arrow`"));
        }
        None => FileFormat::of(&args.file)?,
    };
    let mut insert = Insert::new();
    if let Some(key) = &args.key {
        insert = insert.key(key);
    }
    if let Some(schema) = args.schema.read()? {
        insert = insert.schema(schema);
    }
    if let Some(share) = args.valid_permille {
        insert = insert.valid_permille(share);
    }
    if args.upsert {
        insert = insert.upsert();
    }
    if args.evolve {
        insert = insert.evolve();
    }
    let file = match is_stdin {
        true => None,
        false => {
            let opened = File::open(&args.file).and_then(|file| Ok((file.metadata()?, file)));
            let (meta, file) =
                opened.map_err(|error| CommandError::reading(args.file.display(), &error))?;
            if meta.is_dir() {
                let message = format!("cannot read {}: it is a folder", args.file.display());
                return Err(CommandError::new(Exit::Usage, message));
            }
            Some((file, meta.len()))
        }
    };
    let larder = larder()?;
    let input = match file {
        None => Input::Stream(Box::new(io::stdin().lock())),
        // Parquet is read from its end.
        Some(_) if format == FileFormat::Parquet => Input::File(&args.file),
        Some((file, size)) => {
            let meter = larder.meter("reading", Some(size));
            Input::Stream(Box::new(Counted { file, meter }))
        }
    };
    // The bar shows how much of the file is read, not each fragment.
    let quiet = larder.clone().with_progress(|_| {});
    let collection = quiet.untyped_collection(Identifier::from(&args.name))?;
    let mut rejects = args.skip_bad.as_ref().map(|path| Rejects {
        path: path.clone().unwrap_or_else(|| match is_stdin {
            true => PathBuf::from("rejects.jsonl"),
            false => PathBuf::from(format!("{}.rejects.jsonl", args.file.display())),
        }),
        out: None,
    });
    let inserted = {
        let mut take = |reject| match &mut rejects {
            Some(rejects) => rejects.take(&reject),
            None => Ok(()),
        };
        if args.skip_bad.is_some() {
            insert = insert.skip_bad(&mut take);
        }
        collection.insert_file(input, format, insert).map_err(|error| named(error, args))?
    };
    let rejects = rejects.map(Rejects::finish).transpose()?.flatten();
    let (version, rows) = (inserted.version.info(), inserted.version.rows());
    let outcome = match (inserted.inserted + inserted.updated, version.version.get()) {
        (0, number) if number > 1 => Outcome::Unchanged,
        (_, 1) => Outcome::Created,
        _ => Outcome::Changed,
    };
    let mut text = format!(
        "inserted {} into {}, which has {}",
        text::count(inserted.inserted, "row"),
        version.reference(),
        text::count(rows, "row")
    );
    if inserted.updated > 0 {
        text += &format!("; replaced {}", inserted.updated);
    }
    if let Some(path) = &rejects {
        let left_out = text::count(inserted.skipped, "row");
        output.say(format!("left out {left_out} that do not fit: see {}", path.display()));
    }
    let document = Document {
        outcome,
        inserted: inserted.inserted,
        updated: inserted.updated,
        skipped: inserted.skipped,
        rows,
        rejects: rejects.as_deref(),
    };
    super::written(output, version, &text, document)
}

/// Adds what to do about rows that are refused.
fn named(error: Error, args: &Args) -> CommandError {
    let is_row = matches!(&error, Error::Refused { reason, .. } if reason.starts_with("row "));
    let is_known = matches!(&error, Error::Refused { reason, .. } if reason.contains("a row with this key is there"));
    let error = CommandError::from(error);
    match (is_row && args.skip_bad.is_none(), is_known) {
        (true, true) => {
            error.with_hint("use `--upsert` to replace them, or `--skip-bad` to leave them out")
        }
        (true, false) => {
            error.with_hint("use `--skip-bad` to leave out such rows, which writes them to a file")
        }
        _ => error,
    }
}
