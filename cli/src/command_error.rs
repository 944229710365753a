//! Errors of commands: their message, hint and exit code.

use std::error::Error as StdError;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use larder::store::files::describe;
use larder::store::{Absence, Hook, ItemKind, Remedy};
use larder::{Error, StoreUrl};
use serde::Serialize;

use crate::global::Format;
use crate::output::SCHEMA;
use crate::text::{self, clean};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Exit codes, as documented on the crate page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failure = 1,
    Usage = 2,
    NotFound = 3,
    Corrupt = 4,
    Refused = 5,
    NotLinked = 6,
    Denied = 7,
}

/// An error as JSON on stderr.
#[derive(Serialize)]
struct Failure<'a> {
    schema: u32,
    error: ErrorDocument<'a>,
}

/// An error as JSON in the place of an output.
#[derive(Serialize)]
struct InPlace<'a> {
    error: Option<ErrorDocument<'a>>,
}

#[derive(Serialize)]
struct ErrorDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    message: &'a str,
    causes: &'a [String],
    hint: Option<&'a str>,
    exit: u8,
}

/// An error of a command.
#[derive(Debug)]
pub(crate) struct CommandError {
    exit: Exit,
    /// The error and its causes, outermost first. Empty if there is nothing to print.
    messages: Vec<String>,
    hint: Option<String>,
}

impl CommandError {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, messages: vec![message.into()], hint: None }
    }

    /// An exit code without a message.
    pub(crate) fn silent(exit: Exit) -> Self {
        Self { exit, messages: Vec::new(), hint: None }
    }

    /// Raises exit code 1 to 2, for commands where 1 is a result.
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

    /// Adds to the hint.
    pub(crate) fn with_hint_too(self, hint: &str) -> Self {
        let hint =
            self.hint.iter().map(String::as_str).chain([hint]).collect::<Vec<_>>().join("; ");
        Self { hint: Some(hint), ..self }
    }

    /// Prepends what was attempted.
    pub(crate) fn context(mut self, what: impl Into<String>) -> Self {
        self.messages.insert(0, what.into());
        self
    }

    /// An error that does not stop the command; `hint` says why.
    pub(crate) fn recoverable(error: &Error, hint: &str) -> Self {
        let messages = causes(error).map(ToString::to_string).collect();
        Self { exit: Exit::Failure, messages, hint: Some(hint.into()) }
    }

    /// The command line could not be parsed.
    pub(crate) fn usage(error: &clap::Error) -> Self {
        let text = error.render().to_string();
        let text = text.split("\n\nUsage:").next().unwrap_or_default();
        let text = text.split("\n\nFor more information").next().unwrap_or_default();
        let text = text.strip_prefix("error: ").unwrap_or(text).trim_end();
        Self::new(Exit::Usage, text).with_hint("`--help` lists the arguments")
    }

    /// There is no larder at the URL.
    pub(crate) fn no_larder(url: &StoreUrl) -> Self {
        // What a larder may be made of, such as an empty file, is none yet.
        let is_local = matches!(url.scheme(), "sqlite" | "fs");
        let found = url.path().ok().filter(|path| is_local && path.exists() && !path.is_dir());
        let only = found.map_or_else(String::new, |path| format!(", only {}", describe(path)));
        Self::new(Exit::NotFound, format!("cannot open {url}: there is no larder{only}")).with_hint(
            "create one with `larder put NAME FILE`, or name another one with `--store URL`",
        )
    }

    /// This program was built without a feature of this crate.
    pub(crate) fn without_feature(action: impl Display, feature: &str) -> Self {
        let message =
            format!("cannot {action}: this program was built without the feature `{feature}`");
        Self::new(Exit::NotLinked, message).with_hint(install_hint(feature))
    }

    /// A file could not be read.
    pub(crate) fn reading(what: impl Display, error: &io::Error) -> Self {
        Self::new(Exit::Failure, error.to_string()).context(format!("cannot read {what}"))
    }

    /// Prints the error to stderr, and returns the exit code.
    pub(crate) fn report(&self, format: Format) -> ExitCode {
        let mut stderr = anstream::stderr().lock();
        // If stderr is closed, the exit code remains.
        let _ = match format {
            Format::Json => self.print_json(&mut stderr),
            _ => self.print(&mut stderr),
        };
        ExitCode::from(self.exit as u8)
    }

    fn print_json(&self, err: &mut impl Write) -> io::Result<()> {
        let Some(error) = self.document(None) else { return Ok(()) };
        let json = serde_json::to_string(&Failure { schema: SCHEMA, error })?;
        writeln!(err, "{}", text::pretty_json(&json))
    }

    /// The error as JSON, on one line, in the place of the output for `line`.
    pub(crate) fn line(&self, line: u64) -> String {
        let json = serde_json::to_string(&InPlace { error: self.document(Some(line)) });
        // The texts of an error are always JSON.
        text::clean_json(&json.unwrap_or_default()).into_owned()
    }

    /// `None` if there is nothing to print.
    fn document(&self, line: Option<u64>) -> Option<ErrorDocument<'_>> {
        let (message, causes) = self.messages.split_first()?;
        let (hint, exit) = (self.hint.as_deref(), self.exit as u8);
        Some(ErrorDocument { line, message, causes, hint, exit })
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Changes every message.
    pub(crate) fn map_messages(mut self, change: impl Fn(&str) -> String) -> Self {
        self.messages.iter_mut().for_each(|message| *message = change(message));
        self
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
        // A model reports errors of its artifacts as causes of its own.
        let kinds = causes(&error).filter_map(|cause| cause.downcast_ref());
        let (exit, hint) = kinds
            .map(|error| (exit_of(error), hint_for(error)))
            .find(|(exit, _)| *exit != Exit::Failure)
            .unwrap_or((Exit::Failure, hint_for(&error)));
        let mut messages: Vec<_> = causes(&error).map(ToString::to_string).collect();
        // The library's advice is for programs.
        if let Error::NotAModel { reference, type_tag } = &error {
            messages = vec![format!(
                "cannot predict with {reference}: its type `{type_tag}` is not a model"
            )];
        }
        if let Error::NotLinked {
            kind: kind @ (ItemKind::Store | ItemKind::Queue),
            name,
            needed_by,
            known,
            ..
        } = &error
        {
            let known = known.iter().map(|name| format!("{name}:")).collect::<Vec<_>>().join(", ");
            messages = vec![format!(
                "cannot use {needed_by}: this program has no {kind} `{name}`; it has {known}"
            )];
        }
        Self { exit, messages, hint }
    }
}

