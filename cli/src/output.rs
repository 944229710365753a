//! Where commands print: data to stdout, talk to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, StdoutLock, Write};

use serde::Serialize;

use crate::args::Format;
use crate::text::{self, clean};

/// The layout of the JSON that commands print.
const SCHEMA: u32 = 1;

/// The printer of a command. What is printed is seen at the end, or after [`Output::flush`].
pub(crate) struct Output {
    format: Format,
    stdout: BufWriter<StdoutLock<'static>>,
}

#[derive(Serialize)]
struct Document<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl Output {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, stdout: BufWriter::new(io::stdout().lock()) }
    }

    /// Whether the data is to be JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints the one document of a command.
    pub(crate) fn document(&mut self, content: impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(&Document { schema: SCHEMA, content })?;
        self.line(&text::pretty_json(&json))
    }

    /// Prints a line of text that is fit for a terminal.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.write_all(b"\n")
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)
    }

    /// Prints rows in columns that line up, under a heading.
    pub(crate) fn table<const N: usize>(
        &mut self,
        heading: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let rows: Vec<_> = std::iter::once(heading.map(str::to_owned)).chain(rows).collect();
        self.columns(&rows)
    }

    /// Prints rows in columns that line up.
    pub(crate) fn columns<const N: usize>(&mut self, rows: &[[String; N]]) -> io::Result<()> {
        let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| clean(cell))).collect();
        let widths: [usize; N] = std::array::from_fn(|column| {
            rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
        });
        for row in &rows {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            self.line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }

    /// Tells the user something that is no data.
    pub(crate) fn say(&self, message: impl Display) {
        // Who closed stderr does not want to hear it.
        let _ = writeln!(anstream::stderr().lock(), "{}", clean(&message.to_string()));
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
