//! Grants: roles of users and groups on names.

use std::fmt;
use std::str::FromStr;

use larder_core::store::Timestamp;
use larder_core::{Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::principal::{Principal, PrincipalName};
use crate::role::Role;

/// The grantee of a role: `user:ann`, `group:ml`, or `everyone` with a valid token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A user or service.
    User(PrincipalName),
    /// The members of a group.
    Group(PrincipalName),
    /// Every user and service.
    Everyone,
}

impl Subject {
    /// The user `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn user(name: &str) -> Result<Self> {
        PrincipalName::new(name).map(Self::User)
    }

    /// The group `name`.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn group(name: &str) -> Result<Self> {
        PrincipalName::new(name).map(Self::Group)
    }

    pub(crate) fn includes(&self, principal: &Principal) -> bool {
        match self {
            Self::User(name) => *name == principal.name,
            Self::Group(group) => principal.groups.contains(group),
            Self::Everyone => true,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => write!(f, "user:{name}"),
            Self::Group(name) => write!(f, "group:{name}"),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl FromStr for Subject {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            Some(("user", name)) => Self::user(name),
            Some(("group", name)) => Self::group(name),
            None if text == "everyone" => Ok(Self::Everyone),
            _ => {
                let reason = "write `user:NAME`, `group:NAME` or `everyone`";
                Err(Error::invalid("subject of a grant", text, reason))
            }
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A role of a subject on names.
#[derive(Debug, Clone, Serialize)]
pub struct Grant {
    /// The grantee.
    pub subject: Subject,
    /// The role.
    pub role: Role,
    /// The pattern of names: `*` matches any number of characters, also `/`, and `?` one. What concerns the whole larder, such
    /// as collecting garbage, needs the pattern `*`.
    pub names: String,
    /// The time it was granted.
    pub created: Timestamp,
}

/// Refuses a pattern that no name can match.
pub(crate) fn check_pattern(names: &str) -> Result<()> {
    let allowed = |b: u8| {
        b.is_ascii_lowercase()
            || b.is_ascii_digit()
            || matches!(b, b'.' | b'_' | b'-' | b'/' | b'*' | b'?')
    };
    if names.is_empty() || names.len() > 200 || !names.bytes().all(allowed) {
        let reason =
            "a pattern of names has a-z 0-9 . _ - / and `*` for any text, `?` for one character";
        return Err(Error::invalid("pattern of names", names, reason));
    }
    Ok(())
}
