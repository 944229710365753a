//! Forms that a browser sends. Each is refused unless it comes from a page of this server.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use url::form_urlencoded;

use super::frame;
use crate::context::Context;
use crate::failure::Failure;

/// The field with the token.
const TOKEN: &str = "form_token";

/// The fields of a form. It may hold a token: it is not printed.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form whose token only a page of this server could carry.
    pub(super) async fn read(context: &Context, request: Request) -> Result<Self, Failure> {
        check_origin(context, request.headers())?;
        let expected = frame::form_token(&context.app, request.headers());
        let form = Self::fields(context, request).await?;
        // Hashes are compared in constant time.
        let hash = |text: &str| blake3::hash(text.as_bytes());
        match hash(form.get(TOKEN)) == hash(&expected) {
            true => Ok(form),
            false => Err(Failure::forbidden(
                "cannot do this: the form is of another session, or of another site; load the \
                 page again",
            )),
        }
    }

    /// Reads the form by which a session begins: there is no token yet.
    pub(super) async fn read_first(context: &Context, request: Request) -> Result<Self, Failure> {
        check_origin(context, request.headers())?;
        Self::fields(context, request).await
    }

    async fn fields(context: &Context, request: Request) -> Result<Self, Failure> {
        let body = context.body(request).await?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// Returns a field; empty if the form has none of that name.
    pub(super) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Returns a field, if the form has it.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Refuses a form that a page of another site sent.
fn check_origin(context: &Context, headers: &HeaderMap) -> Result<(), Failure> {
    let text = |name: &str| headers.get(name).map(|it| it.to_str().unwrap_or("?"));
    let is_own = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => is_own(context, headers, origin),
        // Every browser says where a form comes from.
        (None, None) => false,
    };
    match is_own {
        true => Ok(()),
        false => {
            Err(Failure::forbidden("cannot do this: the form was sent by a page of another site"))
        }
    }
}

fn is_own(context: &Context, headers: &HeaderMap, origin: &str) -> bool {
    #[cfg(feature = "oidc")]
    if let Ok(oidc) = crate::oidc::of(&context.app)
        && oidc.origin == origin
    {
        return true;
    }
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes);
    let of_origin = origin.split_once("://").map(|(_, host)| host.as_bytes());
    let _ = context;
    host.is_some() && of_origin == host
}
