//! The handle on access control.

use std::collections::BTreeSet;
use std::fmt;

use larder_core::extend::Records;
use larder_core::record::read;
use larder_core::store::record::Document;
use larder_core::store::{Absence, Outcome, StoreExt, Transaction, transact};
use larder_core::{Error, Larder, Result};

use crate::grants::{Grant, Subject, check_pattern};
use crate::policies::Known;
use crate::principal::{PrincipalKind, PrincipalName, UserInfo};
use crate::record::{
    GRANTS, GROUPS, GrantRecord, GroupRecord, PRINCIPALS, PrincipalRecord, grant_key, not_found,
};
use crate::role::Role;
use crate::rules::Rules;

/// Adds access control to [`Larder`].
pub trait LarderAccess {
    /// Returns the handle on users, groups, tokens, grants and the audit log.
    fn access(&self) -> Access;
}

impl LarderAccess for Larder {
    fn access(&self) -> Access {
        Access { larder: self.clone(), known: Known::default() }
    }
}

/// Users, groups, tokens, grants and the audit log of a larder.
#[derive(Debug, Clone)]
pub struct Access {
    pub(crate) larder: Larder,
    pub(crate) known: Known,
}

impl Access {
    /// Returns whether any user or service is known. A larder without one has no access control yet.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn is_set_up(&self) -> Result<bool> {
        Ok(!self.larder.store().list_records(PRINCIPALS, None, 1)?.is_empty())
    }

    /// Adds a person. Returns false if it is there already, with the same groups.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::NotFound`] for an unknown group; [`Error::Refused`] if there is another user or service
    /// of that name; [`Error::Store`].
    pub fn add_user(&self, name: &str, groups: &[&str]) -> Result<bool> {
        self.add(name, PrincipalKind::Person, groups)
    }

    /// Adds a service: a program that signs in with tokens.
    ///
    /// # Errors
    /// As [`add_user`](Access::add_user).
    pub fn add_service(&self, name: &str, groups: &[&str]) -> Result<bool> {
        self.add(name, PrincipalKind::Service, groups)
    }

    fn add(&self, name: &str, kind: PrincipalKind, groups: &[&str]) -> Result<bool> {
        let name = PrincipalName::new(name)?;
        let groups = groups.iter().map(|group| PrincipalName::new(group));
        let groups: BTreeSet<PrincipalName> = groups.collect::<Result<_>>()?;
        self.transact(format_args!("the user {name}"), |transaction| {
            let key = name.key(PRINCIPALS)?;
            if let Some(found) = transaction.read::<PrincipalRecord>(&key)? {
                if (found.kind, &found.groups) == (kind, &groups) {
                    return Ok(Outcome::Done(false));
                }
                let reason = format!("there is a {} of that name; remove it first", found.kind);
                return Err(Error::Refused { action: format!("add {name}"), reason });
            }
            for group in &groups {
                self.require_group(transaction, group)?;
            }
            let user = PrincipalRecord::new(kind, groups.clone(), self.larder.now());
            transaction.put(key, &user)?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Removes a user or service. Its tokens end at once; its grants stay, and would hold for a new user of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn remove_user(&self, name: &str) -> Result<()> {
        let name = PrincipalName::new(name)?;
        self.transact(format_args!("the user {name}"), |transaction| {
            let key = name.key(PRINCIPALS)?;
            if transaction.get(&key)?.is_none() {
                return Err(self.no_user(&name));
            }
            transaction.remove(key)?;
            Ok(Outcome::Commit(()))
        })
    }

    /// Lists users and services by name.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn users(&self) -> Result<Vec<UserInfo>> {
        let users = self.list::<PrincipalRecord>(PRINCIPALS)?;
        users
            .into_iter()
            .map(|(name, user)| {
                let PrincipalRecord { kind, groups, created, .. } = user;
                Ok(UserInfo { name: PrincipalName::new(&name)?, kind, groups, created })
            })
            .collect()
    }

    /// Adds a group. Returns false if it is there already.
    ///
    /// # Errors
    /// [`Error::InvalidName`]; [`Error::Store`].
    pub fn add_group(&self, name: &str) -> Result<bool> {
        let name = PrincipalName::new(name)?;
        self.transact(format_args!("the group {name}"), |transaction| {
            let key = name.key(GROUPS)?;
            if transaction.get(&key)?.is_some() {
                return Ok(Outcome::Done(false));
            }
            transaction.put(key, &GroupRecord::new(self.larder.now()))?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Removes a group that nobody is in.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] with its members; [`Error::Store`].
    pub fn remove_group(&self, name: &str) -> Result<()> {
        let name = PrincipalName::new(name)?;
        let members = self.users()?.into_iter().filter(|user| user.groups.contains(&name));
        let members: Vec<String> = members.map(|user| user.name.to_string()).collect();
        if !members.is_empty() {
            let reason =
                format!("it has members: {}; remove them from it first", members.join(", "));
            return Err(Error::Refused { action: format!("remove the group {name}"), reason });
        }
        self.transact(format_args!("the group {name}"), |transaction| {
            let key = name.key(GROUPS)?;
            if transaction.get(&key)?.is_none() {
                return Err(self.no_group(&name));
            }
            transaction.remove(key)?;
            Ok(Outcome::Commit(()))
        })
    }

    /// Lists groups by name.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn groups(&self) -> Result<Vec<PrincipalName>> {
        let groups = self.list::<GroupRecord>(GROUPS)?;
        groups.into_iter().map(|(name, _)| PrincipalName::new(&name)).collect()
    }

    /// Adds a user or service to a group, or removes it. Returns false if that changes nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn set_member(&self, group: &str, user: &str, is_member: bool) -> Result<bool> {
        let (group, name) = (PrincipalName::new(group)?, PrincipalName::new(user)?);
        self.transact(format_args!("the user {name}"), |transaction| {
            self.require_group(transaction, &group)?;
            let key = name.key(PRINCIPALS)?;
            let user = transaction.read::<PrincipalRecord>(&key)?;
            let mut user = user.ok_or_else(|| self.no_user(&name))?;
            let is_changed = match is_member {
                true => user.groups.insert(group.clone()),
                false => user.groups.remove(&group),
            };
            if !is_changed {
                return Ok(Outcome::Done(false));
            }
            transaction.put(key, &user)?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Grants a role on names. Returns false if it is granted already.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a pattern; [`Error::NotFound`] for a user or group that is not there; [`Error::Store`].
    pub fn grant(&self, subject: &Subject, role: Role, names: &str) -> Result<bool> {
        check_pattern(names)?;
        self.transact(format_args!("the grants of {subject}"), |transaction| {
            match subject {
                Subject::User(name) => {
                    let key = name.key(PRINCIPALS)?;
                    if transaction.get(&key)?.is_none() {
                        return Err(self.no_user(name));
                    }
                }
                Subject::Group(name) => self.require_group(transaction, name)?,
                Subject::Everyone => {}
            }
            let key = grant_key(subject, role, names)?;
            if transaction.get(&key)?.is_some() {
                return Ok(Outcome::Done(false));
            }
            let grant =
                GrantRecord::new(subject.clone(), role, names.to_owned(), self.larder.now());
            transaction.put(key, &grant)?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Takes a grant back.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn revoke_grant(&self, subject: &Subject, role: Role, names: &str) -> Result<()> {
        self.transact(format_args!("the grants of {subject}"), |transaction| {
            let key = grant_key(subject, role, names)?;
            if transaction.get(&key)?.is_none() {
                let what = format!("a grant of {role} to {subject} on {names}");
                return Err(not_found(Absence::NoGrant, what, Vec::new()));
            }
            transaction.remove(key)?;
            Ok(Outcome::Commit(()))
        })
    }

    /// Returns the grants and policies, for decisions.
    ///
    /// # Errors
    /// [`Error::Refused`] for a larder with policies, in a program that was built without the feature `cedar`;
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn rules(&self) -> Result<Rules> {
        Ok(self.granted()?.with_policies(self.policies_in_force()?))
    }

    /// Returns the grants.
    pub(crate) fn granted(&self) -> Result<Rules> {
        let grants = self.list::<GrantRecord>(GRANTS)?.into_iter().map(|(_, grant)| {
            let GrantRecord { subject, role, names, created, .. } = grant;
            Grant { subject, role, names, created }
        });
        let mut grants: Vec<Grant> = grants.collect();
        grants
            .sort_by(|one, other| (&one.subject, &one.names).cmp(&(&other.subject, &other.names)));
        Ok(Rules::new(grants))
    }

    fn require_group(
        &self,
        transaction: &mut Transaction<'_>,
        group: &PrincipalName,
    ) -> Result<()> {
        let key = group.key(GROUPS)?;
        if transaction.get(&key)?.is_none() {
            return Err(self.no_group(group));
        }
        transaction.require(key)
    }

    pub(crate) fn no_user(&self, name: &PrincipalName) -> Error {
        let known = self.users().unwrap_or_default();
        not_found(
            Absence::NoUser,
            format!("the user {name}"),
            known.iter().map(|it| it.name.to_string()).collect(),
        )
    }

    fn no_group(&self, name: &PrincipalName) -> Error {
        let known = self.groups().unwrap_or_default();
        not_found(
            Absence::NoGroup,
            format!("the group {name}"),
            known.iter().map(ToString::to_string).collect(),
        )
    }

    /// Lists the records of a kind by the last part of their keys.
    pub(crate) fn list<T: Document>(&self, prefix: &str) -> Result<Vec<(String, T)>> {
        let found = self.larder.store().known_records(prefix.to_owned());
        found
            .map(|found| {
                let (key, record) = found?;
                let last = key.as_str().strip_prefix(prefix).unwrap_or_default().to_owned();
                Ok((last, read(&key, &record)?))
            })
            .collect()
    }

    pub(crate) fn transact<'a, T>(
        &'a self,
        what: impl fmt::Display,
        attempt: impl FnMut(&mut Transaction<'a>) -> Result<Outcome<T>>,
    ) -> Result<T> {
        transact(&**self.larder.store(), what, attempt)
    }
}
