//! The token of a request.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{HeaderMap, Uri, header};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::app::SharedApp;
use crate::failure::Failure;

/// Parameters of a URL by which tokens are passed to other services.
const IN_URL: [&str; 3] = ["token", "access_token", "api_key"];

/// Returns the token of a request, if it has one.
///
/// # Errors
/// Two tokens, and a token in the URL, where logs and proxies would keep it.
pub(crate) fn token<'a>(
    headers: &'a HeaderMap,
    uri: &Uri,
) -> Result<Option<Cow<'a, str>>, Failure> {
    let is_in_query = uri.query().is_some_and(|query| {
        query.split('&').any(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            IN_URL.iter().any(|it| it.eq_ignore_ascii_case(name)) || is_own(value.as_bytes())
        })
    });
    if is_in_query || uri.path().as_bytes().split(|b| *b == b'/').skip(1).any(is_own) {
        return Err(Failure::bad_request(
            "cannot take a token from the URL: send it as `Authorization: Bearer`, and revoke it, \
             because logs may hold it now",
        ));
    }
    let mut given = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Failure::bad_request("cannot sign in: the request has two tokens"));
    }
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Some(Cow::Borrowed(own(token.trim()))))
        }
        // For clients that know users and passwords only: the password is the token, whatever the user.
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("basic") => {
            password(given.trim()).map(|it| Some(Cow::Owned(it)))
        }
        _ => Err(Failure::unauthorized(
            "cannot sign in: send the token as `Authorization: Bearer larder_…`",
        )),
    }
}

/// Clients of Hugging Face Hub send tokens that begin with `hf_` only.
fn own(token: &str) -> &str {
    token.strip_prefix("hf_").filter(|rest| rest.starts_with("larder_")).unwrap_or(token)
}

fn is_own(token: &[u8]) -> bool {
    token.strip_prefix(b"hf_").unwrap_or(token).starts_with(b"larder_")
}

fn password(given: &str) -> Result<String, Failure> {
    let decoded = BASE64_STANDARD.decode(given).ok().and_then(|it| String::from_utf8(it).ok());
    let password = decoded.and_then(|it| Some(it.split_once(':')?.1.to_owned()));
    let password = password.map(|it| own(&it).to_owned());
    password.filter(|it| !it.is_empty()).ok_or_else(|| {
        Failure::unauthorized(
            "cannot sign in: send the token as the password, or as a bearer token",
        )
    })
}

/// Returns the token of a browser's session, if the request has one. The session of a pasted token is for the web page alone.
pub(crate) fn session(
    app: &SharedApp,
    request: &Request,
    is_page: bool,
) -> Result<Option<String>, Failure> {
    if is_page && let Some(token) = app.sessions.token(request.headers()) {
        return Ok(Some(token));
    }
    #[cfg(feature = "oidc")]
    if let Some(token) = crate::oidc::session(app, request)? {
        return Ok(Some(token));
    }
    Ok(None)
}
