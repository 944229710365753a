//! Writing rows.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use larder_core::{BoxError, Error, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use super::FileFormat;
use crate::json::{JsonRow, value_of};

/// Writes batches of rows in a format.
pub struct RowWriter<W: Write + Send>(Writer<W>);

enum Writer<W: Write + Send> {
    Csv(Box<csv::Writer<W>>),
    JsonLines(W),
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
}

fn failed(error: impl Into<BoxError>) -> Error {
    Error::store("write rows", error)
}

impl<W: Write + Send> RowWriter<W> {
    /// Starts a file with the columns of `schema`.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn new(out: W, format: FileFormat, schema: &SchemaRef) -> Result<Self> {
        Ok(Self(match format {
            FileFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer
                    .write_record(schema.fields().iter().map(|field| field.name()))
                    .map_err(failed)?;
                Writer::Csv(Box::new(writer))
            }
            FileFormat::JsonLines => Writer::JsonLines(out),
            FileFormat::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(compression).build();
                let schema = SchemaRef::clone(schema);
                Writer::Parquet(Box::new(
                    ArrowWriter::try_new(out, schema, Some(properties)).map_err(failed)?,
                ))
            }
            FileFormat::Arrow => {
                Writer::Arrow(Box::new(FileWriter::try_new(out, schema).map_err(failed)?))
            }
        }))
    }

    /// Writes rows.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        match &mut self.0 {
            Writer::Csv(writer) => {
                for row in 0..rows.num_rows() {
                    let cells = rows.columns().iter().map(|column| cell_of(&value_of(column, row)));
                    writer.write_record(cells).map_err(failed)?;
                }
            }
            Writer::JsonLines(out) => {
                for row in 0..rows.num_rows() {
                    serde_json::to_writer(&mut *out, &JsonRow::new(rows, row)).map_err(failed)?;
                    out.write_all(b"\n").map_err(failed)?;
                }
            }
            Writer::Parquet(writer) => writer.write(rows).map_err(failed)?,
            Writer::Arrow(writer) => writer.write(rows).map_err(failed)?,
        }
        Ok(())
    }

    /// Writes the end of the file, and returns the stream.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn finish(self) -> Result<W> {
        let mut out = match self.0 {
            Writer::Csv(writer) => {
                writer.into_inner().map_err(|error| failed(error.to_string()))?
            }
            Writer::JsonLines(out) => out,
            Writer::Parquet(writer) => writer.into_inner().map_err(failed)?,
            Writer::Arrow(writer) => writer.into_inner().map_err(failed)?,
        };
        out.flush().map_err(failed)?;
        Ok(out)
    }
}

/// Returns the cell of a value: null is empty, and what is nested is JSON.
fn cell_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
