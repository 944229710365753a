//! A client of a served model, typed like the model.

mod batch;
mod curl;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use larder_store::runtime::wait;
use larder_store::{Error, Result, StoreUrl};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config;
use crate::connection::{Retries, authorization, checked, client, read};
use crate::failure::{Asked, Failure};
use crate::tokens;

/// Default time for a call.
const DEADLINE: Duration = Duration::from_secs(60);
/// Maximum size in bytes of an answer.
const MAX_OUTPUT: usize = 256 << 20;
/// Media type of inputs and outputs.
const JSON: &str = "application/json";

/// A model or deployment on a server of Larder, with inputs of the type `I` and outputs of the type `O`.
///
/// `I` and `O` are types like the model's own, as JSON sees them. Connections are kept and used again. A call is repeated only
/// where that is safe: if the server refused the connection, or is busy and says when to try again.
///
/// ```no_run
/// use larder_store_http::Endpoint;
///
/// let price: Endpoint<[f64; 4], f64> = Endpoint::new("https://larder.example.com", "house/price")?;
/// let euros = price.predict(&[120.0, 3.0, 1.0, 1985.0])?;
/// println!("{}", price.curl(&[120.0, 3.0, 1.0, 1985.0])?);
/// # Ok::<(), larder_store::Error>(())
/// ```
pub struct Endpoint<I, O> {
    called: Called,
    types: PhantomData<fn(&I) -> O>,
}

/// What is called, and how.
#[derive(Clone)]
struct Called {
    client: Client,
    url: String,
    reference: String,
    /// Where the server is, for people.
    shown: String,
    place: Place,
    token: Option<HeaderValue>,
    deadline: Duration,
    retries: u32,
}

/// What a command needs besides the URL.
#[derive(Clone)]
enum Place {
    Socket(String),
    Host { ca: Option<String> },
}

#[derive(Serialize)]
struct One<'a, I> {
    input: &'a I,
}

#[derive(Deserialize)]
struct OneOutput<O> {
    output: O,
}

impl<I, O> Endpoint<I, O> {
    /// Creates a client of `reference`, a model or deployment on the server at `url`: `https://HOST/PATH` with the options
    /// of the [store](crate), or `unix:/PATH/OF/A/SOCKET`.
    ///
    /// The token is that of the store. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an invalid URL or reference; [`Error::Refused`] for an invalid token.
    pub fn new(url: &str, reference: &str) -> Result<Self> {
        check_reference(reference)?;
        let called = match url.strip_prefix("unix:") {
            Some(socket) => Called::on_socket(socket, reference)?,
            None => Called::on_host(&url.parse()?, reference)?,
        };
        Ok(Self { called, types: PhantomData })
    }

    /// Sets the time for a call, by default 60 seconds, with all its attempts. For a batch, for each of its requests.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.called.deadline = deadline;
        self
    }

    /// Sets the token.
    ///
    /// # Errors
    /// [`Error::Refused`] for text that is no token.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        self.called.token = Some(authorization(token)?);
        Ok(self)
    }

    /// Predicts from one input in JSON. Returns the output in JSON.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict).
    pub fn predict_json(&self, input: &str) -> Result<String> {
        let parsed: &serde_json::value::RawValue =
            serde_json::from_str(input).map_err(|error| misfit(error.into()))?;
        let body = encode(&One { input: &parsed })?;
        let output: OneOutput<Box<serde_json::value::RawValue>> = self.called.post(body)?;
        Ok(output.output.get().to_owned())
    }
}

impl<I: Serialize, O: DeserializeOwned> Endpoint<I, O> {
    /// Predicts from one input.
    ///
    /// # Errors
    /// [`Error::Input`] for an input that does not fit the model; [`Error::NotFound`] if nothing of that reference is
    /// served; [`Error::Predict`] if the model failed; [`Error::Denied`] without the permission; [`Error::Decode`] for an
    /// output that is no `O`; [`Error::Store`].
    pub fn predict(&self, input: &I) -> Result<O> {
        let output: OneOutput<O> = self.called.post(encode(&One { input })?)?;
        Ok(output.output)
    }

    /// Predicts from several inputs, in requests of bounded size. Returns the outputs in their order.
    ///
    /// # Errors
    /// Those of [`predict`](Self::predict), for the first request that fails.
    pub fn predict_batch(&self, inputs: &[I]) -> Result<Vec<O>> {
        batch::predict(&self.called, inputs)
    }

    /// Returns a command for curl that predicts from `input`. It contains no secret: the token is `$LARDER_TOKEN`.
    ///
    /// # Errors
    /// [`Error::Encode`] for an input that is no JSON.
    pub fn curl(&self, input: &I) -> Result<String> {
        let body = encode(&One { input })?;
        Ok(curl::command(&self.called, &String::from_utf8_lossy(&body)))
    }
}

impl<I, O> Clone for Endpoint<I, O> {
    fn clone(&self) -> Self {
        Self { called: self.called.clone(), types: PhantomData }
    }
}

