//! Entries of the audit log.

use larder_core::store::{Action, Timestamp};
use serde::{Deserialize, Serialize};

use crate::principal::PrincipalName;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was allowed.
    Allowed,
    /// It was denied.
    Denied,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// The time.
    pub at: Timestamp,
    /// The name of the user or service; `None` without a valid token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalName>,
    /// The id of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The action, such as `write`.
    pub action: String,
    /// The target of the action, such as a name or the key of a record.
    pub resource: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The grant that allowed it, or why it was denied.
    pub because: String,
    /// The id of the request.
    pub request: String,
}

impl AuditEntry {
    /// An entry for an action.
    pub fn new(at: Timestamp, action: Action, resource: impl Into<String>) -> Self {
        Self {
            at,
            principal: None,
            token: None,
            action: action.to_string(),
            resource: resource.into(),
            outcome: Outcome::Denied,
            because: String::new(),
            request: String::new(),
        }
    }
}
