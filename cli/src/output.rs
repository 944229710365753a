//! Output of commands: data on stdout, messages on stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::time::SystemTime;

use anstream::{AutoStream, ColorChoice};
use larder::VersionInfo;
use larder::store::Timestamp;
use larder_text::table::{self, TableStyle};
use serde::Serialize;

use crate::global::{Format, Global};
use crate::text::{self, clean};

/// The version of the JSON layout.
pub(crate) const SCHEMA: u32 = 1;

/// The output of a command. It is buffered until the end, or until [`Output::flush`].
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    /// True if stdout is a terminal.
    is_terminal: bool,
    style: TableStyle,
    stdout: BufWriter<StdoutLock<'static>>,
}

/// The outcome of a command, `outcome` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Created,
    Changed,
    Restored,
    Unchanged,
}

impl Outcome {
    /// `Changed`, unless nothing was.
    pub(crate) fn changed(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Unchanged }
    }
}

#[derive(Serialize)]
struct Document<T> {
    schema: u32,
    #[serde(flatten)]
    content: T,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        let stdout = io::stdout().lock();
        let is_terminal = stdout.is_terminal();
        let coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
        let width = is_terminal.then(|| width().unwrap_or(80));
        Self {
            format: global.format,
            quiet: global.quiet,
            is_terminal,
            style: TableStyle { width, coloured },
            stdout: BufWriter::new(stdout),
        }
    }

    /// Print only references, one per line.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet && !self.is_json()
    }

    /// The format of data and errors.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Print JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints the JSON document of a command.
    pub(crate) fn document(&mut self, content: impl Serialize) -> io::Result<()> {
        let json = serde_json::to_string(&Document { schema: SCHEMA, content })?;
        self.line(&text::pretty_json(&json))
    }

    /// Prints a line of text, which must be safe for a terminal.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.stdout.write_all(text.as_bytes())?;
        self.stdout.write_all(b"\n")
    }

    /// Prints bytes unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)
    }

    /// The stream for data that is written piece by piece.
    pub(crate) fn writer(&mut self) -> &mut impl Write {
        &mut self.stdout
    }

    /// Prints aligned columns with a heading.
    pub(crate) fn table<const N: usize>(
        &mut self,
        heading: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        table::lines(Some(heading), rows, self.style).iter().try_for_each(|line| self.line(line))
    }

    /// Prints a table of any number of columns.
    #[cfg(feature = "collections")]
    pub(crate) fn wide_table(
        &mut self,
        heading: Vec<&str>,
        rows: Vec<Vec<String>>,
    ) -> io::Result<()> {
        let columns = heading.len();
        let lines = table::lines_of(Some(heading), columns, rows, self.style);
        lines.iter().try_for_each(|line| self.line(line))
    }

    /// Prints aligned columns.
    pub(crate) fn columns<const N: usize>(&mut self, rows: Vec<[String; N]>) -> io::Result<()> {
        // Details of one item are never truncated.
        let style = TableStyle { width: None, ..self.style };
        table::lines(None, rows, style).iter().try_for_each(|line| self.line(line))
    }

    /// Formats a time: as an age on a terminal, else as the time itself.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        if self.is_terminal { text::age(time, SystemTime::now()) } else { text::time(time) }
    }

    /// Prints the references of versions, one per line.
    pub(crate) fn references<'a>(
        &mut self,
        versions: impl IntoIterator<Item = &'a VersionInfo>,
    ) -> io::Result<()> {
        versions.into_iter().try_for_each(|version| self.line(&version.reference().to_string()))
    }

    /// Prints a message to stderr, unless `--quiet`; in JSON, stderr is for the error.
    pub(crate) fn say(&mut self, message: impl Display) {
        if self.quiet || self.is_json() {
            return;
        }
        // Keeps the order of stdout and stderr. A failure is reported by the flush at the end.
        let _ = self.flush();
        // A closed stderr is not an error.
        let _ = writeln!(anstream::stderr().lock(), "{}", clean(&message.to_string()));
    }

    /// Flushes stdout.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}

/// The width of the terminal, if it or the environment knows.
pub(crate) fn width() -> Option<usize> {
    let known = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let stated = || std::env::var("COLUMNS").ok()?.parse().ok();
    known.or_else(stated).filter(|width| *width > 0)
}
