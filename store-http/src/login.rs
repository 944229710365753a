//! Signing in to a server, and who its token belongs to.

use std::fmt;
use std::time::{Duration, Instant};

use larder_store::runtime::wait;
use larder_store::{Error, Result, StoreUrl};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::sleep;
use url::{Url, form_urlencoded};

use crate::config::{self, ServerLocation};
use crate::connection::{Connection, client, read};
use crate::failure::{Failure, MAX_ERROR};
use crate::{tls, tokens};

/// The route that says who a token belongs to.
const WHO: &str = "/whoami";
/// The route that says where to sign in, and takes what the provider of identities gave.
const DEVICE: &str = "/login/device";
/// The route that ends a session.
const LOGOUT: &str = "/logout";
/// The time between two questions to a provider that states none, and what is added where it asks for more.
const INTERVAL: Duration = Duration::from_secs(5);
/// The maximum time for which somebody may take to sign in.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

/// The owner of a token, and its limits.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WhoAmI {
    /// The user or service; `None` on a server without tokens.
    pub name: Option<String>,
    /// True if the server requires tokens.
    pub authenticated: bool,
    /// The groups it is in.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The id of the token.
    #[serde(default)]
    pub token: Option<String>,
    /// The scopes of the token; `None` for all permissions of its owner.
    #[serde(default)]
    pub scopes: Option<Vec<RoleOnNames>>,
    /// What was granted.
    #[serde(default)]
    pub grants: Vec<RoleOnNames>,
}

/// A role on names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RoleOnNames {
    /// The role.
    pub role: String,
    /// The pattern of names.
    pub names: String,
}

/// Asks the server at `url` who the token of [the store](crate::HttpStore) belongs to.
///
/// # Errors
/// [`Error::InvalidName`] for an invalid URL; [`Error::Refused`] without a valid token; [`Error::Store`].
pub fn who_am_i(url: &StoreUrl) -> Result<WhoAmI> {
    let server = Connection::new(config::read(url)?)?;
    let action = format!("ask {} who you are", server.url());
    wait(async move {
        let body = attempts(&server, &action, || server.request(Method::GET, WHO)).await?;
        parsed(&action, &body)
    })
}

/// Ends the session of the token that is [kept](tokens) for the server at `url`, if there is one. A token that no sign-in
/// created stays valid.
///
/// Returns whether the token was revoked.
///
/// # Errors
/// Those of [`who_am_i`].
pub fn log_out(url: &StoreUrl) -> Result<bool> {
    #[derive(Deserialize)]
    struct Ended {
        revoked: bool,
    }
    let Some(token) = tokens::kept(url)? else { return Ok(false) };
    let place = ServerLocation { token: Some(token), retries: 0, ..config::read(url)? };
    let server = Connection::new(place)?;
    let action = format!("log out of {}", server.url());
    wait(async move {
        let body = attempts(&server, &action, || server.request(Method::POST, LOGOUT)).await?;
        parsed::<Ended>(&action, &body).map(|ended| ended.revoked)
    })
}

/// A token of the larder, after a sign-in.
#[derive(Debug, Clone, Deserialize)]
pub struct SignedIn {
    /// The token.
    pub token: String,
    /// The user.
    pub user: String,
    /// When the token ends, as text.
    pub expires: Option<String>,
}

/// A sign-in at the provider of identities of a server, in the browser of any device.
pub struct DeviceLogin {
    server: Connection,
    provider: Provider,
    client: Client,
    asked: Asked,
    until: Instant,
}

/// The server's identity provider.
#[derive(Debug, Deserialize)]
struct Provider {
    #[serde(deserialize_with = "endpoint")]
    device_authorization_endpoint: Url,
    #[serde(deserialize_with = "endpoint")]
    token_endpoint: Url,
    client_id: String,
    scope: String,
}

/// The provider's answer to a device.
#[derive(Debug, Deserialize)]
struct Asked {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: Option<u64>,
    interval: Option<u64>,
}

impl fmt::Debug for DeviceLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceLogin({})", self.server.url())
    }
}

impl DeviceLogin {
    /// Begins to sign in to the server at `url`. `None` if the server has no single sign-on.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an invalid URL; [`Error::Refused`], [`Error::Store`].
    pub fn begin(url: &StoreUrl) -> Result<Option<Self>> {
        let server = Connection::new(ServerLocation { token: None, ..config::read(url)? })?;
        let action = format!("sign in to {}", server.url());
        wait(async move {
            let Some(provider) = provider_of(&server, &action).await? else { return Ok(None) };
            let refused = |url: &Url| Error::Refused {
                action: action.clone(),
                reason: format!("its provider of identities is at {url}, which is no https"),
            };
            let is_safe = |url: &Url| {
                url.scheme() == "https" || (url.scheme() == "http" && config::is_loopback(url))
            };
            let endpoints = [&provider.device_authorization_endpoint, &provider.token_endpoint];
            if let Some(url) = endpoints.into_iter().find(|url| !is_safe(url)) {
                return Err(refused(url));
            }
            let is_local = endpoints.into_iter().all(config::is_loopback);
            let tls = if is_local { tls::trusting_nobody()? } else { tls::trusting(None)? };
            let builder = client().tls_backend_preconfigured(tls);
            let builder = if is_local { builder.no_proxy() } else { builder };
            let client = builder.build().map_err(|error| Error::store(&*action, error))?;
            let fields = [("client_id", &*provider.client_id), ("scope", &provider.scope)];
            let url = provider.device_authorization_endpoint.clone();
            let (status, body) = send(&server, &action, form(&client, url, &fields)).await?;
            if !status.is_success() {
                return Err(refusal(&action, &body));
            }
            let asked: Asked = parsed(&action, &body)?;
            let time = asked.expires_in.map_or(LONGEST, Duration::from_secs).min(LONGEST);
            Ok(Some(Self { server, provider, client, asked, until: Instant::now() + time }))
        })
    }

