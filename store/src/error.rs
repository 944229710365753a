//! Errors, in the few kinds that callers act on.

mod display;
mod remedy;

use std::fmt;

pub use display::with_causes;
use display::{At, Damage, Ended, Known, Misfit, Row, Suggest, WithArticle};
use remedy::is_not_json;
pub use remedy::{Absence, Remedy};

use crate::digest::Digest;
use crate::status::{Hook, JobStatus};

/// Any error, as a serializer, a store or a model made it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a larder.
///
/// Messages read "cannot *verb* *what*: *reason*", and end with what to do next. The cause, if there is one, is the
/// `source`, and not part of the message.
///
/// `Debug` is for people too: the message and its causes, as `main` prints the error that it returns.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name, reference or URL breaks the rules for its kind.
    #[error("cannot use {text:?} as {}: {reason}", WithArticle(what))]
    InvalidName {
        /// The kind of name: `identifier`, `tag`, `reference` …
        what: &'static str,
        /// The text, truncated to 80 characters.
        text: String,
        /// The rule it breaks.
        reason: String,
    },

    /// The larder does not hold what was asked for.
    #[error("cannot find {reference}{absence} in this larder{}", Suggest(similar))]
    NotFound {
        /// The requested item.
        reference: String,
        /// Why it is not there.
        absence: Absence,
        /// Similar names that exist.
        similar: Vec<String>,
    },

    /// A version that another one refers to was removed.
    #[error(
        "cannot use {needed_by}: it refers to {reference}, which was removed; restore that version first"
    )]
    Removed {
        /// The version that was removed.
        reference: String,
        /// The item that refers to it.
        needed_by: String,
    },

    /// A type, serializer, store, queue or trigger that is not linked in.
    #[error(
        "cannot use {needed_by}: the {kind} `{name}` is not linked in{}; {hint}",
        Known(kind, known)
    )]
    NotLinked {
        /// The kind of the missing item.
        kind: ItemKind,
        /// Its name.
        name: String,
        /// The item that needs it.
        needed_by: String,
        /// The feature or crate that provides it.
        hint: String,
        /// True if the version holds the source code of the item.
        has_source: bool,
        /// The names that are linked in.
        known: Vec<String>,
    },

    /// Two types, serializers or stores with one name.
    #[error(
        "cannot register the {kind} `{name}` twice: {first} and {second} have that name; rename one of them"
    )]
    Duplicate {
        /// Their kind.
        kind: ItemKind,
        /// The name they share.
        name: String,
        /// The source of the first.
        first: String,
        /// The source of the second.
        second: String,
    },

    /// The version holds a component of another type than the one asked for.
    #[error("cannot load {reference} as `{expected}`: its type is `{found}`; load it as that type")]
    WrongType {
        /// The version to load.
        reference: String,
        /// The type tag that was asked for.
        expected: String,
        /// The type tag of the version.
        found: String,
    },

    /// The component is not a model.
    #[error(
        "cannot load {reference} as a model: its type `{type_tag}` is not one; implement `Predict` for it, with \
         `#[component(tag = \"…\", model)]`"
    )]
    NotAModel {
        /// The version to load.
        reference: String,
        /// Its type tag.
        type_tag: String,
    },

    /// A value that its format cannot hold exactly.
    #[error("cannot encode {what}{}: {reason}. {advice}", At(path))]
    Lossy {
        /// The value to encode.
        what: String,
        /// The path in it, such as `layers[3].bias`.
        path: String,
        /// Why it cannot be held.
        reason: String,
        /// The alternative.
        advice: &'static str,
    },

    /// A value could not be encoded.
    #[error("cannot encode {what}")]
    Encode {
        /// The value to encode.
        what: String,
        /// The error of the serializer.
        source: BoxError,
    },

    /// Stored bytes are intact, but do not fit the type.
    #[error("cannot decode {what} as `{type_name}`{}", At(path))]
    Decode {
        /// The value to decode.
        what: String,
        /// The Rust type or type tag.
        type_name: String,
        /// The path in it, such as `layers[3].bias`; empty at the top.
        path: String,
        /// The error of the serializer.
        source: BoxError,
    },

    /// Stored bytes differ from what was written.
    #[error("cannot read {what}: {}", Damage(fault))]
    Corrupt {
        /// The damaged item.
        what: String,
        /// The kind of damage.
        fault: Corruption,
    },

    /// Data written by a newer version of Larder.
    #[error(
        "cannot read {what}: it has format {found}, and this version of Larder reads up to {known}; use a newer one"
    )]
    NewerFormat {
        /// The item that was read.
        what: String,
        /// Its format.
        found: u64,
        /// The newest format that this version of Larder reads.
        known: u64,
    },

    /// Another writer kept changing the same records.
    #[error("cannot change {what}: another writer changed it at the same time; try again")]
    Conflict {
        /// The item that was written.
        what: String,
    },

    /// The action is possible, but would lose or break something.
    #[error("cannot {action}: {reason}")]
    Refused {
        /// The attempted action: an infinitive with its object.
        action: String,
        /// Why it is refused, and what to do instead.
        reason: String,
    },

    /// Access control does not allow the action, or the caller did not prove who it is.
    #[error("cannot {action}: {reason}")]
    Denied {
        /// The attempted action: an infinitive with its object.
        action: String,
        /// Why it is denied, and what to do.
        reason: String,
    },

    /// Something stands in the way of the action that the caller can remove or override.
    #[error("cannot {action}: {reason}")]
    Blocked {
        /// The attempted action: an infinitive with its object.
        action: String,
        /// The obstacle, and the advice.
        reason: String,
        /// The remedy, for programs.
        remedy: Remedy,
    },

    /// A hook of a component failed, or panicked.
    #[error("cannot complete the hook `{hook}` of {component}: {left}")]
    Hook {
        /// The component: its name, or its version if it has one.
        component: String,
        /// The hook.
        hook: Hook,
        /// The state after the failure, and what to do next.
        left: &'static str,
        /// The error of the hook.
        source: BoxError,
    },

    /// The disk, the database or the network failed.
    #[error("cannot {action}")]
    Store {
        /// The attempted operation, with its object.
        action: String,
        /// The error of the system.
        source: BoxError,
    },

    /// A state that Larder's own code rules out: a bug of Larder.
    #[error("internal error: {what}; this is a bug of Larder, please report it")]
    Internal {
        /// The violated invariant.
        what: String,
    },

    /// An input that does not fit the model's signature, or is not valid JSON.
    #[error("cannot use the input{}: {}", At(path), Misfit(source))]
    Input {
        /// The path in the input; empty at the top.
        path: String,
        /// The expected and the actual value.
        source: BoxError,
    },

    /// An awaited job did not succeed.
    #[error(
        "cannot complete the job {job} (`{trigger}`): it {}; see its log, or retry it",
        Ended(status)
    )]
    Job {
        /// The job.
        job: String,
        /// Its trigger.
        trigger: String,
        /// Its final status.
        status: JobStatus,
        /// Why.
        source: BoxError,
    },

    /// The model failed.
    #[error("cannot predict{}: the model failed", Row(row))]
    Predict {
        /// The row of a batch, from 0.
        row: Option<usize>,
        /// The error of the model.
        source: BoxError,
    },
}

