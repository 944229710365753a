//! Access control: who may do what in a larder that several people share.
//!
//! A *principal* is a person or a service. Grants give it, or a group it is in, a [`Role`] on the names that match a pattern.
//! Programs prove who they are by a token, which may narrow what its owner may do and expires. What nobody granted is
//! denied. Everything is kept in records of the larder itself:
//!
//! | key | holds |
//! | --- | --- |
//! | `principals/@NAME` | a person or a service, and its groups |
//! | `groups/@NAME` | a group |
//! | `tokens/@ID` | the digest of a token's secret, its owner, scopes and end |
//! | `grants/@HEX` | a role of a user, a group or everyone on a pattern of names |
//! | `policies/@N` | a version of the policies; the newest is in force |
//! | `audit/@N` | what was changed or denied, by whom, and why; each record holds the digest of the one before |
//! | `audit-head/@` | the number and digest of the last of them |
//!
//! A larder on one's own machine needs none of this: the server of `larder-server` asks [`Rules::authorize`] for every
//! request, and the records bind nobody who can open the store itself.
//!
//! ```
//! use larder_access::{LarderAccess, Resource, Role, Subject, TokenOptions};
//! use larder_core::Registry;
//! use larder_core::store::Action;
//!
//! let larder = Registry::linked()?.open("memory:")?;
//! let access = larder.access();
//! access.add_user("ann", &[])?;
//! access.grant(&Subject::user("ann")?, Role::Writer, "house/*")?;
//! let created = access.create_token("ann", &TokenOptions::new())?;
//!
//! let ann = access.authenticate(&created.secret)?;
//! let rules = access.rules()?;
//! let price = Resource::Name("house/price".parse()?);
//! assert!(rules.authorize(&ann, Action::Write, &price).is_allowed());
//! assert!(!rules.authorize(&ann, Action::Maintain, &Resource::Larder).is_allowed());
//! # Ok::<(), larder_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod access;
mod audit;
mod audit_entry;
#[cfg(feature = "cedar")]
mod cedar;
mod grants;
mod policies;
mod policy_set;
mod principal;
mod record;
mod role;
mod rules;
mod scope;
mod secret;
mod sign_in;
mod tokens;
mod verdict;

pub use crate::access::{Access, LarderAccess};
pub use crate::audit::{AuditFault, AuditReport};
pub use crate::audit_entry::{AuditEntry, Outcome};
pub use crate::grants::{Grant, Subject};
pub use crate::policies::PolicyVersion;
pub use crate::principal::{Identity, Principal, PrincipalKind, PrincipalName, UserInfo};
pub use crate::role::Role;
pub use crate::rules::{Decision, Resource, Rules};
pub use crate::scope::Scope;
pub use crate::sign_in::SignIn;
pub use crate::tokens::{CreatedToken, TokenInfo, TokenOptions};