/// An error of stdout; errors of other files have a context.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            // The reader closed the pipe.
            io::ErrorKind::BrokenPipe => Self::silent(Exit::Success),
            _ => Self::new(Exit::Failure, error.to_string()).context("cannot write to stdout"),
        }
    }
}

/// The error, and each cause of it.
fn causes(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let all =
        std::iter::successors(Some(error as &(dyn StdError + 'static)), |&error| error.source());
    // SQLite's errors say the same twice.
    all.filter(|cause| !cause.to_string().starts_with("Error code "))
}

/// Returns the command that installs a program with a feature of this crate.
fn install_hint(feature: &str) -> String {
    format!(
        "install it with `cargo install larder-cli --features {feature}`, or `full` for everything"
    )
}

fn exit_of(error: &Error) -> Exit {
    match error {
        Error::InvalidName { .. } => Exit::Usage,
        Error::NotFound { .. } | Error::Removed { .. } => Exit::NotFound,
        Error::Corrupt { .. } => Exit::Corrupt,
        Error::Refused { .. }
        | Error::Blocked { .. }
        | Error::Conflict { .. }
        | Error::Hook { hook: Hook::Cleanup, .. } => Exit::Refused,
        Error::NotLinked { .. } | Error::NewerFormat { .. } => Exit::NotLinked,
        Error::Denied { .. } => Exit::Denied,
        _ => Exit::Failure,
    }
}

/// Returns the hint for an error: the next command.
fn hint_for(error: &Error) -> Option<String> {
    let hint = match error {
        Error::NotFound { absence: Absence::NoJob, .. } => "`larder jobs` lists the jobs",
        Error::NotFound { absence: Absence::Removed, reference, .. } => {
            return Some(format!("`larder restore {reference}` restores it"));
        }
        Error::NotFound { absence: Absence::NoUser, .. } => {
            "`larder user list` lists the users, and `larder user add NAME` adds one"
        }
        Error::NotFound { absence: Absence::NoGroup, .. } => {
            "`larder group list` lists the groups, and `larder group add NAME` adds one"
        }
        Error::NotFound { absence: Absence::NoToken, .. } => "`larder token list` lists the tokens",
        Error::NotFound { absence: Absence::NoPolicies, .. } => {
            "`larder policy show` prints the policies in force"
        }
        Error::NotFound { absence: Absence::NoGrant, .. } => "`larder grant list` lists the grants",
        Error::NotFound { similar, .. } if similar.is_empty() => "`larder list` lists the names",
        Error::NotLinked { has_source: true, .. } => {
            "print its source with `larder show --source REF`; to use it, link it into your own \
             command line: https://docs.rs/larder-cli"
        }
        Error::NotLinked { kind, name, .. } => {
            match (larder::features::feature_of(*kind, name), kind) {
                (Some(feature), _) => return Some(install_hint(feature)),
                (None, ItemKind::Type | ItemKind::Serializer) => {
                    "to use it, link it into your own command line: https://docs.rs/larder-cli"
                }
                _ => return None,
            }
        }
        Error::Removed { reference, .. } => {
            return Some(format!("`larder restore {reference}` restores it"));
        }
        Error::NotAModel { type_tag, .. } if type_tag == "larder/files" => {
            "`larder put` stores ONNX files, WebAssembly modules and scripts as models"
        }
        Error::Blocked { remedy, .. } => match remedy {
            Remedy::Overwrite => "use `--overwrite` to move them",
            Remedy::ApplyAgain => "store it again with `larder put`",
            Remedy::Untag => "`larder untag NAME:TAG` removes a tag",
            Remedy::Unlock => "unlock it with `larder unlock REF|NAME`",
            Remedy::Force => "use `--force` to do it anyway",
            Remedy::AllowSignatureChange => {
                "use `--allow-signature-change` to do it anyway, or `--name NAME`"
            }
            _ => return None,
        },
        Error::Hook { hook: Hook::Cleanup, .. } => "use `--force` to remove it anyway",
        Error::Job { .. } => {
            "see `larder job show ID` and `larder job logs ID`; retry it with `larder job retry ID`"
        }
        Error::Input { .. } if error.is_not_json() => return None,
        Error::Input { .. } => "`larder show REF` prints the signature of the model",
        _ => return None,
    };
    Some(hint.to_owned())
}
