//! Names that users write: identifiers, tags, type tags, version numbers.
//!
//! Every name is checked once, when it is parsed, and carried as its own type from then on.

use std::fmt;
use std::num::NonZeroU64;
use std::path::{Component as Part, Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// The most bytes an identifier or a type tag may have.
const MAX_PATH: usize = 200;
/// The most bytes a tag may have.
const MAX_TAG: usize = 64;

/// Why `segment` is no `[a-z0-9][a-z0-9._-]*`, if it is not.
fn fault_in_segment(segment: &str) -> Option<&'static str> {
    let bytes = segment.as_bytes();
    match bytes.first() {
        None => return Some("it is empty, or `/` stands at an end or doubled"),
        Some(b) if !(b.is_ascii_lowercase() || b.is_ascii_digit()) => {
            return Some("each part begins with one of a-z 0-9");
        }
        Some(_) => {}
    }
    let allowed = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(b);
    if !bytes.iter().all(allowed) {
        return Some("only a-z 0-9 . _ - are allowed, with `/` between parts");
    }
    segment.contains("..").then_some("`..` is not allowed")
}

fn check_path(what: &'static str, text: &str) -> Result<()> {
    if text.len() > MAX_PATH {
        return Err(Error::invalid(what, text, "it is longer than 200 bytes"));
    }
    match text.split('/').find_map(fault_in_segment) {
        Some(reason) => Err(Error::invalid(what, text, reason)),
        None => Ok(()),
    }
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and keeps it.
            ///
            /// # Errors
            /// [`Error::InvalidName`] says which rule it breaks.
            pub fn new(text: &str) -> Result<Self> {
                let check: fn(&str) -> Result<()> = $check;
                check(text)?;
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;
            fn try_from(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = Error;
            fn try_from(text: &String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(&text)
            }
        }

        impl TryFrom<&$name> for $name {
            type Error = Error;
            fn try_from(name: &$name) -> Result<Self> {
                Ok(name.clone())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

text_newtype!(
    /// The name under which a component is applied, such as `wine/quality`.
    ///
    /// Parts of `[a-z0-9][a-z0-9._-]*` joined by `/`, without `..`, at most 200 bytes. Unique in a
    /// larder, whatever the component's type.
    ///
    /// ```
    /// use larder_store::Identifier;
    ///
    /// assert!(Identifier::new("wine/quality").is_ok());
    /// assert!(Identifier::new("../etc/passwd").is_err());
    /// ```
    Identifier,
    |text| check_path("identifier", text)
);

text_newtype!(
    /// The name of a component's type, such as `acme/wine`: written by hand, the same for ever.
    ///
    /// The same grammar as an [`Identifier`].
    TypeTag,
    |text| check_path("type tag", text)
);

text_newtype!(
    /// A movable name for one version, such as `prod`.
    ///
    /// `[a-z0-9][a-z0-9._-]*`, at most 64 bytes, not digits alone (a number is written `name@7`).
    /// `latest` is reserved in any letter case: it is the newest version.
    TagName,
    check_tag
);

fn check_tag(text: &str) -> Result<()> {
    let refused = |reason| Err(Error::invalid("tag", text, reason));
    if text.eq_ignore_ascii_case(LATEST) {
        return refused("`latest` is reserved: it always means the newest version");
    }
    if text.len() > MAX_TAG {
        return refused("it is longer than 64 bytes");
    }
    if let Some(reason) = fault_in_segment(text) {
        return refused(reason);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return refused("a tag is not a number; a version is written `name@7`");
    }
    Ok(())
}

text_newtype!(
    /// The name of an event that programs and people fire, such as `retrain`.
    ///
    /// `[a-z0-9][a-z0-9._-]*`, at most 64 bytes; not `apply`, `remove` or `cron`, which happen by themselves.
    EventName,
    check_event
);

fn check_event(text: &str) -> Result<()> {
    let reason = match text {
        "apply" | "remove" | "cron" => Some("it happens by itself and is not fired"),
        _ if text.len() > MAX_TAG => Some("it is longer than 64 bytes"),
        _ => fault_in_segment(text),
    };
    reason.map_or(Ok(()), |reason| Err(Error::invalid("event", text, reason)))
}

text_newtype!(
    /// The place of a file or folder in a `Tree`, such as `saved_model/weights.bin`.
    ///
    /// Parts joined by `/`, relative, without `.`, `..`, `\\` and NUL; a part has at most 255 bytes, the
    /// whole at most 4,096 and 128 parts.
    ///
    /// ```
    /// use larder_store::TreePath;
    ///
    /// assert!(TreePath::new("saved_model/weights.bin").is_ok());
    /// assert!(TreePath::new("../etc/passwd").is_err());
    /// assert!(TreePath::new("/etc/passwd").is_err());
    /// ```
    TreePath,
    check_tree_path
);

fn check_tree_path(text: &str) -> Result<()> {
    let fault = |part: &str| match part {
        "" => Some("it is absolute, or `/` stands at an end or doubled"),
        "." | ".." => Some("`.` and `..` are not allowed"),
        _ if part.len() > 255 => Some("a part is longer than 255 bytes"),
        _ if part.contains(['\\', '\0']) => Some("`\\` and NUL are not allowed"),
        _ => None,
    };
    let reason = match text.split('/').find_map(fault) {
        None if text.len() > 4096 => Some("it is longer than 4,096 bytes"),
        None if text.split('/').count() > 128 => Some("it has more than 128 parts"),
        reason => reason,
    };
    reason.map_or(Ok(()), |reason| Err(Error::invalid("path in a folder", text, reason)))
}

impl TreePath {
    /// The path below `folder`: the one function that turns a stored name into a path on disk.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a part that this system does not take as a file name.
    pub fn below(&self, folder: &Path) -> Result<PathBuf> {
        let mut path = folder.to_owned();
        for part in self.as_str().split('/') {
            // What a name is differs from system to system: a drive or a stream is none anywhere.
            let mut parts = Path::new(part).components();
            let plain = matches!((parts.next(), parts.next()), (Some(Part::Normal(name)), None) if name == part);
            if !plain || cfg!(not(unix)) && part.contains(':') {
                let reason = "this system does not take it for a file name";
                return Err(Error::invalid("path in a folder", self.as_str(), reason));
            }
            path.push(part);
        }
        Ok(path)
    }
}

/// The reserved tag.
pub const LATEST: &str = "latest";

/// The number of a version: 1, 2, 3 … under one identifier, never given twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionNumber(NonZeroU64);

impl VersionNumber {
    /// The first version of every identifier.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// A version number, unless `number` is 0.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The number after this one.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number before this one, if there is one.
    pub fn previous(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("v{}", self.0))
    }
}

impl fmt::Debug for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