/// A kind of item in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ItemKind {
    /// A component type, by its type tag.
    Type,
    /// A serializer, by its name.
    Serializer,
    /// A store, by its URL scheme.
    Store,
    /// A queue, by its URL scheme.
    Queue,
    /// A trigger of a component type, by its name.
    Trigger,
    /// A kind of record, by the prefix of its keys.
    Record,
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "component type",
            Self::Serializer => "serializer",
            Self::Store => "store scheme",
            Self::Queue => "queue scheme",
            Self::Trigger => "trigger",
            Self::Record => "record kind",
        })
    }
}

/// The difference between stored and written bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// They are gone.
    Missing,
    /// The folder that holds them was left behind when the larder was moved or copied. The text names it, and says what to
    /// do.
    LeftBehind(String),
    /// Their length differs.
    Size {
        /// Bytes that were written.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Their digest differs.
    Digest {
        /// The digest of what was written.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// They cannot be parsed.
    Unreadable(String),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("its bytes are missing"),
            Self::Size { expected, found } => {
                write!(f, "it has {found} bytes instead of {expected}")
            }
            Self::Digest { expected, found } => {
                write!(f, "its digest is {} instead of {}", found.short(), expected.short())
            }
            Self::LeftBehind(reason) | Self::Unreadable(reason) => f.write_str(reason),
        }
    }
}

impl Error {
    /// A name that breaks a rule.
    pub fn invalid(what: &'static str, text: &str, reason: impl Into<String>) -> Self {
        let text = match text.char_indices().nth(80) {
            Some((cut, _)) => format!("{}…", &text[..cut]),
            None => text.to_owned(),
        };
        Self::InvalidName { what, text, reason: reason.into() }
    }

    /// A failure of a disk, a database or a network while it was to `action` (an infinitive, with
    /// its object).
    pub fn store(action: impl Into<String>, source: impl Into<BoxError>) -> Self {
        Self::Store { action: action.into(), source: source.into() }
    }

    /// An `action` (an infinitive, with its object) that access control does not allow.
    pub fn denied(action: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Denied { action: action.into(), reason: reason.into() }
    }

    /// Damaged stored bytes.
    pub fn corrupt(what: impl Into<String>, fault: Corruption) -> Self {
        Self::Corrupt { what: what.into(), fault }
    }

    /// A state that the code rules out.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal { what: what.into() }
    }

    /// A failure inside a model, from any error or message.
    ///
    /// ```
    /// use larder_store::Error;
    ///
    /// let error = Error::predict("the wine is corked");
    /// assert_eq!(error.to_string(), "cannot predict: the model failed");
    /// ```
    pub fn predict(source: impl Into<BoxError>) -> Self {
        Self::Predict { row: None, source: source.into() }
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
