//! Configuration of a queue from its URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::{Error, Result, StoreUrl};

/// URL options.
const OPTIONS: [&str; 7] = ["stream", "ack_wait", "replicas", "tls", "ca", "credentials", "token"];
/// Default stream.
const STREAM: &str = "larder";
/// Default time after which an unacknowledged job is redelivered.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// Minimum `ack_wait`: a worker reports progress several times within it.
const MIN_ACK_WAIT: Duration = Duration::from_millis(100);
/// Maximum length of a stream name.
const MAX_NAME: usize = 64;

/// Configuration of a queue.
#[derive(Clone)]
pub(crate) struct Config {
    /// Server URLs.
    pub(crate) servers: Vec<String>,
    pub(crate) stream: String,
    pub(crate) ack_wait: Duration,
    pub(crate) replicas: usize,
    pub(crate) tls: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) credentials: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) user: Option<(String, String)>,
}

impl Config {
    /// Parses a URL; rejects unknown options.
    pub(crate) fn read(url: &StoreUrl) -> Result<Self> {
        url.allow_options(&OPTIONS)?;
        let tls = match (url.scheme(), url.option("tls")) {
            ("nats", None) => false,
            ("tls", None) | ("nats" | "tls", Some("required")) => true,
            ("nats" | "tls", Some(_)) => {
                return Err(refused(url, "the option `tls` must be `required`"));
            }
            _ => return Err(refused(url, "the scheme must be `nats` or `tls`")),
        };
        let place = url.rest().strip_prefix("//").unwrap_or_default().trim_end_matches('/');
        let (user, hosts) = match place.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, place),
        };
        if hosts.is_empty() || hosts.contains('/') || hosts.split(',').any(str::is_empty) {
            return Err(refused(
                url,
                "expected `nats://HOST:4222`, with several hosts separated by commas",
            ));
        }
        let user = user.map(|user| read_user(url, user)).transpose()?;
        let option = |name| url.option(name).map(str::to_owned);
        let (token, credentials) = (option("token"), option("credentials").map(PathBuf::from));
        let ways = [user.is_some(), token.is_some(), credentials.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            let reason = "use only one of a user with a password, `token` and `credentials`";
            return Err(refused(url, reason));
        }
        Ok(Self {
            servers: hosts.split(',').map(|host| format!("nats://{host}")).collect(),
            stream: read_stream(url)?,
            ack_wait: read_ack_wait(url)?,
            replicas: read_replicas(url)?,
            tls,
            ca: option("ca").map(PathBuf::from),
            credentials,
            token,
            user,
        })
    }

    /// Returns the subject of job ids.
    pub(crate) fn subject(&self) -> String {
        format!("{}.jobs", self.stream)
    }

    /// Returns the URL for messages, without secrets.
    pub(crate) fn redacted(&self) -> String {
        format!("{}?stream={}", self.servers.join(","), self.stream)
    }
}

/// Omits secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({})", self.redacted())
    }
}

/// Returns the error of an invalid URL, without secrets.
fn refused(url: &StoreUrl, reason: &str) -> Error {
    Error::invalid("queue URL", &url.to_string(), reason)
}

fn read_user(url: &StoreUrl, user: &str) -> Result<(String, String)> {
    let missing =
        || refused(url, "expected a user and a password before `@`, such as `ann:secret@`");
    let (user, password) = user.split_once(':').ok_or_else(missing)?;
    Ok((StoreUrl::decode(user)?, StoreUrl::decode(password)?))
}

fn read_stream(url: &StoreUrl) -> Result<String> {
    let stream = url.option("stream").unwrap_or(STREAM);
    // Dots, spaces and wildcards are special in subjects.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match !stream.is_empty() && stream.len() <= MAX_NAME && stream.bytes().all(plain) {
        true => Ok(stream.to_owned()),
        false => Err(refused(url, "the option `stream` must be 1 to 64 of a-z A-Z 0-9 - _")),
    }
}

fn read_ack_wait(url: &StoreUrl) -> Result<Duration> {
    let Some(text) = url.option("ack_wait") else { return Ok(ACK_WAIT) };
    match humantime::parse_duration(text) {
        Ok(wait) if wait >= MIN_ACK_WAIT => Ok(wait),
        _ => Err(refused(
            url,
            "the option `ack_wait` must be a duration such as `30s`, at least 100ms",
        )),
    }
}

fn read_replicas(url: &StoreUrl) -> Result<usize> {
    match url.option("replicas").map(str::parse) {
        None => Ok(1),
        Some(Ok(replicas)) if matches!(replicas, 1..=5) => Ok(replicas),
        Some(_) => Err(refused(url, "the option `replicas` must be a number from 1 to 5")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Config> {
        Config::read(&url.parse().unwrap())
    }

    #[test]
    fn parses_url() {
        let config = read("nats://a:4222,b?stream=wine&ack_wait=5s&replicas=3").unwrap();
        assert_eq!(config.servers, ["nats://a:4222", "nats://b"]);
        assert_eq!((config.subject().as_str(), config.replicas), ("wine.jobs", 3));
        assert_eq!(config.ack_wait, Duration::from_secs(5));
        assert!(!config.tls && read("tls://a").unwrap().tls);
        assert!(read("nats://a?tls=required").unwrap().tls);
        assert_eq!(read("nats://a").unwrap().stream, "larder");
    }

    #[test]
    fn redacts_secrets() {
        let config = read("nats://ann:p%2Fw%25@a:4222").unwrap();
        assert_eq!(config.user, Some(("ann".into(), "p/w%".into())));
        for shown in [config.redacted(), format!("{config:?}")] {
            assert!(!shown.contains("ann") && !shown.contains("p/w"), "{shown}");
        }
        let config = read("nats://a?token=hush").unwrap();
        assert!(config.token.is_some() && !format!("{config:?}").contains("hush"));
        for url in
            ["nats://ann:se%cret@a", "nats://ann:secret@a?token=secret", "nats://ann:secret@/"]
        {
            let error = read(url).unwrap_err();
            let message = format!("{error} {error:?}");
            assert!(!message.contains("se%cret") && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn rejects_invalid_urls() {
        let urls = [
            "nats:",
            "nats://",
            "nats://a,,b",
            "nats://a/b",
            "nats://ann@a",
            "nats://a?streams=wine",
            "nats://a?stream=wine.red",
            "nats://a?stream=",
            "nats://a?ack_wait=1ms",
            "nats://a?ack_wait=long",
            "nats://a?replicas=0",
            "nats://a?tls=maybe",
            "http://a",
        ];
        for url in urls {
            assert!(matches!(read(url), Err(Error::InvalidName { .. })), "{url}");
        }
    }
}
