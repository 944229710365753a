//! Single sign-on by OpenID Connect: browsers by the code flow, command lines by the device flow, services by the tokens that
//! the provider signs.
//!
//! A session is a token of the larder in a cookie, so every server of the larder accepts it, and it ends like any other token.
//! A sign-in that has begun is kept in the browser alone.

mod claims;
mod device;
mod jwt;
mod login;
pub(crate) mod options;
mod provider;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use larder_access::{
    AuditEntry, CreatedToken, LarderAccess, Outcome, Principal, SignIn, TokenOptions,
};
use larder_core::store::{Action, Timestamp};
use larder_core::{Error, Result};
use url::Url;

use self::jwt::Claims;
use self::provider::Provider;
use crate::app::{App, SharedApp};
use crate::context::Context;
use crate::cookie;
use crate::failure::Failure;
use crate::route::Route;

pub use self::options::OidcOptions;

/// Single sign-on of a server.
#[derive(Debug)]
pub(crate) struct Oidc {
    options: OidcOptions,
    provider: Provider,
    /// The URL by which browsers reach the server, without a slash at the end.
    pub(crate) public_url: String,
    /// The scheme, host and port of that URL.
    pub(crate) origin: String,
    is_secure: bool,
}

impl Oidc {
    /// Prepares single sign-on for a server at `address`. The provider is asked when it is needed first.
    ///
    /// # Errors
    /// [`Error::Refused`] for a provider or an own URL without TLS; [`Error::InvalidName`] for an own URL that is none.
    pub(crate) fn new(options: &OidcOptions, address: &str) -> Result<Self> {
        let public_url = options.public_url.as_deref().unwrap_or(address);
        let own = Url::parse(public_url)
            .map_err(|error| Error::invalid("public URL", public_url, error.to_string()))?;
        if !options::is_safe(&own) {
            let reason = "its URL must begin with `https://`, or others could read the sessions";
            let action = format!("sign in at {public_url}");
            return Err(Error::Refused { action, reason: reason.into() });
        }
        Ok(Self {
            provider: Provider::new(&options.issuer)?,
            options: options.clone(),
            public_url: public_url.trim_end_matches('/').to_owned(),
            origin: own.origin().ascii_serialization(),
            is_secure: own.scheme() == "https",
        })
    }

    async fn verify(&self, audiences: &[&str], token: &str) -> Result<Claims, Failure> {
        jwt::verify(&self.provider, &self.options.issuer, audiences, token).await
    }

    /// Reads from the provider what an identity token leaves out.
    async fn completed(
        &self,
        mut claims: Claims,
        access_token: Option<&str>,
    ) -> Result<Claims, Failure> {
        let discovery = self.provider.discovery().await?;
        let (Some(token), Some(url)) = (access_token, &discovery.userinfo_endpoint) else {
            return Ok(claims);
        };
        if claims::is_complete(&claims, &self.options) {
            return Ok(claims);
        }
        let request = self.provider.client().get(url.clone()).bearer_auth(token);
        let more: Claims = provider::ask(request).await.map_err(|reason| {
            tracing::warn!(reason, "cannot read the user from the provider of identities");
            provider::unreachable()
        })?;
        // The answer is unsigned; it must be about the same user.
        if more.get("sub") != claims.get("sub") {
            return Err(Failure::unauthorized("cannot sign in: the token is of another user"));
        }
        for (claim, value) in more {
            claims.entry(claim).or_insert(value);
        }
        Ok(claims)
    }
}

/// The routes of single sign-on.
pub(crate) fn routes() -> Vec<Route> {
    let mut routes = login::routes();
    routes.extend(device::routes());
    routes
}

/// Returns the single sign-on of a server, if it has one.
pub(crate) fn of(app: &App) -> Result<Arc<Oidc>, Failure> {
    let oidc = app.shared.find::<Oidc>();
    oidc.ok_or_else(|| Failure::not_found("cannot sign in: the server has no single sign-on"))
}

/// Ends a session. Returns the header that removes its cookie.
pub(crate) async fn end_session(context: &Context) -> Result<Option<HeaderValue>, Failure> {
    Ok(login::end_session(context).await?.1)
}

/// Returns the value of the cookie of a browser's session.
pub(crate) fn session_cookie(app: &App, headers: &HeaderMap) -> Option<String> {
    cookie::find(headers, cookie::SESSION, of(app).ok()?.is_secure)
}

/// Returns the token of a browser's session, if the request has one.
pub(crate) fn session(app: &SharedApp, request: &Request) -> Result<Option<String>, Failure> {
    let Ok(oidc) = of(app) else { return Ok(None) };
    let token = cookie::find(request.headers(), cookie::SESSION, oidc.is_secure);
    if token.is_some() {
        cookie::check_origin(request, &oidc.origin)?;
    }
    Ok(token)
}

/// Returns who a token of the provider is of; `None` if it is none.
pub(crate) async fn bearer(app: &SharedApp, token: &str) -> Result<Option<SignIn>, Failure> {
    let Ok(oidc) = of(app) else { return Ok(None) };
    if !jwt::looks_like(token) {
        return Ok(None);
    }
    let claims = oidc.verify(&oidc.options.accepted(), token).await?;
    claims::sign_in(&claims, &oidc.options).map(Some)
}

/// Signs somebody in, and creates the token of the session. Both a sign-in and its denial are logged.
async fn open_session(
    context: &Context,
    sign_in: SignIn,
    label: &'static str,
    lifetime: Duration,
) -> Result<(Principal, CreatedToken), Failure> {
    let app = context.app.clone();
    let asked = sign_in.clone();
    let opened = context
        .blocking(move || {
            let access = app.larder.access();
            let principal = access.sign_in(&asked)?;
            access.forget_expired_sign_ins(&principal.name)?;
            let options =
                TokenOptions::new().label(label).sign_in(asked.groups).lifetime(Some(lifetime));
            let token = access.create_token(principal.name.as_str(), &options)?;
            Ok((principal, token))
        })
        .await;
    let Some(guard) = &context.app.guard else { return opened };
    let (outcome, because, token) = match &opened {
        Ok((_, token)) => {
            (Outcome::Allowed, sign_in.identity.issuer.clone(), Some(token.info.id.clone()))
        }
        Err(failure) => (Outcome::Denied, failure.message.clone(), None),
    };
    let entry = AuditEntry {
        principal: Some(sign_in.name.clone()),
        token,
        action: "sign in".to_owned(),
        outcome,
        because,
        request: context.request_id.to_string(),
        ..AuditEntry::new(
            Timestamp::new(std::time::SystemTime::now()),
            Action::Read,
            sign_in.name.to_string(),
        )
    };
    match outcome {
        Outcome::Allowed => guard.audit.changed(entry).await?,
        Outcome::Denied => guard.audit.denied(entry),
    }
    opened
}
