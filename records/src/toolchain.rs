//! The toolchain that built a program, for the records of class models.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The toolchain of the program that created a class model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Toolchain {
    /// The version of rustc, such as `1.95.0`.
    pub rustc: String,
    /// The target triple, such as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// The features of the crate that defines the class, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<Vec<String>>,
    /// The digest of the program's `Cargo.lock`, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lockfile: Option<Digest>,
}

impl Toolchain {
    /// Returns the toolchain of this program, if its build recorded it.
    pub fn here() -> Option<Self> {
        let (rustc, target) = (option_env!("LARDER_RUSTC")?, option_env!("LARDER_TARGET")?);
        let (rustc, target) = (rustc.to_owned(), target.to_owned());
        Some(Self { rustc, target, features: None, lockfile: None })
    }

    /// Returns the toolchain of this program with the features and lockfile of a class's crate.
    pub fn of(built: Built) -> Option<Self> {
        let on = |features: &[(&str, bool)]| {
            features.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()).collect()
        };
        let features = built.features.map(on);
        let lockfile = built.lockfile.and_then(|digest| digest.parse().ok());
        Some(Self { features, lockfile, ..Self::here()? })
    }
}

/// Build information of a crate, collected by its macros.
#[doc(hidden)]
#[derive(Clone, Copy, Default)]
pub struct Built {
    /// Its features, each with whether it is enabled.
    pub features: Option<&'static [(&'static str, bool)]>,
    /// The digest of the program's `Cargo.lock`.
    pub lockfile: Option<&'static str>,
}

impl Built {
    /// No information.
    pub const UNKNOWN: Self = Self { features: None, lockfile: None };
}
