//! Parts of error messages.

use std::fmt;

use super::{BoxError, Corruption, ItemKind};
use crate::status::JobStatus;

/// Similar names, at the end of a message.
pub(super) struct Suggest<'a>(pub(super) &'a [String]);

impl fmt::Display for Suggest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            names => write!(f, "; did you mean {}?", names.join(" or ")),
        }
    }
}

/// The names of a kind that are linked in.
pub(super) struct Known<'a>(pub(super) &'a ItemKind, pub(super) &'a [String]);

impl fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            [] => write!(f, " (no {} is)", self.0),
            names => write!(f, " (linked in: {})", names.join(", ")),
        }
    }
}

/// A path, if there is one.
pub(super) struct At<'a>(pub(super) &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            path => write!(f, " at `{path}`"),
        }
    }
}

/// Why an input is refused.
pub(super) struct Misfit<'a>(pub(super) &'a BoxError);

impl fmt::Display for Misfit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parser = self.0.downcast_ref::<serde_json::Error>();
        // These two are valid JSON that the parser does not read.
        let is_broken = |text: &str| {
            !text.starts_with("number out of range") && !text.starts_with("recursion limit")
        };
        f.write_str(match parser {
            Some(error)
                if (error.is_syntax() || error.is_eof()) && is_broken(&error.to_string()) =>
            {
                "it is not valid JSON"
            }
            _ => "it does not fit the model's signature",
        })
    }
}

/// Damage, and what to do about it.
pub(super) struct Damage<'a>(pub(super) &'a Corruption);

impl fmt::Display for Damage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            fault @ Corruption::LeftBehind(_) => write!(f, "{fault}"),
            fault => write!(f, "it is corrupt ({fault}); restore it from a copy"),
        }
    }
}

/// The end of a job.
pub(super) struct Ended<'a>(pub(super) &'a JobStatus);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            JobStatus::Failed => f.write_str("failed"),
            status => write!(f, "was {status}"),
        }
    }
}

/// A noun with its indefinite article.
pub(super) struct WithArticle<'a>(pub(super) &'a str);

impl fmt::Display for WithArticle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.0.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        write!(f, "{article} {}", self.0)
    }
}

/// The number of a row, if there is one.
pub(super) struct Row<'a>(pub(super) &'a Option<usize>);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(row) => write!(f, " row {row}"),
        }
    }
}
