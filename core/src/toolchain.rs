//! What built a program, for the records of class models.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What built the program that a class model was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Toolchain {
    /// The version of rustc, such as `1.95.0`.
    pub rustc: String,
    /// The target triple, such as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// The features of the crate that brings the class, if they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The digest of the program's `Cargo.lock`, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockfile: Option<Digest>,
}

impl Toolchain {
    /// That of this program, if it was told when it was built.
    pub fn here() -> Option<Self> {
        let (rustc, target) = (option_env!("LARDER_RUSTC")?, option_env!("LARDER_TARGET")?);
        let (rustc, target) = (rustc.to_owned(), target.to_owned());
        Some(Self { rustc, target, features: None, lockfile: None })
    }

    /// That of this program, with how the crate of a class was built.
    pub(crate) fn of(built: Built) -> Option<Self> {
        let on = |features: &[(&str, bool)]| {
            features.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect()
        };
        let features = built.features.map(on);
        let lockfile = built.lockfile.and_then(|digest| digest.parse().ok());
        Some(Self { features, lockfile, ..Self::here()? })
    }
}

/// How a crate was built, as far as its macros can see.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct Built {
    /// Its features, and whether each is on.
    pub features: Option<&'static [(&'static str, bool)]>,
    /// The digest of the `Cargo.lock` of its program.
    pub lockfile: Option<&'static str>,
}

impl Built {
    /// Nothing is known of it.
    pub const UNKNOWN: Self = Self { features: None, lockfile: None };
}
