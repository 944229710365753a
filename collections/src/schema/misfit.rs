//! Rows that do not fit a schema.

use std::fmt;

use larder_core::{Error, Identifier};

/// Maximum characters of a value in a message.
const MOST_VALUE: usize = 60;
/// Maximum number of misfits that a message lists.
const MOST_LISTED: usize = 3;

/// A row that does not fit the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Misfit {
    /// The position of the row in the input, from 0.
    pub row: u64,
    /// The field; empty if the whole row is wrong.
    pub field: String,
    /// The value, shortened.
    pub value: String,
    /// Why it does not fit.
    pub reason: String,
}

impl Misfit {
    /// Creates a misfit; `row` counts from 0.
    pub fn new(row: u64, field: &str, value: impl fmt::Display, reason: impl Into<String>) -> Self {
        let mut value = value.to_string();
        if let Some((end, _)) = value.char_indices().nth(MOST_VALUE) {
            value.truncate(end);
            value.push('…');
        }
        Self { row, field: field.to_owned(), value, reason: reason.into() }
    }
}

/// Rows are numbered from 1 in messages.
impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row + 1)?;
        if !self.field.is_empty() {
            write!(f, ", field `{}`", self.field)?;
        }
        if !self.value.is_empty() {
            write!(f, ": {}", self.value)?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// The rows of a batch that do not fit; never empty in an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfits(pub Vec<Misfit>);

impl Misfits {
    /// Returns the error that refuses the whole write.
    pub fn into_error(self, verb: &str, name: &Identifier) -> Error {
        let listed: Vec<String> = self.0.iter().take(MOST_LISTED).map(Misfit::to_string).collect();
        let mut reason = listed.join("; ");
        if self.0.len() > MOST_LISTED {
            reason += &format!("; and {} more", self.0.len() - MOST_LISTED);
        }
        let action = format!("{verb} {name}");
        Error::Refused { action, reason: format!("{reason}; nothing was written") }
    }
}
