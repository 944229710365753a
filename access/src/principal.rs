//! Principals: persons and services.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use larder_core::store::{RecordKey, Timestamp};
use larder_core::{Error, Identifier, Result};
use serde::{Deserialize, Deserializer, Serialize};

use crate::scope::Scope;

/// A person or a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PrincipalKind {
    /// A person.
    Person,
    /// A program.
    Service,
}

impl fmt::Display for PrincipalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Person => "person",
            Self::Service => "service",
        })
    }
}

/// An account at an identity provider. Names and addresses may be given to another person later; this is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The URL of the provider.
    pub issuer: String,
    /// The provider's own identifier.
    pub subject: String,
}

/// The name of a user, a service or a group: `[a-z0-9][a-z0-9._-]*`, at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PrincipalName(Identifier);

impl PrincipalName {
    /// Checks a name.
    ///
    /// # Errors
    /// [`Error::InvalidName`].
    pub fn new(text: &str) -> Result<Self> {
        if text.contains('/') || text.len() > 64 {
            let reason = "it has at most 64 bytes and no `/`";
            return Err(Error::invalid("user or group", text, reason));
        }
        Identifier::new(text).map(Self).map_err(|error| match error {
            Error::InvalidName { reason, .. } => Error::invalid("user or group", text, reason),
            error => error,
        })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    pub(crate) fn key(&self, prefix: &str) -> Result<RecordKey> {
        RecordKey::new(&format!("{prefix}{self}"))
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for PrincipalName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl<'de> Deserialize<'de> for PrincipalName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The authenticated caller of a request.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The name of the user or service.
    pub name: PrincipalName,
    /// The groups it is in.
    pub groups: BTreeSet<PrincipalName>,
    /// The id of the token that it came with; `None` for a sign-in without one.
    pub token: Option<String>,
    /// The scopes of the token; `None` for all permissions of its owner.
    pub scopes: Option<Vec<Scope>>,
}

/// A user or service that a larder knows.
#[derive(Debug, Clone, Serialize)]
pub struct UserInfo {
    /// The name.
    pub name: PrincipalName,
    /// A person or a service.
    pub kind: PrincipalKind,
    /// The groups it is in.
    pub groups: BTreeSet<PrincipalName>,
    /// The time it was added.
    pub created: Timestamp,
}
