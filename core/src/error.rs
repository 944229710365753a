//! What can go wrong, in the few kinds that a caller acts on.

use std::fmt;

use crate::digest::Digest;
use crate::hooks::Hook;
use crate::jobs::JobStatus;

/// Any error, as a serializer, a store or a model made it.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong in a larder.
///
/// A message says what was attempted, on what, and what to do next; the cause, if there is one, is
/// kept as its `source` and not repeated in the message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name, reference or URL breaks the rules for its kind.
    #[error("{text:?} is not a valid {what}: {reason}")]
    InvalidName {
        /// What it was to be: `identifier`, `tag`, `reference` …
        what: &'static str,
        /// What was given, cut after 80 characters.
        text: String,
        /// The rule it breaks.
        reason: String,
    },

    /// A reference to something that is not in the larder.
    #[error("{reference} is not in this larder{}", Suggest(similar))]
    NotFound {
        /// What was asked for.
        reference: String,
        /// Names that exist and look alike.
        similar: Vec<String>,
    },

    /// A version that another one refers to was removed.
    #[error("{needed_by} needs {reference}, which was removed; `restore` it")]
    Removed {
        /// The version that was removed.
        reference: String,
        /// What refers to it.
        needed_by: String,
    },

    /// A type, serializer or store that no linked crate brings.
    #[error(
        "{needed_by} needs the {kind} `{name}`, which is not linked in{}; {hint}",
        Known(kind, known)
    )]
    NotLinked {
        /// What is missing.
        kind: ItemKind,
        /// Its name.
        name: String,
        /// What needs it.
        needed_by: String,
        /// Which feature or crate would bring it.
        hint: String,
        /// The names that are known.
        known: Vec<String>,
    },

    /// Two types, serializers or stores with one name.
    #[error("two {kind}s are named `{name}`: {first} and {second}; rename one of them")]
    Duplicate {
        /// What they are.
        kind: ItemKind,
        /// The name they share.
        name: String,
        /// Where one comes from.
        first: String,
        /// Where the other comes from.
        second: String,
    },

    /// The version holds a component of another type than the one asked for.
    #[error("{reference} is a `{found}`, not a `{expected}`; load it as the type with that tag")]
    WrongType {
        /// What was to be loaded.
        reference: String,
        /// The type tag that was asked for.
        expected: String,
        /// The type tag of the version.
        found: String,
    },

    /// The component cannot predict.
    #[error(
        "{reference} is a `{type_tag}`, which is not a model; implement `Predict` for its type and \
         say `#[component(tag = \"…\", model)]`"
    )]
    NotAModel {
        /// What was to be loaded.
        reference: String,
        /// Its type tag.
        type_tag: String,
    },

    /// A value that its format cannot hold exactly, so that it would not come back as it went in.
    #[error("{what} is refused at `{path}`: {reason}. {advice}")]
    Lossy {
        /// What was to be encoded.
        what: String,
        /// Where in it, such as `layers[3].bias`.
        path: String,
        /// What stands there.
        reason: String,
        /// What to do instead.
        advice: &'static str,
    },

    /// A value could not be encoded.
    #[error("{what} could not be encoded")]
    Encode {
        /// What was to be encoded.
        what: String,
        /// What the serializer said.
        source: BoxError,
    },

    /// Stored bytes are whole, but they do not fit the type they are to become.
    #[error("{what} does not fit the type `{type_name}` as it is linked in{}", At(path))]
    Decode {
        /// What was to be decoded.
        what: String,
        /// The Rust type or type tag it was to become.
        type_name: String,
        /// Where in it, such as `layers[3].bias`; empty at the top.
        path: String,
        /// What the serializer said.
        source: BoxError,
    },

    /// Stored bytes are not what was written.
    #[error("{what} is corrupt: {fault}; restore it from a copy")]
    Corrupt {
        /// What is damaged.
        what: String,
        /// How.
        fault: Corruption,
    },

    /// Something written by a later Larder.
    #[error("{what} has format {found}; this Larder reads up to {known}: use a newer one")]
    NewerFormat {
        /// What was to be read.
        what: String,
        /// Its format.
        found: u64,
        /// The newest format this Larder reads.
        known: u64,
    },

    /// Another writer was faster, again and again.
    #[error("{what} was changed by another writer at the same time; try again")]
    Conflict {
        /// What was to be written.
        what: String,
    },

    /// The larder could do it, but it would lose or break something.
    #[error("{what} is refused: {reason}")]
    Refused {
        /// What was asked.
        what: String,
        /// Why not, and what to do instead.
        reason: String,
    },

    /// A hook of a component failed, or panicked.
    #[error("the hook `{hook}` of {component} failed: {left}")]
    Hook {
        /// The component: its name, or its version if it has one.
        component: String,
        /// Which hook.
        hook: Hook,
        /// What that left, and what to do next.
        left: &'static str,
        /// What the hook said.
        source: BoxError,
    },

    /// The disk, the database or the network failed.
    #[error("could not {action}")]
    Store {
        /// What was attempted, on what.
        action: String,
        /// What the system said.
        source: BoxError,
    },

    /// A state that Larder's own code rules out: a bug of Larder.
    #[error("internal error: {what}; this is a bug of Larder, please report it")]
    Internal {
        /// What is so and cannot be.
        what: String,
    },

    /// An input that does not fit the model's signature.
    #[error("the input does not fit the model's signature{}", At(path))]
    Input {
        /// Where in the input; empty at the top.
        path: String,
        /// What was expected and what came.
        source: BoxError,
    },

    /// A job that was waited for did not succeed.
    #[error(
        "the job {job} (`{trigger}`) {}; what it said is in its log, and it can be tried again",
        Ended(status)
    )]
    Job {
        /// The job.
        job: String,
        /// Its trigger.
        trigger: String,
        /// How it ended.
        status: JobStatus,
        /// Why.
        source: BoxError,
    },

    /// The model itself failed.
    #[error("the model failed{}", Row(row))]
    Predict {
        /// Which row of a batch, from 0.
        row: Option<usize>,
        /// What the model said.
        source: BoxError,
    },
}

