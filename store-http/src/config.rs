//! Reads the location of a server and the token from the URL, the environment and the user's configuration.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use larder_store::{Error, Result, StoreUrl};
use tokio_rustls::rustls::ClientConfig;
use url::{Host, Url};

use crate::{tls, tokens};

/// The options of URLs. None of them is secret.
const OPTIONS: [&str; 4] = ["ca", "insecure", "retries", "timeout"];
/// Default number of retries after a transient failure: about ten seconds.
pub(crate) const RETRIES: u32 = 7;
/// Default time for which a server may be silent.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, and how to talk to it.
pub(crate) struct ServerLocation {
    /// The URL before the routes, without a slash at the end.
    pub(crate) base: String,
    /// The URL without secrets.
    pub(crate) shown: String,
    pub(crate) token: Option<String>,
    pub(crate) tls: ClientConfig,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    /// The server is on this machine, so no proxy is in between.
    pub(crate) is_local: bool,
}

/// Parses a URL. Refuses unknown options by name.
pub(crate) fn read(url: &StoreUrl) -> Result<ServerLocation> {
    let (scheme, server) = (url.scheme(), server_of(url)?);
    url.allow_options(&OPTIONS)?;
    let is_local = is_loopback(&server);
    let may_be_insecure = match url.option("insecure") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(url.refused("the option `insecure` is `true` or `false`")),
    };
    if scheme == "http" && !is_local && !may_be_insecure {
        let reason = "`http://` sends the token and all data unencrypted to another machine; use `https://`, or add \
                      `insecure=true`";
        return Err(url.refused(reason));
    }
    let timeout = match url.option("timeout").map(humantime::parse_duration) {
        None => TIMEOUT,
        Some(Ok(timeout)) if !timeout.is_zero() => timeout,
        Some(_) => return Err(url.refused("the option `timeout` is a duration such as `60s`")),
    };
    let retries = match url.option("retries").map(str::parse) {
        None => RETRIES,
        Some(Ok(retries)) if retries <= 20 => retries,
        Some(_) => return Err(url.refused("the option `retries` is a number from 0 to 20")),
    };
    let tls = match scheme {
        "https" => tls::trusting(url.option("ca").map(Path::new))?,
        _ if url.option("ca").is_some() => {
            return Err(url.refused("the option `ca` needs `https://`"));
        }
        _ => tls::trusting_nobody()?,
    };
    let base = server.as_str().trim_end_matches('/').to_owned();
    let options = OPTIONS.iter().filter_map(|name| Some(format!("{name}={}", url.option(name)?)));
    let options = options.collect::<Vec<_>>().join("&");
    let shown = if options.is_empty() { base.clone() } else { format!("{base}?{options}") };
    let token = tokens::find(&server)?;
    Ok(ServerLocation { base, shown, token, tls, timeout, retries, is_local })
}

/// Returns the server of a URL.
pub(crate) fn server_of(url: &StoreUrl) -> Result<Url> {
    let scheme = url.scheme();
    let place = url.rest().strip_prefix("//").unwrap_or_default();
    if place.contains(['@', '#']) || url.may_be_credentials() {
        // The text is not repeated, because it may contain a secret.
        let reason = "a token is no part of a URL; set `LARDER_TOKEN`, or log in to the server";
        return Err(Error::invalid("store URL", &format!("{scheme}://…"), reason));
    }
    if !["http", "https"].contains(&scheme) {
        return Err(url.refused("the scheme must be https or http"));
    }
    parse(scheme, place).map_err(|reason| url.refused(reason))
}

/// Parses the place of a server.
///
/// # Errors
/// The reason why it is none.
pub(crate) fn parse(scheme: &str, place: &str) -> Result<Url, String> {
    let wrong = || format!("the place is `{scheme}://HOST:PORT/PATH`");
    if place.starts_with('/') || place.contains(['\\', ' ', '%', '"']) {
        return Err(wrong());
    }
    let server = Url::parse(&format!("{scheme}://{place}")).map_err(|_| wrong())?;
    let is_plain = server.username().is_empty()
        && server.password().is_none()
        && server.query().is_none()
        && server.fragment().is_none();
    // The parser resolves `..`, and then the path is another than the one that was written.
    let path = place.split_once('/').map_or("", |(_, path)| path);
    let is_path = path.trim_end_matches('/').split('/').all(|part| part != "." && part != "..")
        && !path.contains("//");
    match server.host() {
        Some(_) if is_plain && is_path => Ok(server),
        _ => Err(wrong()),
    }
}

/// Returns whether a server is on this machine.
pub(crate) fn is_loopback(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(url: &str) -> String {
        match url.parse::<StoreUrl>().and_then(|url| read(&url)) {
            Ok(place) => place.shown,
            Err(error @ Error::InvalidName { .. }) => error.to_string(),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn a_server_has_a_host_and_may_have_a_path() {
        assert_eq!(said("http://127.0.0.1:7420"), "http://127.0.0.1:7420");
        assert_eq!(said("HTTP://LOCALHOST:80/Team/"), "http://localhost/Team");
        assert_eq!(said("http://[::1]:7420/a/b?timeout=5s"), "http://[::1]:7420/a/b?timeout=5s");
        for wrong in [
            "http:",
            "http://",
            "http:///x",
            "http://localhost:99999",
            "http://localhost/../x",
            "http://localhost/a//b",
            "http://localhost/%2e%2e/x",
            "http://localhost/a b",
            "http:localhost",
        ] {
            assert!(said(wrong).contains("`http://HOST:PORT/PATH`"), "{}", said(wrong));
        }
    }

    #[test]
    fn another_machine_is_not_called_without_encryption_by_mistake() {
        for other in ["http://10.0.0.7", "http://larder.example.com", "http://localhost.example"] {
            assert!(said(other).contains("`https://`"), "{}", said(other));
            assert_eq!(said(&format!("{other}?insecure=true")), format!("{other}?insecure=true"));
        }
        assert!(said("http://10.0.0.7?insecure=yes").contains("`true` or `false`"));
        assert!(said("http://127.0.0.1?ca=x.pem").contains("`https://`"));
        assert!(said("http://127.0.0.1?timeout=0s").contains("duration"));
        assert!(said("http://127.0.0.1?retries=99").contains("`retries`"));
        assert!(said("http://127.0.0.1?pool=9").contains("`pool`"));
    }

    #[test]
    fn a_token_in_a_url_is_refused_and_not_repeated() {
        for url in [
            "https://larder_QZ0@host/team",
            "https://ann:larder_QZ0@host",
            "https://host/team#larder_QZ0",
            "https://host/team?token=larder_QZ0",
            "https://host?larder_QZ0",
            "https://host/?larder_QZ0=1",
            "https:larder_QZ0@host",
        ] {
            let parsed = url.parse::<StoreUrl>();
            let printed = parsed.map_or_else(|e| e.to_string(), |url| format!("{url} {url:?}"));
            for text in [printed, said(url)] {
                assert!(!text.contains("QZ0"), "{url}: {text}");
            }
        }
        assert!(said("https://larder_QZ0@host").contains("`LARDER_TOKEN`"));
    }
}
