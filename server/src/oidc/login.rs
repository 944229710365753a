//! Browsers: the authorisation code flow with PKCE.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use larder_access::LarderAccess;
use serde::Deserialize;
use serde_json::json;
use url::form_urlencoded;

use super::provider::{self, Discovery};
use super::{Oidc, claims, of, open_session};
use crate::context::Context;
use crate::cookie::{self, SameSite};
use crate::failure::Failure;
use crate::route::{Guard, Route};

/// The time from the beginning of a sign-in to its end.
const LOGIN: Duration = Duration::from_secs(10 * 60);
/// The lifetime of a session.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);
/// The page after a sign-in that names none.
const HOME: &str = "/whoami";

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/login", Guard::Public, begin),
        Route::new(Method::GET, "/login/callback", Guard::Public, end),
        Route::new(Method::POST, "/logout", Guard::SignedIn, logout),
    ]
}

/// A sign-in that has begun. Everything that it needs later follows from one secret, which the browser keeps in a cookie.
struct Begun {
    secret: [u8; 32],
    /// The page to go to.
    next: String,
}

impl Begun {
    fn new(next: String) -> Result<Self, Failure> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| Failure::internal(error.to_string()))?;
        Ok(Self { secret, next })
    }

    fn cookie(&self) -> String {
        let next: String = form_urlencoded::byte_serialize(self.next.as_bytes()).collect();
        format!("{}.{next}", URL_SAFE_NO_PAD.encode(self.secret))
    }

    fn of_cookie(text: &str) -> Option<Self> {
        let (secret, next) = text.split_once('.')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).ok()?.try_into().ok()?;
        let (next, _) = form_urlencoded::parse(next.as_bytes()).next()?;
        Some(Self { secret, next: page(Some(&next)) })
    }

    fn derive(&self, purpose: &str) -> String {
        let context = format!("larder 2026-11-29 sign-in {purpose}");
        URL_SAFE_NO_PAD.encode(blake3::derive_key(&context, &self.secret))
    }

    fn state(&self) -> String {
        self.derive("state")
    }

    fn nonce(&self) -> String {
        self.derive("nonce")
    }

    /// The verifier of PKCE.
    fn verifier(&self) -> String {
        self.derive("verifier")
    }

    fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier().as_bytes()))
    }
}

/// Returns a page of this server, whatever a link asks for.
fn page(asked: Option<&str>) -> String {
    let is_own = |page: &&str| {
        page.starts_with('/')
            && page.len() <= 500
            && !page[1..].starts_with(['/', '\\'])
            && page.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
    };
    asked.filter(is_own).unwrap_or(HOME).to_owned()
}

/// Returns a parameter of the URL.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default();
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
    values.next().map(|(_, value)| value.into_owned())
}

/// Sends the browser to the provider.
async fn begin(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let oidc = of(&context.app)?;
    let begun = Begun::new(page(parameter(&request, "next").as_deref()))?;
    let mut url = oidc.provider.discovery().await?.authorization_endpoint.clone();
    url.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &oidc.options.client_id)
        .append_pair("redirect_uri", &callback(&oidc))
        .append_pair("scope", "openid email profile")
        .append_pair("state", &begun.state())
        .append_pair("nonce", &begun.nonce())
        .append_pair("code_challenge", &begun.challenge())
        .append_pair("code_challenge_method", "S256");
    let set = cookie::set(cookie::LOGIN, &begun.cookie(), LOGIN, oidc.is_secure, SameSite::Lax)?;
    let headers = [(header::LOCATION, String::from(url))];
    Ok((StatusCode::SEE_OTHER, headers, [(header::SET_COOKIE, set)]).into_response())
}

/// Takes the browser back, with a code of the provider.
async fn end(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let oidc = of(&context.app)?;
    let begun = cookie::find(request.headers(), cookie::LOGIN, oidc.is_secure);
    let Some(begun) = begun.and_then(|text| Begun::of_cookie(&text)) else {
        let message = "cannot sign in: this browser has not begun to; start at /login";
        return Err(Failure::bad_request(message));
    };
    // Hashes are compared in constant time.
    let hash = |text: &str| blake3::hash(text.as_bytes());
    let state = parameter(&request, "state").unwrap_or_default();
    if hash(&state) != hash(&begun.state()) {
        let message = "cannot sign in: the answer is to another question; start at /login";
        return Err(Failure::bad_request(message));
    }
    // A provider that says who it is (RFC 9207) is the one that was asked.
    if parameter(&request, "iss").is_some_and(|issuer| issuer != oidc.options.issuer) {
        return Err(Failure::bad_request("cannot sign in: the answer is of another provider"));
    }
    if parameter(&request, "error").is_some() {
        return Err(Failure::unauthorized("cannot sign in: the provider of identities refused it"));
    }
    let Some(code) = parameter(&request, "code") else {
        return Err(Failure::bad_request("cannot sign in: the answer has no code"));
    };
    let tokens = exchange(&oidc, &begun, &code).await?;
    let claims = oidc.verify(&[&oidc.options.client_id], &tokens.id_token).await?;
    let nonce = claims.get("nonce").and_then(|nonce| nonce.as_str());
    if nonce != Some(&begun.nonce()) {
        return Err(Failure::unauthorized("cannot sign in: the token is of another sign-in"));
    }
    let claims = oidc.completed(claims, tokens.access_token.as_deref()).await?;
    let sign_in = claims::sign_in(&claims, &oidc.options)?;
    let (_, token) = open_session(&context, sign_in, "browser", SESSION).await?;
    let session =
        cookie::set(cookie::SESSION, &token.secret, SESSION, oidc.is_secure, SameSite::Lax)?;
    let cleared = cookie::clear(cookie::LOGIN, oidc.is_secure, SameSite::Lax)?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, begun.next)]).into_response();
    response.headers_mut().append(header::SET_COOKIE, session);
    response.headers_mut().append(header::SET_COOKIE, cleared);
    Ok(response)
}

