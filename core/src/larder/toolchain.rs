//! Comparing the toolchain of a version with this program's.

use std::fmt;

use larder_records::Toolchain;
use serde::Serialize;

use super::Larder;
use crate::error::{Error, Result};
use crate::record::VersionRecord;

/// A difference between the build of a version and this program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// The part that differs: `crate`, `rustc`, `target`, `features` or `Cargo.lock`.
    pub what: &'static str,
    /// Its value for the version.
    pub recorded: String,
    /// Its value for this program.
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}, and is {} here", self.what, self.recorded, self.here)
    }
}

type Aspect = fn(&Toolchain) -> Option<String>;

/// Aspects of toolchains that are compared, if both are known.
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
    /// Returns the larder with a check on load: refuses versions of another crate version, and class models of another
    /// toolchain.
    ///
    /// Without it, [`VersionDetails::differences`](crate::versions::VersionDetails::differences) lists them.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Compares what built a version with this program.
    pub(super) fn differences(&self, version: &VersionRecord) -> Vec<Difference> {
        let tag = version.type_tag.as_str();
        // Larder's own types have a specified format.
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

    /// Under [`strict`](Larder::strict), refuses a version with differences.
    pub(crate) fn check_strict(&self, what: &str, version: &VersionRecord) -> Result<()> {
        if !self.strict {
            return Ok(());
        }
        let differences: Vec<_> =
            self.differences(version).iter().map(ToString::to_string).collect();
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
