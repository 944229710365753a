//! Where commands print: data to stdout, talk to stderr.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::time::SystemTime;

use anstream::{AutoStream, ColorChoice};
use larder::{Larder, Timestamp, VersionInfo};
use serde::Serialize;

use crate::global::{Format, Global};
use crate::table::{self, TableStyle};
use crate::text::{self, clean};

/// The layout of the JSON that commands print.
const SCHEMA: u32 = 1;

/// The printer of a command. What is printed is seen at the end, or after [`Output::flush`].
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    /// Whether a person reads it on a terminal.
    to_person: bool,
    look: TableStyle,
    stdout: BufWriter<StdoutLock<'static>>,
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
        let to_person = stdout.is_terminal();
        let coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
        let width = to_person.then(terminal_size::terminal_size).flatten();
        let width = width.map(|(terminal_size::Width(width), _)| usize::from(width));
        Self {
            format: global.format,
            quiet: global.quiet,
            to_person,
            look: TableStyle { width, coloured },
            stdout: BufWriter::new(stdout),
        }
    }

    /// Whether the data is to be references, one a line, and nothing else.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet && !self.is_json()
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
        table::lines(Some(heading), rows, self.look).iter().try_for_each(|line| self.line(line))
    }

    /// Prints rows in columns that line up.
    pub(crate) fn columns<const N: usize>(&mut self, rows: Vec<[String; N]>) -> io::Result<()> {
        // What is shown of one thing is shown in full.
        let look = TableStyle { width: None, ..self.look };
        table::lines(None, rows, look).iter().try_for_each(|line| self.line(line))
    }

    /// A point in time: to a person how long ago it was, to a program the time itself.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        if self.to_person { text::age(time, SystemTime::now()) } else { text::time(time) }
    }

    /// Prints the references of versions, one a line.
    pub(crate) fn references<'a>(
        &mut self,
        versions: impl IntoIterator<Item = &'a VersionInfo>,
    ) -> io::Result<()> {
        versions.into_iter().try_for_each(|version| self.line(&Larder::pin(version).to_string()))
    }

    /// Tells the user something that is no data.
    pub(crate) fn say(&mut self, message: impl Display) {
        if self.quiet {
            return;
        }
        // What was printed before it is to be read before it. If that fails, it fails again at the end.
        let _ = self.flush();
        // Who closed stderr does not want to hear it.
        let _ = writeln!(anstream::stderr().lock(), "{}", clean(&message.to_string()));
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.stdout.flush()
    }
}
