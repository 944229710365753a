//! Rows from and to files: CSV, JSON Lines, Parquet and Arrow.

mod csv;
mod json_lines;
mod parquet;
mod write;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::str::FromStr;

use arrow_ipc::reader::{FileReader, StreamReader};
use larder_core::{Error, Result};

pub use write::RowWriter;

use crate::error::arrow_error;
use crate::{Insert, Inserted, Schema, UntypedCollection};

/// A format of files with rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Comma-separated values, with a heading. Lists, structs and maps are JSON.
    Csv,
    /// One JSON object on each line; or one JSON array of objects.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// An Arrow IPC file, or a stream.
    Arrow,
}

impl FileFormat {
    /// Returns the format by the extension of a path: `.csv`, `.jsonl`, `.ndjson`, `.json`, `.parquet`, `.arrow`, `.arrows`,
    /// `.ipc` or `.feather`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn of(path: &Path) -> Result<Self> {
        let extension =
            path.extension().and_then(|it| it.to_str()).unwrap_or_default().to_lowercase();
        match extension.as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" | "json" => Ok(Self::JsonLines),
            "parquet" | "pq" => Ok(Self::Parquet),
            "arrow" | "arrows" | "ipc" | "feather" => Ok(Self::Arrow),
            _ => {
                let reason =
                    "its extension is none of: csv, jsonl, json, parquet, arrow; state the format";
                Err(Error::invalid("file of rows", &path.display().to_string(), reason))
            }
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        })
    }
}

impl FromStr for FileFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            "parquet" => Ok(Self::Parquet),
            "arrow" => Ok(Self::Arrow),
            _ => Err(Error::invalid("format", text, "there are: csv, jsonl, parquet, arrow")),
        }
    }
}

/// Where a file of rows is read from.
pub enum Input<'a> {
    /// A file.
    File(&'a Path),
    /// A stream, such as standard input. A Parquet file is kept in memory.
    Stream(Box<dyn Read + 'a>),
}

impl<'a> Input<'a> {
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Stream(_) => "the input".to_owned(),
        }
    }

    fn open(self) -> Result<Box<dyn BufRead + 'a>> {
        Ok(match self {
            Self::File(path) => Box::new(BufReader::with_capacity(1 << 16, file(path)?)),
            Self::Stream(stream) => Box::new(BufReader::with_capacity(1 << 16, stream)),
        })
    }
}

fn file(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| Error::store(format!("read {}", path.display()), error))
}

impl UntypedCollection {
    /// Inserts the rows of a file as one version, with a few thousand in memory.
    ///
    /// # Errors
    /// As [`insert_json`](UntypedCollection::insert_json); [`Error::Refused`] for a file that is not of its format, and for
    /// a Parquet file whose rows take far more memory than the file.
    pub fn insert_file<'a>(
        &self,
        input: Input<'a>,
        format: FileFormat,
        insert: Insert<'a>,
    ) -> Result<Inserted> {
        let name = input.name();
        let wrong = {
            let name = name.clone();
            move |error: &dyn fmt::Display| Error::Refused {
                action: format!("read rows of {name}"),
                reason: format!("it is not a sound {format} file: {error}"),
            }
        };
        match format {
            FileFormat::JsonLines => {
                self.insert_texts(json_lines::rows(input.open()?, name)?, insert)
            }
            FileFormat::Csv => {
                let known: Option<Schema> = match &insert.schema {
                    Some(schema) => Some(schema.clone()),
                    None => self.head()?.map(|head| head.schema().clone()),
                };
                self.insert_texts(csv::rows(input.open()?, name, known)?, insert)
            }
            FileFormat::Parquet => match input {
                Input::File(path) => {
                    self.insert_batches(parquet::batches(file(path)?, name)?, insert)
                }
                Input::Stream(mut stream) => {
                    let mut bytes = Vec::new();
                    stream
                        .read_to_end(&mut bytes)
                        .map_err(|error| Error::store(format!("read {name}"), error))?;
                    let bytes = larder_core::bytes::Bytes::from(bytes);
                    self.insert_batches(parquet::batches(bytes, name)?, insert)
                }
            },
            FileFormat::Arrow => {
                let mut input = input.open()?;
                let start = input
                    .fill_buf()
                    .map_err(|error| Error::store(format!("read {name}"), error))?;
                let caught = |what: &str| format!("read the Arrow {what} {name}");
                if start.starts_with(b"ARROW1") {
                    let mut bytes = Vec::new();
                    input
                        .read_to_end(&mut bytes)
                        .map_err(|error| Error::store(caught("file"), error))?;
                    let reader = FileReader::try_new(io::Cursor::new(bytes), None)
                        .map_err(|error| wrong(&error))?;
                    let batches = reader.map(move |batch| batch.map_err(|error| wrong(&error)));
                    self.insert_batches(batches, insert)
                } else {
                    let reader =
                        StreamReader::try_new(input, None).map_err(|error| wrong(&error))?;
                    let batches = reader.map(move |batch| batch.map_err(|error| wrong(&error)));
                    self.insert_batches(batches, insert)
                }
            }
        }
    }
}

/// Infers the schema of a file of rows, from the first 10,000.
///
/// # Errors
/// As [`UntypedCollection::insert_file`].
pub fn schema_of(input: Input<'_>, format: FileFormat) -> Result<Schema> {
    let name = input.name();
    let none = || Error::Refused {
        action: format!("read the fields of {name}"),
        reason: "there are no rows".into(),
    };
    let texts = match format {
        FileFormat::JsonLines => {
            Box::new(json_lines::rows(input.open()?, name.clone())?) as Box<dyn Iterator<Item = _>>
        }
        FileFormat::Csv => Box::new(csv::rows(input.open()?, name.clone(), None)?),
        FileFormat::Parquet => {
            let Input::File(path) = input else {
                return Err(Error::Refused {
                    action: format!("read the fields of {name}"),
                    reason: "a Parquet file is read from a path".into(),
                });
            };
            return parquet::schema(file(path)?, &name);
        }
        FileFormat::Arrow => {
            let mut input = input.open()?;
            let start =
                input.fill_buf().map_err(|error| Error::store(format!("read {name}"), error))?;
            let schema = if start.starts_with(b"ARROW1") {
                let mut bytes = Vec::new();
                input
                    .read_to_end(&mut bytes)
                    .map_err(|error| Error::store(format!("read {name}"), error))?;
                FileReader::try_new(io::Cursor::new(bytes), None).map(|reader| reader.schema())
            } else {
                StreamReader::try_new(input, None).map(|reader| reader.schema())
            };
            let schema =
                schema.map_err(|error| arrow_error(format!("read the fields of {name}"), error))?;
            return Schema::of_arrow(&schema);
        }
    };
    let mut rows = Vec::new();
    for row in texts.take(10_000) {
        match row? {
            crate::InputRow::Row(row) => rows.push(row),
            crate::InputRow::Bad { .. } => {}
        }
    }
    if rows.is_empty() {
        return Err(none());
    }
    crate::json::infer(&rows)
}