/// A kind of thing that a registry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
}

impl fmt::Display for ItemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "component type",
            Self::Serializer => "serializer",
            Self::Store => "store scheme",
            Self::Queue => "queue scheme",
            Self::Trigger => "trigger",
        })
    }
}

/// How stored bytes differ from what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Corruption {
    /// They are gone.
    Missing,
    /// Their number differs.
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
    /// They cannot be understood at all.
    Unreadable(String),
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("its bytes are missing"),
            Self::Size { expected, found } => {
                write!(f, "it has {found} bytes where {expected} were written")
            }
            Self::Digest { expected, found } => {
                write!(f, "its digest is {} where {} was written", found.short(), expected.short())
            }
            Self::Unreadable(reason) => f.write_str(reason),
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

    /// Damaged stored bytes.
    pub fn corrupt(what: impl Into<String>, fault: Corruption) -> Self {
        Self::Corrupt { what: what.into(), fault }
    }

    /// A state that the code rules out.
    pub(crate) fn internal(what: impl Into<String>) -> Self {
        Self::Internal { what: what.into() }
    }

    /// A failure inside a model, from any error or message.
    ///
    /// ```
    /// use larder_core::Error;
    ///
    /// let error = Error::predict("the wine is corked");
    /// assert_eq!(error.to_string(), "the model failed");
    /// ```
    pub fn predict(source: impl Into<BoxError>) -> Self {
        Self::Predict { row: None, source: source.into() }
    }
}

struct Suggest<'a>(&'a [String]);

impl fmt::Display for Suggest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, "; did you mean {}?", names.join(" or ")),
        }
    }
}

struct Known<'a>(&'a ItemKind, &'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            [] => write!(f, " (no {} is linked in)", self.0),
            names => write!(f, " (linked in: {})", names.join(", ")),
        }
    }
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            path => write!(f, ", at `{path}`"),
        }
    }
}

struct Ended<'a>(&'a JobStatus);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            JobStatus::Failed => f.write_str("failed"),
            status => write!(f, "was {status}"),
        }
    }
}

struct Row<'a>(&'a Option<usize>);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(row) => write!(f, " on row {row}"),
        }
    }
}
