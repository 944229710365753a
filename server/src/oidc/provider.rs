//! The provider of identities: what it says of itself, and its keys. Both are kept for a while.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::Jwk;
use larder_core::{Error, Result};
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::options::is_safe;
use crate::failure::Failure;
use crate::http_client::http_client;

/// The age at which something is read again.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// The age up to which something is used while the provider does not answer.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two attempts, however many tokens name an unknown key.
const PAUSE: Duration = Duration::from_secs(3);
/// The maximum time of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of bytes of an answer.
const MOST_ANSWER: usize = 1 << 20;

/// The discovery document of a provider.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Discovery {
    issuer: String,
    #[serde(deserialize_with = "endpoint")]
    pub(super) authorization_endpoint: Url,
    #[serde(deserialize_with = "endpoint")]
    pub(super) token_endpoint: Url,
    #[serde(deserialize_with = "endpoint")]
    jwks_uri: Url,
    #[serde(default, deserialize_with = "maybe_endpoint")]
    pub(super) userinfo_endpoint: Option<Url>,
    #[serde(default, deserialize_with = "maybe_endpoint")]
    pub(super) device_authorization_endpoint: Option<Url>,
    #[serde(default)]
    pub(super) token_endpoint_auth_methods_supported: Vec<String>,
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn maybe_endpoint<'de, D>(deserializer: D) -> std::result::Result<Option<Url>, D::Error>
where
    D: Deserializer<'de>,
{
    let url = Option::<String>::deserialize(deserializer)?;
    url.map(|url| url.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Something of the provider, and when it was read.
struct Slot<T> {
    value: Option<(Instant, Arc<T>)>,
    tried: Option<Instant>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: None, tried: None }
    }
}

/// The provider of identities.
pub(super) struct Provider {
    client: Client,
    issuer: String,
    discovery: Mutex<Slot<Discovery>>,
    keys: Mutex<Slot<Vec<Jwk>>>,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Provider({})", self.issuer)
    }
}

impl Provider {
    pub(super) fn new(issuer: &str) -> Result<Self> {
        let client = http_client(issuer, TIMEOUT)
            .map_err(|error| Error::store(format!("set up requests to {issuer}"), error))?;
        let (discovery, keys) = (Mutex::default(), Mutex::default());
        Ok(Self { client, issuer: issuer.to_owned(), discovery, keys })
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Returns what the provider says of itself.
    pub(super) async fn discovery(&self) -> std::result::Result<Arc<Discovery>, Failure> {
        kept(&self.discovery, |_| true, || self.discover()).await
    }

    /// Returns the keys of the provider. They are read again if none `is_wanted`: the provider may have new ones.
    pub(super) async fn keys(
        &self,
        is_wanted: impl Fn(&Jwk) -> bool,
    ) -> std::result::Result<Arc<Vec<Jwk>>, Failure> {
        let url = self.discovery().await?.jwks_uri.clone();
        kept(&self.keys, |keys| keys.iter().any(&is_wanted), || self.read_keys(url)).await
    }

    async fn discover(&self) -> std::result::Result<Discovery, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let found: Discovery = ask(self.client.get(url)).await?;
        if found.issuer != self.issuer {
            return Err(format!("it calls itself {}; use that URL", found.issuer));
        }
        let urls = [
            Some(&found.authorization_endpoint),
            Some(&found.token_endpoint),
            Some(&found.jwks_uri),
            found.userinfo_endpoint.as_ref(),
            found.device_authorization_endpoint.as_ref(),
        ];
        if let Some(url) = urls.into_iter().flatten().find(|url| !is_safe(url)) {
            return Err(format!("it names {url}, which is no https"));
        }
        Ok(found)
    }

    async fn read_keys(&self, url: Url) -> std::result::Result<Vec<Jwk>, String> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<Value>,
        }
        let Keys { keys } = ask(self.client.get(url)).await?;
        // A key of a kind that nobody here knows leaves the others.
        Ok(keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect())
    }
}

/// Returns what is kept, and reads it again if it is old, or not what `is_wanted`.
async fn kept<T, F>(
    slot: &Mutex<Slot<T>>,
    is_wanted: impl Fn(&T) -> bool,
    read: impl FnOnce() -> F,
) -> std::result::Result<Arc<T>, Failure>
where
    F: Future<Output = std::result::Result<T, String>>,
{
    let mut slot = slot.lock().await;
    let is_good = |(at, value): &(Instant, Arc<T>)| at.elapsed() < FRESH && is_wanted(value);
    let is_due = slot.tried.is_none_or(|at| at.elapsed() >= PAUSE);
    if !slot.value.as_ref().is_some_and(is_good) && is_due {
        slot.tried = Some(Instant::now());
        match read().await {
            Ok(value) => slot.value = Some((Instant::now(), Arc::new(value))),
            Err(reason) => tracing::warn!(reason, "cannot read from the provider of identities"),
        }
    }
    match &slot.value {
        Some((at, value)) if at.elapsed() < OLDEST => Ok(Arc::clone(value)),
        _ => Err(unreachable()),
    }
}

/// The provider does not answer.
pub(super) fn unreachable() -> Failure {
    Failure::unavailable("cannot sign in: the provider of identities does not answer")
}

/// Sends a request, and reads its answer as JSON.
///
/// # Errors
/// The reason, for the log. It does not repeat the answer, which may hold secrets.
pub(super) async fn ask<T: DeserializeOwned>(
    request: RequestBuilder,
) -> std::result::Result<T, String> {
    let request = request.header(reqwest::header::ACCEPT, "application/json");
    let mut response = request.send().await.map_err(|error| chain(&error.without_url()))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| chain(&error.without_url()))? {
        if body.len() + chunk.len() > MOST_ANSWER {
            return Err(format!("its answer has over {MOST_ANSWER} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        #[derive(Deserialize)]
        struct Said {
            error: String,
        }
        let said = serde_json::from_slice::<Said>(&body).map(|said| said.error);
        let said: String = said.unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        return Err(format!("it answers {status} {said}").trim_end().to_owned());
    }
    serde_json::from_slice(&body).map_err(|_| "its answer is not the JSON that it must be".into())
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
