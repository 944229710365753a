//! What a version was made with, and what this program is made with.

use std::fmt;

use serde::Serialize;

use super::Larder;
use crate::error::{Error, Result};
use crate::record::VersionRecord;
use crate::reference::Reference;
use crate::toolchain::Toolchain;

/// One thing that a version was made with and that is another here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// What differs: `crate`, `rustc`, `target`, `features` or `Cargo.lock`.
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

type Aspect = fn(&Toolchain) -> Option<String>;

/// What two toolchains are compared by; what one of them does not know is not.
const ASPECTS: [(&str, Aspect); 4] = [
    ("rustc", |toolchain| Some(toolchain.rustc.clone())),
    ("target", |toolchain| Some(toolchain.target.clone())),
    ("features", |toolchain| {
        let features = toolchain.features.as_ref()?.join(", ");
        Some(if features.is_empty() { "none".into() } else { features })
    }),
    ("Cargo.lock", |toolchain| toolchain.lockfile.map(|digest| digest.short())),
];

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
    /// The crate that brings the type is compared, with its version, but for types of Larder's own; for a class model also rustc,
    /// the target, the crate's features and the program's `Cargo.lock`. What is not known on one side is not compared.
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
        let tag = version.type_tag.as_str();
        // Types of Larder's own have a written format: whichever release reads it.
        let krate =
            (!tag.starts_with("larder/")).then(|| self.registry.origin_of_type(tag)).flatten();
        let (then, now) =
            (version.toolchain.as_ref(), self.registry.toolchain_of(tag).or_else(Toolchain::here));
        let crates = ("crate", version.origin.clone(), krate.map(str::to_owned));
        let aspects = ASPECTS
            .iter()
            .map(|(what, aspect)| (*what, then.and_then(aspect), now.as_ref().and_then(aspect)));
        let differs = |(what, recorded, here): (_, Option<String>, Option<String>)| {
            let (recorded, here) = (recorded?, here?);
            (recorded != here).then_some(Difference { what, recorded, here })
        };
        [crates].into_iter().chain(aspects).filter_map(differs).collect()
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
            action: format!("load {what} strictly"),
            reason: format!(
                "{}; load it without `strict`, or apply it again",
                differences.join("; ")
            ),
        })
    }
}