    /// The page to open.
    pub fn page(&self) -> &str {
        &self.asked.verification_uri
    }

    /// The page to open with the code filled in, if the provider has one.
    pub fn page_with_code(&self) -> Option<&str> {
        self.asked.verification_uri_complete.as_deref()
    }

    /// The code that the page asks for.
    pub fn code(&self) -> &str {
        &self.asked.user_code
    }

    /// Waits until somebody signed in, and returns a token of the larder.
    ///
    /// # Errors
    /// [`Error::Refused`] if nobody did in time, or the provider or the server refuses it; [`Error::Store`].
    pub fn finish(self) -> Result<SignedIn> {
        let action = format!("sign in to {}", self.server.url());
        wait(async move {
            let given = self.poll(&action).await?;
            let body = serde_json::to_vec(&given).map_err(|error| Error::store(&*action, error))?;
            let request = self.server.request(Method::POST, DEVICE);
            let request = request.header(CONTENT_TYPE, "application/json").body(body);
            let (status, body) = send(&self.server, &action, request).await?;
            if !status.is_success() {
                return Err(refusal(&action, &body));
            }
            let signed_in: SignedIn = parsed(&action, &body)?;
            tokens::check(&signed_in.token)?;
            Ok(signed_in)
        })
    }

    /// Asks the provider until it gives its tokens.
    async fn poll(&self, action: &str) -> Result<Given> {
        let refused =
            |reason: &str| Error::Refused { action: action.into(), reason: reason.into() };
        let mut interval = self.asked.interval.map_or(INTERVAL, Duration::from_secs);
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", &*self.asked.device_code),
            ("client_id", &*self.provider.client_id),
        ];
        while Instant::now() + interval < self.until {
            sleep(interval).await;
            let request = form(&self.client, self.provider.token_endpoint.clone(), &fields);
            let (status, body) = send(&self.server, action, request).await?;
            if status.is_success() {
                return parsed(action, &body);
            }
            match said(&body).as_str() {
                "authorization_pending" => {}
                "slow_down" => interval += INTERVAL,
                "access_denied" => return Err(refused("the sign-in was declined")),
                "expired_token" => break,
                _ => return Err(refusal(action, &body)),
            }
        }
        Err(refused("nobody signed in in time; log in again"))
    }
}

/// The tokens of the provider, for the server.
#[derive(Serialize, Deserialize)]
struct Given {
    id_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
}

/// Asks the server for its provider of identities.
async fn provider_of(server: &Connection, action: &str) -> Result<Option<Provider>> {
    let request = server.request(Method::GET, DEVICE).header(ACCEPT, "application/json");
    let (status, body) = send(server, action, request).await?;
    match status {
        // A server that was built without single sign-on has no such path, and says so to nobody without a token.
        StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => Ok(None),
        _ if status.is_success() => parsed(action, &body).map(Some),
        _ => Err(refusal(action, &body)),
    }
}

/// Sends a request until it is answered.
async fn attempts(
    server: &Connection,
    action: &str,
    request: impl Fn() -> RequestBuilder,
) -> Result<bytes::Bytes> {
    let mut retries = server.retries();
    loop {
        match server.body_of(action, request(), MAX_ERROR).await {
            Ok(body) => return Ok(body),
            Err(failure) => retries.wait(failure, action).await?,
        }
    }
}

/// Sends a request once, and returns the answer, whatever its status.
async fn send(
    server: &Connection,
    action: &str,
    request: RequestBuilder,
) -> Result<(StatusCode, bytes::Bytes)> {
    let failed = |failure: Failure| failure.into_error(action);
    let response = request.timeout(server.timeout()).send().await;
    let response = response.map_err(|error| failed(Failure::of_connection(action, &error)))?;
    let status = response.status();
    let body = read(action, response, MAX_ERROR, server.timeout()).await.map_err(failed)?;
    Ok((status, body))
}

fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

fn form(client: &Client, url: Url, fields: &[(&str, &str)]) -> RequestBuilder {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = client.post(url).header(CONTENT_TYPE, FORM);
    request.header(ACCEPT, "application/json").body(body)
}

fn parsed<T: DeserializeOwned>(action: &str, body: &[u8]) -> Result<T> {
    // The reason of the parser may repeat a token.
    serde_json::from_slice(body).map_err(|_| {
        Error::store(action, "the answer is not understood; check the host and the path")
    })
}

/// The error of a server of Larder, or the code of one of a provider.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Said {
        Larder { error: Message },
        Provider { error: String },
    }
    #[derive(Deserialize)]
    struct Message {
        message: String,
    }
    let text = match serde_json::from_slice(body) {
        Ok(Said::Larder { error }) => error.message,
        Ok(Said::Provider { error }) => error,
        Err(_) => return "the answer is not understood; check the host and the path".to_owned(),
    };
    text.chars().filter(|c| !c.is_control()).take(500).collect()
}

fn refusal(action: &str, body: &[u8]) -> Error {
    Error::Refused { action: action.into(), reason: said(body) }
}
