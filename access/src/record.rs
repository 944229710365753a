//! The records of access control: keys and JSON.

mod kinds;

use std::collections::BTreeSet;

use larder_core::record::FORMAT;
use larder_core::store::{Absence, Digest, RecordKey, Timestamp};
use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub(crate) use kinds::{number_in, number_of_policies};

use crate::audit_entry::AuditEntry;
use crate::grants::Subject;
use crate::principal::{Identity, PrincipalKind, PrincipalName};
use crate::role::Role;
use crate::scope::Scope;

pub(crate) const PRINCIPALS: &str = "principals/@";
pub(crate) const GROUPS: &str = "groups/@";
pub(crate) const TOKENS: &str = "tokens/@";
pub(crate) const GRANTS: &str = "grants/@";
pub(crate) const POLICIES: &str = "policies/@";
pub(crate) const AUDIT: &str = "audit/@";
pub(crate) const AUDIT_HEAD: &str = "audit-head/@";

/// `principals/@NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrincipalRecord {
    larder: u64,
    pub(crate) kind: PrincipalKind,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) groups: BTreeSet<PrincipalName>,
    /// The account at the identity provider, after the first sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Identity>,
    pub(crate) created: Timestamp,
}

/// `groups/@NAME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupRecord {
    larder: u64,
    pub(crate) created: Timestamp,
}

/// `tokens/@ID`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRecord {
    larder: u64,
    pub(crate) owner: PrincipalName,
    /// The digest of the secret.
    pub(crate) secret: Digest,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scopes: Option<Vec<Scope>>,
    /// The groups that a provider of identities stated, for a token that a sign-in created.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<BTreeSet<PrincipalName>>,
    pub(crate) created: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<Timestamp>,
}

/// `grants/@HEX`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantRecord {
    larder: u64,
    pub(crate) subject: Subject,
    pub(crate) role: Role,
    pub(crate) names: String,
    pub(crate) created: Timestamp,
}

/// `policies/@N`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyRecord {
    larder: u64,
    pub(crate) text: String,
    pub(crate) created: Timestamp,
}

/// `audit/@N`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditRecord {
    larder: u64,
    /// The digest of the record before it; `None` in the first one.
    pub(crate) previous: Option<Digest>,
    pub(crate) entries: Vec<AuditEntry>,
}

/// `audit-head/@`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuditHead {
    larder: u64,
    /// The number of the last record.
    pub(crate) last: u64,
    /// Its digest.
    pub(crate) digest: Digest,
}

larder_core::store::documents!(
    PrincipalRecord,
    GroupRecord,
    TokenRecord,
    GrantRecord: grant_fault,
    PolicyRecord,
    AuditRecord,
    AuditHead,
);

fn grant_fault(grant: &GrantRecord, key: &RecordKey) -> Option<&'static str> {
    let own = grant_key(&grant.subject, grant.role, &grant.names);
    let is_own = own.is_ok_and(|own| own == *key);
    (!is_own).then_some("its subject, role and names are not those of its key")
}

impl PrincipalRecord {
    pub(crate) fn new(
        kind: PrincipalKind,
        groups: BTreeSet<PrincipalName>,
        created: Timestamp,
    ) -> Self {
        Self { larder: FORMAT, kind, groups, identity: None, created }
    }
}

impl GroupRecord {
    pub(crate) fn new(created: Timestamp) -> Self {
        Self { larder: FORMAT, created }
    }
}

impl TokenRecord {
    pub(crate) fn new(
        owner: PrincipalName,
        secret: Digest,
        created: Timestamp,
        expires: Option<Timestamp>,
    ) -> Self {
        let (label, scopes, groups, revoked) = (String::new(), None, None, None);
        Self { larder: FORMAT, owner, secret, label, scopes, groups, created, expires, revoked }
    }
}

impl GrantRecord {
    pub(crate) fn new(subject: Subject, role: Role, names: String, created: Timestamp) -> Self {
        Self { larder: FORMAT, subject, role, names, created }
    }
}

impl PolicyRecord {
    pub(crate) fn new(text: String, created: Timestamp) -> Self {
        Self { larder: FORMAT, text, created }
    }
}

impl AuditRecord {
    pub(crate) fn new(previous: Option<Digest>, entries: Vec<AuditEntry>) -> Self {
        Self { larder: FORMAT, previous, entries }
    }
}

impl AuditHead {
    pub(crate) fn new(last: u64, digest: Digest) -> Self {
        Self { larder: FORMAT, last, digest }
    }
}

/// The key of a grant: the beginning of the digest of what it says, so that the same grant is one record.
pub(crate) fn grant_key(subject: &Subject, role: Role, names: &str) -> Result<RecordKey> {
    let digest = Digest::of(format!("{subject}\n{role}\n{names}").as_bytes());
    RecordKey::new(&format!("{GRANTS}{}", &digest.to_hex()[..32]))
}

pub(crate) fn token_key(id: &str) -> Result<RecordKey> {
    RecordKey::new(&format!("{TOKENS}{id}"))
}

pub(crate) fn policies_key(number: u64) -> Result<RecordKey> {
    RecordKey::new(&format!("{POLICIES}{number:010}"))
}

pub(crate) fn audit_key(number: u64) -> Result<RecordKey> {
    RecordKey::new(&format!("{AUDIT}{number:010}"))
}

pub(crate) fn head_key() -> Result<RecordKey> {
    RecordKey::new(AUDIT_HEAD)
}

/// Returns the error of a user, group, token or grant that is not there.
pub(crate) fn not_found(absence: Absence, what: String, similar: Vec<String>) -> Error {
    Error::NotFound { reference: what, similar, absence }
}
