//! References that say which larder they are of.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::reference::Reference;
use crate::url::StoreUrl;

/// Names one version and the larder that it is in: `larder.db#wine/quality:prod`.
///
/// A store's URL stands before the last `#`, a [`Reference`] after it, which has no `#`. So a path may hold one.
/// It prints as it was written but for secrets, which it does not print: see [`StoreUrl`].
///
/// ```
/// use larder_core::QualifiedReference;
///
/// let located: QualifiedReference = "fs:shelf/a#b#wine/quality:prod".parse()?;
/// assert_eq!(located.store().rest(), "shelf/a#b");
/// assert_eq!(located.reference().to_string(), "wine/quality:prod");
/// # Ok::<(), larder_core::Error>(())
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

    /// Where the larder is.
    pub fn store(&self) -> &StoreUrl {
        &self.store
    }

    /// The version in it.
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
                    // A `#` in a password stands before the `@` of the host, and is no reference's.
                    Error::InvalidName { what, reason, .. }
                        if store.rest().starts_with("//") && reference.contains('@') =>
                    {
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
    fn from(located: &QualifiedReference) -> Self {
        located.clone()
    }
}
