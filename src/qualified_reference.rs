//! References with the URL of their larder.

use std::fmt;
use std::str::FromStr;

use larder_core::{Error, Reference, Result, StoreUrl};

/// Names one version and the larder that it is in: `larder.db#wine/quality:prod`.
///
/// The store's URL ends at the last `#`, so a path may contain one; a [`Reference`] never does.
/// `Display` omits secrets: see [`StoreUrl`].
///
/// ```
/// use larder::QualifiedReference;
///
/// let reference: QualifiedReference = "fs:shelf/a#b#wine/quality:prod".parse()?;
/// assert_eq!(reference.store().rest(), "shelf/a#b");
/// assert_eq!(reference.reference().to_string(), "wine/quality:prod");
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualifiedReference {
    store: StoreUrl,
    reference: Reference,
}

impl QualifiedReference {
    /// Names a version in the larder at `store`.
    pub fn new(store: StoreUrl, reference: Reference) -> Self {
        Self { store, reference }
    }

    /// Returns the URL of the larder.
    pub fn store(&self) -> &StoreUrl {
        &self.store
    }

    /// Returns the reference within the larder.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for QualifiedReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.rsplit_once('#') {
            Some((store, reference)) => {
                let store: StoreUrl = store.parse()?;
                let reference = reference.parse().map_err(|error| match error {
                    // The `#` may belong to a password.
                    Error::InvalidName { what, reason, .. } if store.may_hold_secrets() => {
                        Error::invalid(what, &format!("{store}#…"), reason)
                    }
                    other => other,
                })?;
                Ok(Self::new(store, reference))
            }
            None => {
                // It may be a URL with secrets.
                let text = text.parse::<StoreUrl>()?.to_string();
                let reason = "write the larder, `#` and the name: `larder.db#wine/quality:prod`";
                Err(Error::invalid("reference to a larder", &text, reason))
            }
        }
    }
}

impl fmt::Display for QualifiedReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.store, self.reference)
    }
}

impl TryFrom<&str> for QualifiedReference {
    type Error = Error;
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for QualifiedReference {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for QualifiedReference {
    type Error = Error;
    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl From<&QualifiedReference> for QualifiedReference {
    fn from(reference: &QualifiedReference) -> Self {
        reference.clone()
    }
}
