//! Limits of tokens.

use serde::{Deserialize, Serialize};

use crate::role::Role;

/// A limit of a token: at most this role, on names that match the pattern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The role.
    pub role: Role,
    /// The pattern of names, as of a [`Grant`](crate::Grant).
    pub names: String,
}
