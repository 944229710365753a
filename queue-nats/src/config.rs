//! Where a queue is, and who asks: from its URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use larder_core::{Error, Result, StoreUrl};

/// The options of a URL.
const OPTIONS: [&str; 7] = ["stream", "ack_wait", "replicas", "tls", "ca", "credentials", "token"];
/// The stream, if none is named.
const STREAM: &str = "larder";
/// After how long a job is brought to another worker.
const ACK_WAIT: Duration = Duration::from_secs(30);
/// The least of it: a worker speaks up a few times in its lease.
const LEAST_ACK_WAIT: Duration = Duration::from_millis(100);
/// The most characters of a stream's name.
const MOST_NAME: usize = 64;

/// A queue, as its URL says.
#[derive(Clone)]
pub(crate) struct Config {
    /// The servers, `host:port`, as NATS writes them.
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
    /// Reads a URL. Options that are unknown are refused by name.
    pub(crate) fn read(url: &StoreUrl) -> Result<Self> {
        url.allow_options(&OPTIONS)?;
        let tls = match (url.scheme(), url.option("tls")) {
            ("nats", None) => false,
            ("tls", None) | ("nats" | "tls", Some("required")) => true,
            ("nats" | "tls", Some(_)) => {
                return Err(refused(url, "the option `tls` is `required` or left out"));
            }
            _ => return Err(refused(url, "its scheme is neither `nats` nor `tls`")),
        };
        let place = url.rest().strip_prefix("//").unwrap_or_default().trim_end_matches('/');
        let (user, hosts) = match place.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, place),
        };
        if hosts.is_empty() || hosts.contains('/') || hosts.split(',').any(str::is_empty) {
            return Err(refused(
                url,
                "write it `nats://HOST:4222`, several hosts joined by commas",
            ));
        }
        let user = user.map(|user| read_user(url, user)).transpose()?;
        let option = |name| url.option(name).map(str::to_owned);
        let (token, credentials) = (option("token"), option("credentials").map(PathBuf::from));
        let ways = [user.is_some(), token.is_some(), credentials.is_some()];
        if ways.into_iter().filter(|given| *given).count() > 1 {
            let reason = "give a user with a password, a `token` or `credentials`, not two of them";
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

    /// The subject that ids are published under.
    pub(crate) fn subject(&self) -> String {
        format!("{}.jobs", self.stream)
    }

    /// What it is called in errors, without secrets.
    pub(crate) fn shown(&self) -> String {
        format!("{}?stream={}", self.servers.join(","), self.stream)
    }
}

/// The queue without secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Config({})", self.shown())
    }
}

/// The error of a URL; secrets are not repeated in it.
fn refused(url: &StoreUrl, reason: &str) -> Error {
    Error::invalid("queue URL", &url.to_string(), reason)
}

fn read_user(url: &StoreUrl, user: &str) -> Result<(String, String)> {
    let missing = || refused(url, "before the `@` stand a user and a password: `ann:secret@`");
    let (user, password) = user.split_once(':').ok_or_else(missing)?;
    Ok((StoreUrl::decode(user)?, StoreUrl::decode(password)?))
}

fn read_stream(url: &StoreUrl) -> Result<String> {
    let stream = url.option("stream").unwrap_or(STREAM);
    // Dots, blanks and wildcards mean something else in subjects.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    match !stream.is_empty() && stream.len() <= MOST_NAME && stream.bytes().all(plain) {
        true => Ok(stream.to_owned()),
        false => Err(refused(url, "the option `stream` has 1 to 64 of a-z A-Z 0-9 - _")),
    }
}

fn read_ack_wait(url: &StoreUrl) -> Result<Duration> {
    let Some(text) = url.option("ack_wait") else { return Ok(ACK_WAIT) };
    match humantime::parse_duration(text) {
        Ok(wait) if wait >= LEAST_ACK_WAIT => Ok(wait),
        _ => Err(refused(url, "the option `ack_wait` is a time such as `30s`, at least 100ms")),
    }
}

fn read_replicas(url: &StoreUrl) -> Result<usize> {
    match url.option("replicas").map(str::parse) {
        None => Ok(1),
        Some(Ok(replicas)) if matches!(replicas, 1..=5) => Ok(replicas),
        Some(_) => Err(refused(url, "the option `replicas` is a number from 1 to 5")),
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
    fn a_url_says_where_and_how() {
        let config = read("nats://a:4222,b?stream=wine&ack_wait=5s&replicas=3").unwrap();
        assert_eq!(config.servers, ["nats://a:4222", "nats://b"]);
        assert_eq!((config.subject().as_str(), config.replicas), ("wine.jobs", 3));
        assert_eq!(config.ack_wait, Duration::from_secs(5));
        assert!(!config.tls && read("tls://a").unwrap().tls);
        assert!(read("nats://a?tls=required").unwrap().tls);
        assert_eq!(read("nats://a").unwrap().stream, "larder");
    }

    #[test]
    fn secrets_are_used_and_never_shown() {
        let config = read("nats://ann:p%2Fw%25@a:4222").unwrap();
        assert_eq!(config.user, Some(("ann".into(), "p/w%".into())));
        for shown in [config.shown(), format!("{config:?}")] {
            assert!(!shown.contains("ann") && !shown.contains("p/w"), "{shown}");
        }
        let config = read("nats://a?token=hush").unwrap();
        assert!(config.token.is_some() && !format!("{config:?}").contains("hush"));
        for url in
            ["nats://ann:se%cret@a", "nats://ann:secret@a?token=secret", "nats://ann:secret@/"]
        {
            let error = read(url).unwrap_err();
            let told = format!("{error} {error:?}");
            assert!(!told.contains("se%cret") && !told.contains("secret"), "{told}");
        }
    }

    #[test]
    fn what_is_unknown_or_makes_no_sense_is_refused() {
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
