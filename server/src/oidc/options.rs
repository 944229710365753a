//! Options of single sign-on.

use std::fmt;

use larder_core::{Error, Result};
use url::Url;

use crate::http_client::is_local;

/// A provider of identities, and how its users become users of the larder.
#[derive(Clone)]
pub struct OidcOptions {
    pub(super) issuer: String,
    pub(super) client_id: String,
    pub(super) client_secret: Option<String>,
    pub(super) device_client_id: Option<String>,
    pub(super) audiences: Vec<String>,
    pub(super) user_claims: Vec<String>,
    pub(super) groups_claim: String,
    pub(super) create_users: bool,
    pub(crate) public_url: Option<String>,
}

impl OidcOptions {
    /// The provider at the URL `issuer`, where the larder is registered as `client_id`.
    pub fn new(issuer: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            client_id: client_id.into(),
            client_secret: None,
            device_client_id: None,
            audiences: Vec::new(),
            user_claims: Vec::new(),
            groups_claim: "groups".to_owned(),
            create_users: false,
            public_url: None,
        }
    }

    /// Sets the secret of a client that has one.
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<String>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// Sets the client for sign-ins of command lines, which can keep no secret. By default it is the same client.
    #[must_use]
    pub fn device_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.device_client_id = Some(client_id.into());
        self
    }

    /// Accepts tokens of services for one more audience, beside the client itself.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Sets one more claim that may name a user; the first one that is there does. Without any it is `email`.
    #[must_use]
    pub fn user_claim(mut self, claim: impl Into<String>) -> Self {
        self.user_claims.push(claim.into());
        self
    }

    /// Sets the claim that lists groups, `groups` by default. A path such as `realm_access.roles` leads into objects.
    #[must_use]
    pub fn groups_claim(mut self, claim: impl Into<String>) -> Self {
        self.groups_claim = claim.into();
        self
    }

    /// Sets whether a user that the larder does not know is added at the first sign-in.
    #[must_use]
    pub fn create_users(mut self, create: bool) -> Self {
        self.create_users = create;
        self
    }

    /// Sets the URL by which browsers reach the server, such as `https://larder.example.com`. By default it is the address.
    #[must_use]
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// The claims that may name a user.
    pub(super) fn user_claims(&self) -> Vec<&str> {
        match self.user_claims.is_empty() {
            true => vec!["email"],
            false => self.user_claims.iter().map(String::as_str).collect(),
        }
    }

    /// The client of command lines.
    pub(super) fn device_client(&self) -> &str {
        self.device_client_id.as_deref().unwrap_or(&self.client_id)
    }

    /// The audiences of tokens that are accepted.
    pub(super) fn accepted(&self) -> Vec<&str> {
        let clients = [self.client_id.as_str(), self.device_client()];
        clients.into_iter().chain(self.audiences.iter().map(String::as_str)).collect()
    }

    /// Refuses a provider that others could stand in for.
    pub(crate) fn check(&self) -> Result<()> {
        let refused = |reason: &str| {
            let action = format!("sign in by {}", self.issuer);
            Err(Error::Refused { action, reason: reason.into() })
        };
        match Url::parse(&self.issuer) {
            Ok(url) if url.query().is_some() || url.fragment().is_some() => {
                refused("the URL of a provider has no query")
            }
            Ok(url) if is_safe(&url) => Ok(()),
            Ok(_) => refused("its URL must begin with `https://`"),
            Err(_) => refused("it is no URL"),
        }
    }
}

/// Returns whether nobody in between can read or change what is sent.
pub(super) fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_local(url))
}

/// Omits the secret.
impl fmt::Debug for OidcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OidcOptions({}, {})", self.issuer, self.client_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_reached_by_https_or_on_this_machine() {
        for good in ["https://id.example.com", "https://id/realms/x", "http://127.0.0.1:9/x"] {
            assert!(OidcOptions::new(good, "larder").check().is_ok(), "{good}");
        }
        for bad in ["http://id.example.com", "id.example.com", "ftp://localhost", "https://id?x=1"]
        {
            assert!(OidcOptions::new(bad, "larder").check().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let options = OidcOptions::new("https://id", "larder").client_secret("QZ0");
        assert!(!format!("{options:?}").contains("QZ0"));
    }
}
