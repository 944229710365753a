//! Errors of a guard.

use std::fmt;

use super::BoxError;

/// Reason why a guard rejected a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// Nested deeper than this limit, possibly by a cycle.
    Depth(usize),
    /// More elements than the encoded bytes can hold.
    Elements,
    /// A number that JSON cannot represent exactly: NaN, an infinity or a 128-bit integer.
    Number(&'static str),
    /// A map key that JSON cannot represent exactly: anything but text, integers, booleans and characters.
    Key,
    /// `Some(None)` or `Some(())`.
    NestedOption,
    /// An encoded field that is unknown to the type.
    UnknownField,
    /// A `Serialize` that writes another number of fields, entries or elements than it declares.
    Count {
        /// The number it declares.
        declared: usize,
        /// The number it writes.
        written: usize,
    },
    /// A field that is left out, in a format that finds fields by their position.
    SkippedField,
    /// A value that was read back as another one.
    Changed,
}

impl std::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(limit) => write!(f, "nested deeper than {limit} levels, or a cycle"),
            Self::Elements => f.write_str("more elements than the encoded bytes can hold"),
            Self::Number(kind) => write!(f, "JSON cannot represent {kind} exactly"),
            Self::Key => f.write_str(
                "JSON cannot represent a map key exactly that is not text, an integer, a boolean or a character",
            ),
            Self::NestedOption => {
                f.write_str("this format decodes `Some(None)` and `Some(())` as `None`")
            }
            Self::UnknownField => f.write_str("unknown field: the type has no such field"),
            Self::Count { declared, written } => write!(
                f,
                "its `Serialize` declares {declared} fields, entries or elements and writes {written}"
            ),
            Self::SkippedField => f.write_str(
                "the field is left out, and this format finds fields by their position; remove \
                 `skip_serializing_if`, or use a format with named fields, such as MessagePack or JSON",
            ),
            Self::Changed => f.write_str("it comes back as another value"),
        }
    }
}

/// Error of a guarded encoding or decoding, with the path of the value.
#[derive(Debug)]
pub struct GuardError {
    pub(crate) path: String,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) source: Option<BoxError>,
}

impl GuardError {
    /// Returns the path of the value, such as `layers[3].bias`; empty at the top level.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the path and the error without it.
    pub fn into_parts(self) -> (String, BoxError) {
        let reason = match (self.refusal, self.source) {
            (Some(refusal), _) => refusal.into(),
            (None, Some(source)) => source,
            (None, None) => "serializer error".into(),
        };
        (self.path, reason)
    }

    /// Returns the guard's reason, or `None` if the format failed.
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

impl std::error::Error for GuardError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.refusal, self.path.as_str()) {
            (Some(refusal), "") => write!(f, "{refusal}"),
            (Some(refusal), path) => write!(f, "{refusal}, at `{path}`"),
            (None, "") => f.write_str("serializer error"),
            (None, path) => write!(f, "serializer error at `{path}`"),
        }
    }
}