/// Omits the token.
impl<I, O> fmt::Debug for Endpoint<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} at {})", self.called.reference, self.called.shown)
    }
}

impl Called {
    fn on_host(url: &StoreUrl, reference: &str) -> Result<Self> {
        let ca = url.option("ca").map(str::to_owned);
        let place = config::read(url)?;
        let builder = client().tls_backend_preconfigured(place.tls);
        let builder = if place.is_local { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| set_up(&place.shown, error))?;
        Ok(Self {
            client,
            url: format!("{}/predict/{reference}", place.base),
            reference: reference.to_owned(),
            shown: place.shown,
            place: Place::Host { ca },
            token: place.token.as_deref().map(authorization).transpose()?,
            deadline: DEADLINE,
            retries: place.retries,
        })
    }

    #[cfg(unix)]
    fn on_socket(socket: &str, reference: &str) -> Result<Self> {
        let shown = format!("unix:{socket}");
        if !socket.starts_with('/') {
            let reason = "the path of a socket is absolute: `unix:/run/larder.sock`";
            return Err(Error::invalid("URL of a server", &shown, reason));
        }
        let tls = crate::tls::trusting_nobody()?;
        let client = client().tls_backend_preconfigured(tls).unix_socket(socket.to_owned());
        let client = client.build().map_err(|error| set_up(&shown, error))?;
        Ok(Self {
            client,
            url: format!("http://localhost/predict/{reference}"),
            reference: reference.to_owned(),
            shown,
            place: Place::Socket(socket.to_owned()),
            token: tokens::of_environment()?.as_deref().map(authorization).transpose()?,
            deadline: DEADLINE,
            retries: config::RETRIES,
        })
    }

    #[cfg(not(unix))]
    fn on_socket(socket: &str, _: &str) -> Result<Self> {
        let reason = "this system has no Unix sockets";
        Err(Error::invalid("URL of a server", &format!("unix:{socket}"), reason))
    }

    /// Posts inputs, and reads the outputs.
    fn post<T: DeserializeOwned>(&self, body: Bytes) -> Result<T> {
        let (called, deadline) = (Arc::new(self.clone()), Instant::now() + self.deadline);
        let answer = wait(async move { called.send(body, deadline).await })?;
        serde_json::from_slice(&answer).map_err(|error| Error::Decode {
            what: format!("the output of {}", self.reference),
            type_name: std::any::type_name::<T>().to_owned(),
            path: String::new(),
            source: error.into(),
        })
    }

    async fn send(&self, body: Bytes, deadline: Instant) -> Result<Bytes> {
        let action = format!("predict with {} at {}", self.reference, self.shown);
        let mut retries = Retries::new(self.retries);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let attempt = tokio::time::timeout(left, self.attempt(&action, body.clone(), left));
            let failure = match attempt.await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let deadline = humantime::format_duration(self.deadline);
                    let reason = format!("there was no answer within {deadline}");
                    return Err(Error::store(action, reason));
                }
            };
            let is_safe = match &failure {
                Failure::Unsent(_) => true,
                Failure::Unavailable { may_be_done, after, .. } => !may_be_done || after.is_some(),
                Failure::Broken(_) | Failure::Definite(_) => false,
            };
            if !is_safe || !retries.fits_before(&failure, deadline) {
                return Err(failure.into_error(&action));
            }
            retries.wait(failure, &action).await?;
        }
    }

    async fn attempt(&self, action: &str, body: Bytes, left: Duration) -> Result<Bytes, Failure> {
        let mut request = self
            .client
            .request(Method::POST, &self.url)
            .header(CONTENT_TYPE, JSON)
            .header(ACCEPT, JSON)
            .body(body);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        let response =
            request.send().await.map_err(|error| Failure::of_connection(action, &error))?;
        let asked = Asked {
            action,
            server: &self.shown,
            has_token: self.token.is_some(),
            reference: Some(&self.reference),
        };
        let response = checked(&asked, response, left).await?;
        read(action, response, MAX_OUTPUT, left).await
    }
}

fn set_up(shown: &str, error: reqwest::Error) -> Error {
    Error::store(format!("set up requests to {shown}"), error)
}

fn encode(value: &impl Serialize) -> Result<Bytes> {
    let encoded = serde_json::to_vec(value).map(Bytes::from);
    encoded.map_err(|error| Error::Encode { what: "the input".into(), source: error.into() })
}

fn misfit(source: larder_store::BoxError) -> Error {
    Error::Input { path: String::new(), source }
}

/// Checks that a reference is a part of a path as it is.
fn check_reference(reference: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"/@:._-".contains(&b);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    match reference.bytes().all(fits) && reference.split('/').all(is_part) {
        true => Ok(()),
        false => {
            let reason = "it is a name, with a tag or a version, such as `house/price:prod`";
            Err(Error::invalid("reference", reference, reason))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
