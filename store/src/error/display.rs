//! Parts of error messages.

use std::error::Error as _;
use std::fmt;

use super::{BoxError, Corruption, Error, ItemKind, is_not_json};
use crate::status::JobStatus;

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut said = self.to_string();
        let mut heading = "\n\nCaused by:";
        let mut next = self.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some errors repeat their source.
            if text != said {
                write!(f, "{heading}\n    {}", text.replace('\n', "\n    "))?;
                heading = "";
            }
            said = text;
            next = cause.source();
        }
        Ok(())
    }
}

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
        f.write_str(match is_not_json(self.0) {
            true => "it is not valid JSON",
            false => "it does not fit the model's signature",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Absence;

    #[test]
    fn debug_is_the_message_with_each_cause_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("the link is down")]
        struct Link;

        #[derive(Debug, thiserror::Error)]
        #[error(transparent)]
        struct Same(#[from] Link);

        #[derive(Debug, thiserror::Error)]
        #[error("the server hung up\nin mid-sentence")]
        struct Server(#[source] Same);

        let error = Error::store("read the record names/wine", Server(Link.into()));
        let told = "cannot read the record names/wine\n\nCaused by:\n    the server hung up\n    in mid-sentence\n    \
                    the link is down";
        assert_eq!(format!("{error:?}"), told);
        assert_eq!(format!("{error:#?}"), told);
        // The hint is part of the message.
        let error = Error::NotFound {
            reference: "wine@7".into(),
            absence: Absence::Unknown,
            similar: vec!["vine".into()],
        };
        assert_eq!(format!("{error:?}"), "cannot find wine@7 in this larder; did you mean vine?");
    }
}
