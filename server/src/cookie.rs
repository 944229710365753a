//! Cookies of browsers.

use std::time::Duration;

#[cfg(feature = "oidc")]
use axum::extract::Request;
#[cfg(feature = "oidc")]
use axum::http::Method;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::failure::Failure;

/// The cookie of a session. It holds a token of the larder.
#[cfg(feature = "oidc")]
pub(crate) const SESSION: &str = "larder_session";
/// The cookie of a sign-in that has begun.
#[cfg(feature = "oidc")]
pub(crate) const LOGIN: &str = "larder_login";

/// Which requests from other sites have a cookie.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SameSite {
    /// Those that open a page, as the answer of a provider of identities does.
    #[cfg(feature = "oidc")]
    Lax,
    /// None.
    Strict,
}

/// The name of a cookie. With `__Host-` browsers take it only from this host, and only by TLS.
fn full_name(name: &str, is_secure: bool) -> String {
    if is_secure { format!("__Host-{name}") } else { name.to_owned() }
}

/// Returns the value of a cookie. Two of one name are none: one of them may be somebody else's.
pub(crate) fn find(headers: &HeaderMap, name: &str, is_secure: bool) -> Option<String> {
    let name = full_name(name, is_secure);
    let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    let value = values.next()?;
    (!value.is_empty() && values.next().is_none()).then(|| value.to_owned())
}

/// Returns the header that sets a cookie.
pub(crate) fn set(
    name: &str,
    value: &str,
    lifetime: Duration,
    is_secure: bool,
    site: SameSite,
) -> Result<HeaderValue, Failure> {
    let (name, age) = (full_name(name, is_secure), lifetime.as_secs());
    let secure = if is_secure { "; Secure" } else { "" };
    let text =
        format!("{name}={value}; Path=/; HttpOnly; SameSite={site:?}; Max-Age={age}{secure}");
    let mut header =
        HeaderValue::try_from(text).map_err(|error| Failure::internal(error.to_string()))?;
    header.set_sensitive(true);
    Ok(header)
}

/// Returns the header that removes a cookie.
pub(crate) fn clear(name: &str, is_secure: bool, site: SameSite) -> Result<HeaderValue, Failure> {
    set(name, "", Duration::ZERO, is_secure, site)
}

/// Refuses a change that a page of another site sends with the session of this one.
#[cfg(feature = "oidc")]
pub(crate) fn check_origin(request: &Request, own: &str) -> Result<(), Failure> {
    if [Method::GET, Method::HEAD].contains(request.method()) {
        return Ok(());
    }
    let header = |name: &str| request.headers().get(name).map(HeaderValue::as_bytes);
    let is_own = match (header("sec-fetch-site"), header("origin")) {
        (Some(site), _) => [&b"same-origin"[..], b"none"].contains(&site),
        (None, Some(origin)) => origin == own.as_bytes(),
        (None, None) => true,
    };
    match is_own {
        true => Ok(()),
        false => Err(Failure::forbidden("cannot answer: the request comes from another site")),
    }
}

#[cfg(all(test, feature = "oidc"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn cookies(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|it| (header::COOKIE, HeaderValue::from_str(it).unwrap()));
        pairs.collect()
    }

    #[test]
    fn a_cookie_is_found_by_its_name() {
        let headers = cookies(&["a=b; larder_session=larder_1; c", "__Host-larder_session=x"]);
        assert_eq!(find(&headers, SESSION, false).as_deref(), Some("larder_1"));
        assert_eq!(find(&headers, SESSION, true).as_deref(), Some("x"));
        assert_eq!(find(&headers, LOGIN, false), None);
        for twice in [&["larder_session=a; larder_session=b"][..], &["larder_session="]] {
            assert_eq!(find(&cookies(twice), SESSION, false), None);
        }
    }

    #[test]
    fn a_cookie_is_for_this_host_alone_and_for_no_script() {
        let set = |is_secure| {
            let header =
                set(SESSION, "x", Duration::from_secs(5), is_secure, SameSite::Lax).unwrap();
            header.to_str().unwrap().to_owned()
        };
        let attributes = "=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=5";
        assert_eq!(set(true), format!("__Host-larder_session{attributes}; Secure"));
        assert_eq!(set(false), format!("larder_session{attributes}"));
    }

    #[test]
    fn other_sites_change_nothing() {
        let check = |method: &str, headers: &[(&str, &str)]| {
            let mut request = Request::builder().method(method);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(Body::empty()).unwrap();
            check_origin(&request, "https://larder.example.com").is_ok()
        };
        let other = [("origin", "https://evil.example.com")];
        assert!(check("GET", &other) && check("POST", &[]));
        assert!(!check("POST", &other) && !check("DELETE", &[("origin", "null")]));
        assert!(check("POST", &[("origin", "https://larder.example.com")]));
        assert!(check("POST", &[("sec-fetch-site", "same-origin")]));
        for site in ["cross-site", "same-site", ""] {
            assert!(!check("POST", &[("sec-fetch-site", site)]), "{site}");
        }
    }
}
