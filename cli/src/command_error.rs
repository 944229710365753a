//! How a command fails: what is printed, and the exit code.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use larder::store::{Hook, ItemKind};
use larder::{Error, StoreUrl};

use crate::text::clean;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// The exit codes, as the crate's documentation lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Corrupt = 4,
    Refused = 5,
    NotLinked = 6,
}

/// Why a command ended before it was done.
#[derive(Debug)]
pub(crate) struct CommandError {
    exit: Exit,
    /// What happened, and what caused it, outermost first. Nothing at all if nobody is to be told.
    messages: Vec<String>,
    hint: Option<String>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, messages: vec![message.into()], hint: None }
    }

    /// An exit code and no words: what there is to say was printed.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { exit, messages: Vec::new(), hint: None }
    }

    /// The same, with an exit code of 2 or more, for commands whose 1 is an answer.
    pub(crate) fn or_worse_than_failure(mut self) -> Self {
        if self.exit == Exit::Failure {
            self.exit = Exit::Usage;
        }
        self
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what was attempted when it happened.
    pub(crate) fn during(mut self, what: impl Into<String>) -> Self {
        self.messages.insert(0, what.into());
        self
    }

    /// What went wrong and keeps nobody from going on, because of what `hint` says.
    pub(crate) fn passing(error: &Error, hint: &str) -> Self {
        let messages = causes(error).map(ToString::to_string).collect();
        Self { exit: Exit::Failure, messages, hint: Some(hint.into()) }
    }

    /// There is nothing at the store's URL.
    pub(crate) fn no_larder(url: &StoreUrl) -> Self {
        Self::new(Exit::NotFound, format!("there is no larder at {url}"))
            .with_hint("apply something first, or name another larder with `--store URL`")
    }

    /// A file could not be read.
    pub(crate) fn reading(what: impl Display, error: &io::Error) -> Self {
        Self::new(Exit::Failure, error.to_string()).during(format!("could not read {what}"))
    }

    /// Prints it to stderr, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        // If stderr is gone, the exit code still tells.
        let _ = self.print(&mut anstream::stderr().lock());
        ExitCode::from(self.exit as u8)
    }

    fn print(&self, err: &mut impl Write) -> io::Result<()> {
        for (depth, message) in self.messages.iter().enumerate() {
            match depth {
                0 => writeln!(err, "{ERROR}error:{ERROR:#} {}", clean(message))?,
                _ => writeln!(err, "  caused by: {}", clean(message))?,
            }
        }
        match &self.hint {
            Some(hint) => writeln!(err, "{HINT}hint:{HINT:#} {}", clean(hint)),
            None => Ok(()),
        }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        // A model hands on what befell its artifacts as a cause of its own failure.
        let kinds = causes(&error).filter_map(|cause| cause.downcast_ref());
        let (exit, hint) = kinds
            .map(|error| (exit_of(error), hint_for(error)))
            .find(|(exit, _)| *exit != Exit::Failure)
            .unwrap_or((Exit::Failure, hint_for(&error)));
        let messages = causes(&error).map(ToString::to_string).collect();
        Self { exit, messages, hint: hint.map(str::to_owned) }
    }
}

/// An error of stdout: whatever else is read or written says what it was.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader has seen enough.
            io::ErrorKind::BrokenPipe => Self::silent(Exit::Success),
            _ => Self::new(Exit::Failure, error.to_string()).during("could not write to stdout"),
        }
    }
}

/// The error, and each cause of it.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source())
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::InvalidName { .. } => Exit::Usage,
        Error::NotFound { .. } | Error::Removed { .. } => Exit::NotFound,
        Error::Corrupt { .. } => Exit::Corrupt,
        Error::Refused { .. }
        | Error::Conflict { .. }
        | Error::Hook { hook: Hook::Cleanup, .. } => Exit::Refused,
        Error::NotLinked { .. } | Error::NewerFormat { .. } => Exit::NotLinked,
        _ => Exit::Failure,
    }
}

fn hint_for(error: &Error) -> Option<&'static str> {
    match error {
        Error::NotFound { reference, .. } if reference.starts_with("the job ") => {
            Some("`jobs` prints the jobs that are there")
        }
        Error::NotFound { similar, .. } if similar.is_empty() => {
            Some("`list` prints the names that are there")
        }
        Error::NotLinked { kind: ItemKind::Type | ItemKind::Serializer, .. } => {
            Some("a program of your own brings it to this command line: https://docs.rs/larder-cli")
        }
        Error::Job { .. } => {
            Some("`job show ID` and `job logs ID` tell more, `job retry ID` tries it again")
        }
        Error::Input { .. } => Some("`show` prints what the model takes"),
        _ => None,
    }
}
