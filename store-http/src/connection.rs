//! Requests to a server: bounded answers, and retries after transient failures.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use larder_store::{Error, Result};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder, Response, StatusCode, redirect};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout};

use crate::config::ServerLocation;
use crate::failure::{Asked, Failure, Head, MAX_ERROR};
use crate::protocol::{self, INFO, Info, MAX_ANSWER, MEDIA_TYPE, Request, WHOAMI, Whoami};
use crate::tokens;

/// Delay before the first retry. It doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Maximum delay before a retry that no server asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(3);
/// Timeout for connecting.
const CONNECT: Duration = Duration::from_secs(10);

/// The connections to one server.
pub(crate) struct Connection {
    client: Client,
    base: String,
    shown: String,
    token: Option<HeaderValue>,
    timeout: Duration,
    retries: u32,
}

/// Omits the token.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.shown).finish()
    }
}

/// An answer, and whether the server may have been asked before.
pub(crate) struct Answered<T> {
    pub(crate) answer: T,
    /// An earlier attempt may have been carried out.
    pub(crate) is_repeated: bool,
}

/// Returns the settings that every client of this crate has.
pub(crate) fn client() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT)
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        // Blobs are faster, and each request has a connection of its own to be cut.
        .http1_only()
}

/// Returns the header of a token.
pub(crate) fn authorization(token: &str) -> Result<HeaderValue> {
    tokens::check(token)?;
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|error| Error::store("send the token", error))?;
    header.set_sensitive(true);
    Ok(header)
}

impl Connection {
    pub(crate) fn new(place: ServerLocation) -> Result<Self> {
        let builder = client().tls_backend_preconfigured(place.tls);
        let builder = if place.is_local { builder.no_proxy() } else { builder };
        let client = builder
            .build()
            .map_err(|error| Error::store(format!("set up requests to {}", place.shown), error))?;
        let token = place.token.as_deref().map(authorization).transpose()?;
        let ServerLocation { base, shown, timeout, retries, .. } = place;
        Ok(Self { client, base, shown, token, timeout, retries })
    }

    /// The URL without secrets.
    pub(crate) fn url(&self) -> &str {
        &self.shown
    }

    /// How long the server may be silent.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{route}", self.base));
        match &self.token {
            Some(token) => request.header(AUTHORIZATION, token.clone()),
            None => request,
        }
    }

    /// Returns the retries of one call.
    pub(crate) fn retries(&self) -> Retries {
        Retries::new(self.retries)
    }

    /// Asks the server what it is.
    pub(crate) async fn info(&self) -> Result<Info> {
        self.get_json(&format!("open the larder at {}", self.shown), INFO).await
    }

    /// Asks the server whose token this is; `None` if it asks for none.
    pub(crate) async fn whoami(&self) -> Result<Option<String>> {
        let action = format!("sign in at {}", self.shown);
        Ok(self.get_json::<Whoami>(&action, WHOAMI).await?.name)
    }

    async fn get_json<T: DeserializeOwned>(&self, action: &str, route: &str) -> Result<T> {
        let mut retries = self.retries();
        let body = loop {
            let request = self.request(Method::GET, route).header(ACCEPT, "application/json");
            match self.body_of(action, request, MAX_ERROR).await {
                Ok(body) => break body,
                Err(failure) => retries.wait(failure, action).await?,
            }
        };
        serde_json::from_slice(&body).map_err(|_| {
            let reason = "the answer is not one of a server of Larder; check the host and the path";
            Error::store(action, reason)
        })
    }

    /// Sends a request until it is answered.
    pub(crate) async fn call<R: Request>(
        &self,
        action: &str,
        request: &R,
    ) -> Result<Answered<R::Answer>> {
        let refused = |reason: String| Error::Refused { action: action.into(), reason };
        request.check().map_err(refused)?;
        let body = protocol::encode(request).map_err(|error| Error::store(action, error))?;
        self.call_encoded::<R>(action, body).await
    }

    /// As [`call`](Self::call), with a request that is encoded already.
    pub(crate) async fn call_encoded<R: Request>(
        &self,
        action: &str,
        body: Bytes,
    ) -> Result<Answered<R::Answer>> {
        let (mut retries, mut is_repeated) = (self.retries(), false);
        let body = loop {
            let request = self
                .request(Method::POST, R::ROUTE)
                .header(CONTENT_TYPE, MEDIA_TYPE)
                .body(body.clone());
            match self.body_of(action, request, MAX_ANSWER).await {
                Ok(body) => break body,
                Err(failure) => {
                    is_repeated |= failure.may_be_done();
                    retries.wait(failure, action).await?;
                }
            }
        };
        let answer =
            protocol::decode(&body).map_err(|reason| self.misunderstood(action, &reason))?;
        Ok(Answered { answer, is_repeated })
    }

    /// Returns the error of an answer that no server of Larder gives.
    pub(crate) fn misunderstood(&self, action: &str, reason: &str) -> Error {
        Error::store(action, format!("the answer of {} is not understood: {reason}", self.base))
    }

    /// Sends a request, and returns the body of its success.
    pub(crate) async fn body_of(
        &self,
        action: &str,
        request: RequestBuilder,
        limit: usize,
    ) -> Result<Bytes, Failure> {
        let response = self.answer_to(action, request, None).await?;
        read(action, response, limit, self.timeout).await
    }

    /// Sends a request, and returns its success without the body. `progress` counts the bytes that were sent: while it
    /// increases, the server is not considered silent.
    pub(crate) async fn answer_to(
        &self,
        action: &str,
        request: RequestBuilder,
        progress: Option<Arc<AtomicU64>>,
    ) -> Result<Response, Failure> {
        let sent = unless_silent(request.send(), self.timeout, progress.as_deref()).await;
        let response = match sent {
            Some(Ok(response)) => response,
            Some(Err(error)) => return Err(Failure::of_connection(action, &error)),
            None => return Err(silent(self.timeout)),
        };
        self.success(action, response).await
    }

    /// Returns a success as it is, and anything else as a failure.
    pub(crate) async fn success(
        &self,
        action: &str,
        response: Response,
    ) -> Result<Response, Failure> {
        let asked =
            Asked { action, server: &self.shown, has_token: self.token.is_some(), reference: None };
        checked(&asked, response, self.timeout).await
    }
}