/// The provider's answer to a code.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
    access_token: Option<String>,
}

async fn exchange(oidc: &Oidc, begun: &Begun, code: &str) -> Result<Tokens, Failure> {
    let discovery = oidc.provider.discovery().await?;
    let request = token_request(oidc, &discovery, begun, code);
    provider::ask(request).await.map_err(|reason| {
        tracing::warn!(reason, "the provider of identities gives no token for a code");
        Failure::unauthorized("cannot sign in: the provider of identities does not take the code")
    })
}

fn token_request(
    oidc: &Oidc,
    discovery: &Discovery,
    begun: &Begun,
    code: &str,
) -> reqwest::RequestBuilder {
    let options = &oidc.options;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &callback(oidc))
        .append_pair("code_verifier", &begun.verifier());
    let mut request = oidc.provider.client().post(discovery.token_endpoint.clone());
    let ways = &discovery.token_endpoint_auth_methods_supported;
    let takes = |way: &str| ways.iter().any(|it| it == way);
    match &options.client_secret {
        // The way that every provider has, unless it says otherwise.
        Some(secret) if ways.is_empty() || takes("client_secret_basic") => {
            let coded = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            request = request.basic_auth(coded(&options.client_id), Some(coded(secret)));
        }
        Some(secret) => {
            form.append_pair("client_id", &options.client_id).append_pair("client_secret", secret);
        }
        None => {
            form.append_pair("client_id", &options.client_id);
        }
    }
    request.header("content-type", "application/x-www-form-urlencoded").body(form.finish())
}

fn callback(oidc: &Oidc) -> String {
    format!("{}/login/callback", oidc.public_url)
}

async fn logout(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let (revoked, cleared) = end_session(&context).await?;
    let mut response = Json(json!({ "revoked": revoked })).into_response();
    if let Some(cleared) = cleared {
        response.headers_mut().append(header::SET_COOKIE, cleared);
    }
    Ok(response)
}

/// Ends a session. A token that no sign-in created stays valid. Returns whether one was revoked, and the header that removes the
/// cookie.
pub(super) async fn end_session(context: &Context) -> Result<(bool, Option<HeaderValue>), Failure> {
    let token = context.identity.as_ref().and_then(|it| it.principal.token.clone());
    let app = context.app.clone();
    let revoked = context
        .blocking(move || {
            let Some(id) = token else { return Ok(false) };
            let access = app.larder.access();
            let found = access.tokens(None)?.into_iter().find(|token| token.id == id);
            match found.is_some_and(|token| token.groups.is_some()) {
                true => Ok(access.revoke(&id)?),
                false => Ok(false),
            }
        })
        .await?;
    if let Some(guard) = &context.app.guard {
        guard.access.forget();
    }
    let clear = |oidc: Arc<Oidc>| cookie::clear(cookie::SESSION, oidc.is_secure, SameSite::Lax);
    Ok((revoked, of(&context.app).ok().map(clear).transpose()?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_is_read_back_from_its_cookie() {
        let begun = Begun::new("/models/x?y=1&z=2".into()).unwrap();
        let read = Begun::of_cookie(&begun.cookie()).unwrap();
        assert_eq!((read.secret, &read.next), (begun.secret, &begun.next));
        assert_eq!(read.state(), begun.state());
        let derived = [begun.state(), begun.nonce(), begun.verifier(), begun.challenge()];
        for (at, one) in derived.iter().enumerate() {
            assert_eq!(one.len(), 43);
            assert!(!derived[at + 1..].contains(one));
        }
        for bad in ["", ".", "x", "x./", &begun.cookie()[1..]] {
            assert!(Begun::of_cookie(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_sign_in_ends_on_a_page_of_this_server() {
        assert_eq!(page(Some("/models/x?y")), "/models/x?y");
        for other in ["https://evil", "//evil", "/\\evil", "/x\\y", "/x\r\ny", "", "x", "/é"] {
            assert_eq!(page(Some(other)), HOME, "{other:?}");
        }
        assert_eq!(page(None), HOME);
    }
}
