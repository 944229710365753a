//! References: the grammar for naming a version.

use std::fmt;
use std::str::FromStr;

use crate::digest;
use crate::error::{Error, Result};
use crate::name::{Identifier, LATEST, TagName, VersionNumber};

/// Names one version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`.
///
/// | written | means |
/// | --- | --- |
/// | `wine/quality` or `wine/quality:latest` | the newest version |
/// | `wine/quality:prod` | the version that the tag `prod` names |
/// | `wine/quality@7` or `wine/quality@v7` | version 7 |
/// | `wine/quality@b3:1f2e` | the version whose digest begins with `1f2e` |
///
/// ```
/// use larder_records::{Reference, Selector};
///
/// let reference: Reference = "wine/quality@7".parse()?;
/// assert_eq!(reference.identifier().as_str(), "wine/quality");
/// assert!(matches!(reference.selector(), Selector::Version(n) if n.get() == 7));
/// # Ok::<(), larder_store::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    identifier: Identifier,
    selector: Selector,
}

/// The part of a [`Reference`] after the name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The newest version.
    Latest,
    /// The version that a tag names.
    Tag(TagName),
    /// The version with this number.
    Version(VersionNumber),
    /// The version whose digest begins with these digits.
    Digest(DigestPrefix),
}

/// A digest prefix: 4 to 64 lower-case hexadecimal digits, without `b3:`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DigestPrefix(Box<str>);

impl DigestPrefix {
    /// Returns the digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reference {
    /// Creates a reference to a version of `identifier`.
    pub fn new(identifier: Identifier, selector: Selector) -> Self {
        Self { identifier, selector }
    }

    /// Returns the name before `:` or `@`.
    pub fn identifier(&self) -> &Identifier {
        &self.identifier
    }

    /// Returns the selector after the name.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = |reason| Error::invalid("reference", text, reason);
        let (name, selector) = match text.find([':', '@']) {
            None => (text, Selector::Latest),
            Some(at) => {
                let (name, rest) = (&text[..at], &text[at + 1..]);
                let selector = if text.as_bytes()[at] == b':' {
                    match rest {
                        LATEST => Selector::Latest,
                        tag => Selector::Tag(TagName::new(tag)?),
                    }
                } else if let Some(hex) = rest.strip_prefix(digest::PREFIX) {
                    let digits = hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                    if !digits || !(4..=64).contains(&hex.len()) {
                        return Err(refused(
                            "after `@b3:` come 4 to 64 lower-case hexadecimal digits",
                        ));
                    }
                    Selector::Digest(DigestPrefix(hex.into()))
                } else {
                    let digits = rest.strip_prefix('v').unwrap_or(rest);
                    let plain =
                        digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
                    let number = plain.then(|| digits.parse().ok()).flatten();
                    Selector::Version(number.and_then(VersionNumber::new).ok_or_else(|| {
                        refused("after `@` comes a version number from 1, or `b3:` and a digest")
                    })?)
                };
                (name, selector)
            }
        };
        Ok(Self::new(Identifier::new(name)?, selector))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.identifier;
        match &self.selector {
            Selector::Latest => write!(f, "{name}"),
            Selector::Tag(tag) => write!(f, "{name}:{tag}"),
            Selector::Version(number) => write!(f, "{name}@{}", number.get()),
            Selector::Digest(prefix) => write!(f, "{name}@{}{}", digest::PREFIX, prefix.0),
        }
    }
}

impl TryFrom<&str> for Reference {
    type Error = Error;
    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Reference {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&String> for Reference {
    type Error = Error;
    fn try_from(text: &String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<&Reference> for Reference {
    type Error = Error;
    fn try_from(reference: &Reference) -> Result<Self> {
        Ok(reference.clone())
    }
}

impl From<Identifier> for Reference {
    fn from(identifier: Identifier) -> Self {
        Self::new(identifier, Selector::Latest)
    }
}

impl From<&Identifier> for Reference {
    fn from(identifier: &Identifier) -> Self {
        identifier.clone().into()
    }
}

/// A choice of versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All versions.
    All,
    /// The referenced versions; none if the list is empty.
    References(Vec<Reference>),
}

impl Selection {
    /// Returns whether it is [`Selection::All`].
    pub fn is_all(&self) -> bool {
        *self == Self::All
    }

    /// Returns the references; none for [`Selection::All`].
    pub fn references(&self) -> &[Reference] {
        match self {
            Self::All => &[],
            Self::References(references) => references,
        }
    }
}

impl From<Reference> for Selection {
    fn from(reference: Reference) -> Self {
        Self::References(vec![reference])
    }
}

impl From<&[Reference]> for Selection {
    fn from(references: &[Reference]) -> Self {
        Self::References(references.to_vec())
    }
}

impl From<&Vec<Reference>> for Selection {
    fn from(references: &Vec<Reference>) -> Self {
        references.as_slice().into()
    }
}

impl<const N: usize> From<[Reference; N]> for Selection {
    fn from(references: [Reference; N]) -> Self {
        Self::References(references.into())
    }
}

impl<const N: usize> From<&[Reference; N]> for Selection {
    fn from(references: &[Reference; N]) -> Self {
        references.as_slice().into()
    }
}

impl From<Vec<Reference>> for Selection {
    fn from(references: Vec<Reference>) -> Self {
        Self::References(references)
    }
}

impl FromIterator<Reference> for Selection {
    fn from_iter<I: IntoIterator<Item = Reference>>(references: I) -> Self {
        Self::References(references.into_iter().collect())
    }
}