/// As [`Connection::success`].
pub(crate) async fn checked(
    asked: &Asked<'_>,
    response: Response,
    silence: Duration,
) -> Result<Response, Failure> {
    if [StatusCode::OK, StatusCode::CREATED, StatusCode::NO_CONTENT, StatusCode::PARTIAL_CONTENT]
        .contains(&response.status())
    {
        return Ok(response);
    }
    let head = Head::of(&response);
    // The status says enough if the text cannot be read.
    let body = read(asked.action, response, MAX_ERROR, silence).await.unwrap_or_default();
    Err(head.failure(asked, &body))
}

/// Waits for `sending`, unless nothing moves for as long as `silence`.
async fn unless_silent<T>(
    sending: impl Future<Output = T>,
    silence: Duration,
    progress: Option<&AtomicU64>,
) -> Option<T> {
    let mut sending = pin!(sending);
    let mut before = 0;
    loop {
        if let Ok(sent) = timeout(silence, &mut sending).await {
            return Some(sent);
        }
        let now = progress.map_or(0, |progress| progress.load(Ordering::Relaxed));
        if now == before {
            return None;
        }
        before = now;
    }
}

/// The failure of a server that does not answer.
pub(crate) fn silent(silence: Duration) -> Failure {
    let silence = humantime::format_duration(silence);
    Failure::Broken(format!("there was no answer for {silence}"))
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read(
    action: &str,
    mut response: Response,
    limit: usize,
    silence: Duration,
) -> Result<Bytes, Failure> {
    let too_long = || {
        let reason = format!("the answer has more than {limit} bytes");
        Failure::Definite(Error::store(action, reason))
    };
    let stated = response.content_length().unwrap_or_default();
    if stated > limit as u64 {
        return Err(too_long());
    }
    let mut body = BytesMut::with_capacity(stated as usize);
    loop {
        match timeout(silence, response.chunk()).await {
            Ok(Ok(Some(chunk))) if body.len() + chunk.len() <= limit => {
                body.extend_from_slice(&chunk);
            }
            Ok(Ok(Some(_))) => return Err(too_long()),
            Ok(Ok(None)) => return Ok(body.freeze()),
            Ok(Err(error)) => return Err(Failure::of_connection(action, &error)),
            Err(_) => return Err(silent(silence)),
        }
    }
}

/// The remaining retries of one call.
pub(crate) struct Retries {
    most: u32,
    left: u32,
    wait: Duration,
}

impl Retries {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, left: most, wait: FIRST_WAIT }
    }

    /// Starts again, after progress.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.most);
    }

    /// Returns whether the next attempt begins before `deadline`.
    pub(crate) fn fits_before(&self, failure: &Failure, deadline: Instant) -> bool {
        let asked = match failure {
            Failure::Unavailable { after, .. } => after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        Instant::now() + asked + self.wait < deadline
    }

    /// Waits before the next attempt. Returns the error of `action` if the failure is permanent or no retry is left.
    pub(crate) async fn wait(&mut self, failure: Failure, action: &str) -> Result<(), Error> {
        if self.left == 0 || !failure.is_transient() {
            return Err(failure.into_error(action));
        }
        self.left -= 1;
        let asked = match failure {
            Failure::Unavailable { after, .. } => after,
            _ => None,
        };
        // Jitter, so that clients that failed together do not retry together.
        let wait = self.wait.mul_f64(0.5 + fastrand::f64() / 2.0);
        sleep(asked.unwrap_or_default().saturating_add(wait)).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }
}
