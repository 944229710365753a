//! Browsers: signing in and out, and forms that no other site can send.

use axum::http::{HeaderMap, HeaderValue, Uri, header};

use crate::context::Context;
use crate::credentials;
use crate::failure::Failure;
use crate::identify::identify;

/// The browser that sent a request: [`Context::browser`].
#[derive(Debug, Clone, Copy)]
pub struct Browser<'a> {
    context: &'a Context,
    headers: &'a HeaderMap,
}

impl Context {
    /// Returns the browser that sent a request with these headers.
    pub fn browser<'a>(&'a self, headers: &'a HeaderMap) -> Browser<'a> {
        Browser { context: self, headers }
    }

    /// True if the server answers only the browser that came by its one-time link.
    pub fn is_local(&self) -> bool {
        self.app.sessions.is_local()
    }

    /// True if the server asks for tokens.
    pub fn has_authentication(&self) -> bool {
        self.app.guard.is_some()
    }

    /// True if people can sign in at a provider of identities, from the path `/login`.
    pub fn has_single_sign_on(&self) -> bool {
        #[cfg(feature = "oidc")]
        return crate::oidc::of(&self.app).is_ok();
        #[cfg(not(feature = "oidc"))]
        false
    }
}

impl Browser<'_> {
    /// Signs in by a pasted token, and returns the header that sets the cookie of the session.
    ///
    /// # Errors
    /// 401 for a token that is not valid; 404 on a server without authentication.
    pub async fn sign_in(&self, token: String) -> Result<HeaderValue, Failure> {
        if token.is_empty() {
            return Err(Failure::unauthorized("cannot sign in: paste a token"));
        }
        if identify(self.context, token.clone()).await?.is_none() {
            return Err(Failure::not_found("cannot sign in: the server asks for no tokens"));
        }
        let sessions = &self.context.app.sessions;
        // A session that the browser had before ends.
        sessions.end(self.headers)?;
        sessions.begin(Some(token))
    }

    /// Signs in the user of this machine by the code of the one-time link, and returns the header that sets the cookie.
    ///
    /// # Errors
    /// 404 for another code, and one that was used.
    pub fn enter(&self, code: &str) -> Result<HeaderValue, Failure> {
        let sessions = &self.context.app.sessions;
        if !sessions.is_local() || !sessions.use_code(code) {
            return Err(Failure::not_found(
                "cannot open the page: the link was used before; run `larder ui` again",
            ));
        }
        sessions.begin(None)
    }

    /// Ends the session, and returns the header that removes its cookie. A pasted token stays valid; the token that single
    /// sign-on made is revoked.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn sign_out(&self) -> Result<Option<HeaderValue>, Failure> {
        let cleared = self.context.app.sessions.end(self.headers)?;
        #[cfg(feature = "oidc")]
        if cleared.is_none() {
            return crate::oidc::end_session(self.context).await;
        }
        Ok(cleared)
    }

    /// Returns the token that the forms of the browser carry: only a page of this server can read it.
    pub fn form_token(&self) -> String {
        #[cfg(feature = "oidc")]
        let other = crate::oidc::session_cookie(&self.context.app, self.headers);
        #[cfg(not(feature = "oidc"))]
        let other = None;
        self.context.app.sessions.form_token(self.headers, other)
    }

    /// Refuses a form with another token than [`form_token`](Self::form_token).
    ///
    /// # Errors
    /// 403.
    pub fn check_form_token(&self, token: &str) -> Result<(), Failure> {
        // Hashes are compared in constant time.
        let hash = |text: &str| blake3::hash(text.as_bytes());
        match hash(token) == hash(&self.form_token()) {
            true => Ok(()),
            false => Err(Failure::forbidden(
                "cannot do this: the form is of another session, or of another site; load the \
                 page again",
            )),
        }
    }

    /// Refuses a form that a page of another site sent.
    ///
    /// # Errors
    /// 403.
    pub fn check_origin(&self) -> Result<(), Failure> {
        let text = |name: &str| self.headers.get(name).map(|it| it.to_str().unwrap_or("?"));
        let is_own = match (text("sec-fetch-site"), text("origin")) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => self.is_own(origin),
            // Every browser says where a form comes from.
            (None, None) => false,
        };
        match is_own {
            true => Ok(()),
            false => Err(Failure::forbidden(
                "cannot do this: the form was sent by a page of another site",
            )),
        }
    }

    fn is_own(&self, origin: &str) -> bool {
        #[cfg(feature = "oidc")]
        if let Ok(oidc) = crate::oidc::of(&self.context.app)
            && oidc.origin == origin
        {
            return true;
        }
        let host = self.headers.get(header::HOST).map(HeaderValue::as_bytes);
        let of_origin = origin.split_once("://").map(|(_, host)| host.as_bytes());
        host.is_some() && of_origin == host
    }

    /// Refuses a token in a URL, where logs and proxies would keep it. Routes that need a token do so by themselves.
    ///
    /// # Errors
    /// 400; 401 for a header that is no token.
    pub fn check_url(&self, uri: &Uri) -> Result<(), Failure> {
        credentials::token(self.headers, uri).map(drop)
    }
}
