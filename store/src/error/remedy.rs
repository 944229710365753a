//! Remedies of errors, for programs that describe them in their own words.

use std::fmt;

use super::{BoxError, Error};

/// Remedy of [`Error::Blocked`](super::Error::Blocked).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// Allow that what exists is overwritten.
    Overwrite,
    /// Apply the value again: its bytes are gone.
    ApplyAgain,
    /// Remove the tags of the version.
    Untag,
    /// Unlock the name or the version.
    Unlock,
    /// Force the action.
    Force,
    /// Allow another signature, or deploy under another name.
    AllowSignatureChange,
}

/// Why [`Error::NotFound`](super::Error::NotFound) did not find something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Absence {
    /// There is no such item.
    #[default]
    Unknown,
    /// The version was removed. It can be restored while its bytes are kept.
    Removed,
    /// There is no such job.
    NoJob,
    /// There is no such user.
    NoUser,
    /// There is no such group.
    NoGroup,
    /// There is no such token.
    NoToken,
    /// There is no such grant.
    NoGrant,
    /// There is no such version of the policies.
    NoPolicies,
    /// There is no such deployment.
    NoDeployment,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Removed => ", which was removed,",
            _ => "",
        })
    }
}

impl Error {
    /// Returns true for [`Error::Input`] of a text that is not valid JSON, whatever the signature.
    pub fn is_not_json(&self) -> bool {
        matches!(self, Self::Input { source, .. } if is_not_json(source))
    }
}

pub(super) fn is_not_json(source: &BoxError) -> bool {
    // These two are valid JSON that the parser does not read.
    let is_broken = |text: &str| {
        !text.starts_with("number out of range") && !text.starts_with("recursion limit")
    };
    source
        .downcast_ref::<serde_json::Error>()
        .is_some_and(|error| (error.is_syntax() || error.is_eof()) && is_broken(&error.to_string()))
}
