//! Sign-ins by a provider of identities, such as one of OpenID Connect.

use std::collections::BTreeSet;

use larder_core::extend::Records;
use larder_core::store::{Outcome, RecordKey};
use larder_core::{Error, Result};

use crate::access::Access;
use crate::principal::{Identity, Principal, PrincipalKind, PrincipalName};
use crate::record::{GROUPS, PRINCIPALS, PrincipalRecord, TOKENS, TokenRecord, token_key};

/// A sign-in that an identity provider has confirmed.
#[derive(Debug, Clone)]
pub struct SignIn {
    /// The name of the user or service.
    pub name: PrincipalName,
    /// The identity at the provider.
    pub identity: Identity,
    /// The groups that the provider states. Those that the larder does not know are left out.
    pub groups: BTreeSet<PrincipalName>,
    /// If true, a user that the larder does not know is added.
    pub create: bool,
}

impl Access {
    /// Returns the user or service that signs in. The first sign-in ties its name to the identity; nobody else can sign in by
    /// that name then.
    ///
    /// # Errors
    /// [`Error::Denied`] for an unknown user, unless it is to be added, and for a name that is tied to another identity;
    /// [`Error::Store`].
    pub fn sign_in(&self, sign_in: &SignIn) -> Result<Principal> {
        let SignIn { name, identity, groups, create } = sign_in;
        let denied = |reason: String| Error::denied("sign in", reason);
        let mut user = self.transact(format_args!("the user {name}"), |transaction| {
            let key = name.key(PRINCIPALS)?;
            let mut user = match transaction.read::<PrincipalRecord>(&key)? {
                Some(user) if user.identity.as_ref() == Some(identity) => {
                    return Ok(Outcome::Done(user));
                }
                Some(user) if user.identity.is_some() => {
                    return Err(denied(format!(
                        "{name} is somebody else for the provider of identities"
                    )));
                }
                Some(user) => user,
                None if *create => {
                    PrincipalRecord::new(PrincipalKind::Person, BTreeSet::new(), self.larder.now())
                }
                None => {
                    return Err(denied(format!(
                        "there is no user {name}; ask an administrator of the larder to add it"
                    )));
                }
            };
            user.identity = Some(identity.clone());
            transaction.put(key, &user)?;
            Ok(Outcome::Commit(user))
        })?;
        user.groups.extend(self.known_groups(groups.clone())?);
        Ok(Principal { name: name.clone(), groups: user.groups, token: None, scopes: None })
    }

    /// Removes the expired tokens of a user's earlier sign-ins. Returns their number.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn forget_expired_sign_ins(&self, owner: &PrincipalName) -> Result<usize> {
        let now = self.larder.now();
        let is_over = |token: &TokenRecord| {
            token.owner == *owner
                && token.groups.is_some()
                && token.expires.is_some_and(|end| end <= now)
        };
        let tokens = self.list::<TokenRecord>(TOKENS)?;
        let over: Vec<String> =
            tokens.into_iter().filter(|(_, token)| is_over(token)).map(|(id, _)| id).collect();
        for id in &over {
            self.transact(format_args!("the token {id}"), |transaction| {
                let key = token_key(id)?;
                if transaction.get(&key)?.is_none() {
                    return Ok(Outcome::Done(()));
                }
                transaction.remove(key)?;
                Ok(Outcome::Commit(()))
            })?;
        }
        Ok(over.len())
    }

    /// Leaves out the groups that the larder does not know.
    pub(crate) fn known_groups(
        &self,
        groups: BTreeSet<PrincipalName>,
    ) -> Result<BTreeSet<PrincipalName>> {
        if groups.is_empty() {
            return Ok(groups);
        }
        let keys: Vec<RecordKey> =
            groups.iter().map(|group| group.key(GROUPS)).collect::<Result<_>>()?;
        let found = self.larder.store().get_records(&keys)?;
        Ok(groups
            .into_iter()
            .zip(found)
            .filter_map(|(group, found)| found.map(|_| group))
            .collect())
    }
}
