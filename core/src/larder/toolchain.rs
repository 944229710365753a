//! What a version was made with, and what this program is made with.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Larder;
use crate::error::{Error, Result};
use crate::record::VersionRecord;
use crate::reference::Reference;

/// The compiler that built a program, and what it built it for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Toolchain {
    /// The version of rustc, such as `1.95.0`.
    pub rustc: String,
    /// The target triple, such as `x86_64-unknown-linux-gnu`.
    pub target: String,
}

impl Toolchain {
    /// That of this program, if it was told when it was built.
    pub fn here() -> Option<Self> {
        let (rustc, target) = (option_env!("LARDER_RUSTC")?, option_env!("LARDER_TARGET")?);
        Some(Self { rustc: rustc.to_owned(), target: target.to_owned() })
    }
}

/// One thing that a version was made with and that is another here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What differs: `crate`, `rustc` or `target`.
    pub what: &'static str,
    /// As the version was made.
    pub recorded: String,
    /// As it is here.
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}, and is {} here", self.what, self.recorded, self.here)
    }
}

impl Larder {
    /// The same larder, which refuses to load what was made with another crate version or, if it is a class
    /// model, another toolchain than this program's.
    ///
    /// Without it such a version is loaded, and [`differences`](Larder::differences) tells.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// What the version was made with that is another here: a reason to look twice, not a fault.
    ///
    /// The crate that brings the type is compared, with its version; for a class model also rustc and
    /// the target. What is not known on one side is not compared.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn differences(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Vec<Difference>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        Ok(self.differences_of(&self.find(&reference)?))
    }

    fn differences_of(&self, version: &VersionRecord) -> Vec<Difference> {
        let krate = self.registry.origin_of_type(version.type_tag.as_str());
        let (then, now) = (version.toolchain.as_ref(), Toolchain::here());
        let compared = [
            ("crate", version.origin.as_deref(), krate),
            ("rustc", then.map(|t| t.rustc.as_str()), now.as_ref().map(|t| t.rustc.as_str())),
            ("target", then.map(|t| t.target.as_str()), now.as_ref().map(|t| t.target.as_str())),
        ];
        let differs = |(what, recorded, here): (_, Option<&str>, Option<&str>)| {
            let (recorded, here) = (recorded?.to_owned(), here?.to_owned());
            (recorded != here).then_some(Difference { what, recorded, here })
        };
        compared.into_iter().filter_map(differs).collect()
    }

    /// Under [`strict`](Larder::strict), refuses a version that was made with something else.
    pub(crate) fn check_strict(&self, what: &str, version: &VersionRecord) -> Result<()> {
        if !self.strict {
            return Ok(());
        }
        let differences: Vec<_> =
            self.differences_of(version).iter().map(ToString::to_string).collect();
        if differences.is_empty() {
            return Ok(());
        }
        Err(Error::Refused {
            what: format!("the strict loading of {what}"),
            reason: format!(
                "{}; load it without `strict`, or apply it anew",
                differences.join("; ")
            ),
        })
    }
}
