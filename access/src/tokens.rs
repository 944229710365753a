//! Tokens: what programs prove their owner by.

use std::collections::BTreeSet;
use std::time::Duration;

use larder_core::extend::Records;
use larder_core::store::{Absence, Digest, Outcome, StoreExt, Timestamp};
use larder_core::{Error, Result};
use serde::Serialize;

use crate::access::Access;
use crate::grants::check_pattern;
use crate::principal::{Principal, PrincipalName};
use crate::record::{PRINCIPALS, PrincipalRecord, TOKENS, TokenRecord, not_found, token_key};
use crate::role::Role;
use crate::scope::Scope;
use crate::secret::{self, Parsed};

/// The time after which a token ends, unless it says otherwise.
const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Options of [`Access::create_token`].
#[derive(Debug, Clone)]
pub struct TokenOptions {
    label: String,
    scopes: Option<Vec<Scope>>,
    groups: Option<BTreeSet<PrincipalName>>,
    lifetime: Option<Duration>,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self { label: String::new(), scopes: None, groups: None, lifetime: Some(LIFETIME) }
    }
}

impl TokenOptions {
    /// A token for all that its owner may do, for 90 days.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a text that says what the token is for, at most 200 bytes.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Narrows the token to one more role on names. It never allows what its owner may not do.
    #[must_use]
    pub fn scope(mut self, role: Role, names: impl Into<String>) -> Self {
        self.scopes.get_or_insert_default().push(Scope { role, names: names.into() });
        self
    }

    /// Makes it the token of a sign-in: while it is valid, its owner is also in these groups, as far as the larder knows them.
    #[must_use]
    pub fn sign_in(mut self, groups: BTreeSet<PrincipalName>) -> Self {
        self.groups = Some(groups);
        self
    }

    /// Sets the time after which it ends; `None` for never.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Option<Duration>) -> Self {
        self.lifetime = lifetime;
        self
    }
}

/// A new token. Its text is shown here and never again.
#[derive(Debug, Clone)]
pub struct CreatedToken {
    /// The text to send as `Authorization: Bearer …`.
    pub secret: String,
    /// The token without its secret.
    pub info: TokenInfo,
}

/// A token, without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct TokenInfo {
    /// The id, which stands in the token's text.
    pub id: String,
    /// The user or service.
    pub owner: PrincipalName,
    /// A text for people, such as the program that uses it.
    pub label: String,
    /// The scopes; `None` for all permissions of its owner.
    pub scopes: Option<Vec<Scope>>,
    /// The groups of a sign-in; `None` for a token that somebody created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeSet<PrincipalName>>,
    /// The time it was created.
    pub created: Timestamp,
    /// The time it ends, if it does.
    pub expires: Option<Timestamp>,
    /// The time it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

impl TokenInfo {
    fn new(id: &str, token: TokenRecord) -> Self {
        let TokenRecord { owner, label, scopes, groups, created, expires, revoked, .. } = token;
        Self { id: id.to_owned(), owner, label, scopes, groups, created, expires, revoked }
    }
}

impl Access {
    /// Creates a token for a user or service.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such user; [`Error::InvalidName`] for a scope's pattern or a label that is too
    /// long; [`Error::Store`].
    pub fn create_token(&self, owner: &str, options: &TokenOptions) -> Result<CreatedToken> {
        let owner = PrincipalName::new(owner)?;
        for scope in options.scopes.iter().flatten() {
            check_pattern(&scope.names)?;
        }
        if options.label.len() > 200 {
            return Err(Error::invalid(
                "label of a token",
                &options.label,
                "it has over 200 bytes",
            ));
        }
        let created = self.larder.now();
        let expires = options.lifetime.map(|it| created.as_system_time().checked_add(it));
        let expires = expires.flatten().map(Timestamp::new);
        let (text, Parsed { id, digest }) = secret::create()?;
        let secret = Digest::from_bytes(*digest.as_bytes());
        let mut token = TokenRecord::new(owner.clone(), secret, created, expires);
        token.label.clone_from(&options.label);
        token.scopes.clone_from(&options.scopes);
        token.groups.clone_from(&options.groups);
        self.transact(format_args!("the tokens of {owner}"), |transaction| {
            let user = owner.key(PRINCIPALS)?;
            if transaction.read::<PrincipalRecord>(&user)?.is_none() {
                return Err(self.no_user(&owner));
            }
            transaction.require(user)?;
            transaction.put_new(token_key(&id)?, &token)?;
            Ok(Outcome::Commit(()))
        })?;
        Ok(CreatedToken { secret: text, info: TokenInfo::new(&id, token) })
    }

    /// Lists tokens, those of one owner or all.
    ///
    /// # Errors
    /// [`Error::Store`]; [`Error::Corrupt`].
    pub fn tokens(&self, owner: Option<&PrincipalName>) -> Result<Vec<TokenInfo>> {
        let tokens = self.list::<TokenRecord>(TOKENS)?;
        let tokens = tokens.into_iter().map(|(id, token)| TokenInfo::new(&id, token));
        Ok(tokens.filter(|token| owner.is_none_or(|owner| token.owner == *owner)).collect())
    }

    /// Revokes the token with this id, at once. Returns false if it was revoked already.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Store`].
    pub fn revoke(&self, id: &str) -> Result<bool> {
        let missing = || not_found(Absence::NoToken, format!("the token {id}"), Vec::new());
        let key = token_key(id).map_err(|_| missing())?;
        self.transact(format_args!("the token {id}"), |transaction| {
            let mut token: TokenRecord = transaction.read(&key)?.ok_or_else(missing)?;
            if token.revoked.is_some() {
                return Ok(Outcome::Done(false));
            }
            token.revoked = Some(self.larder.now());
            transaction.put(key.clone(), &token)?;
            Ok(Outcome::Commit(true))
        })
    }

    /// Returns the owner of a token, with what the token is narrowed to.
    ///
    /// # Errors
    /// [`Error::Denied`] for text that is no token, and a token that is unknown, expired or revoked, or whose owner was removed. All
    /// but the last three read the same, so that nothing can be guessed.
    pub fn authenticate(&self, text: &str) -> Result<Principal> {
        let unknown = || Error::denied("sign in", "the token is not valid");
        let Parsed { id, digest } = secret::parse(text).ok_or_else(unknown)?;
        let key = token_key(&id)?;
        let found = self.larder.store().get_record(&key)?.ok_or_else(unknown)?;
        let token: TokenRecord = larder_core::record::read(&key, &found)?;
        // Comparing hashes of blake3 takes the same time whatever they are.
        if blake3::Hash::from_bytes(*token.secret.as_bytes()) != digest {
            return Err(unknown());
        }
        if token.revoked.is_some() {
            return Err(Error::denied("sign in", "the token was revoked"));
        }
        if token.expires.is_some_and(|end| end <= self.larder.now()) {
            return Err(Error::denied("sign in", "the token has expired; create another"));
        }
        let key = token.owner.key(PRINCIPALS)?;
        let Some(found) = self.larder.store().get_record(&key)? else {
            return Err(Error::denied("sign in", "the owner of the token was removed"));
        };
        let user: PrincipalRecord = larder_core::record::read(&key, &found)?;
        let mut groups = user.groups;
        groups.extend(self.known_groups(token.groups.unwrap_or_default())?);
        Ok(Principal { name: token.owner, groups, token: Some(id), scopes: token.scopes })
    }
}
