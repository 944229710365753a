//! A request that is being answered: who asks, and what it may do.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use bytes::{Bytes, BytesMut};
use flate2::read::{GzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use larder_access::{AuditEntry, Decision, Outcome, Principal, Resource};
use larder_core::store::{Action, Timestamp};
use larder_core::{Larder, Result};
use larder_serving::{DeploymentStatus, Serving};

use crate::access_cache::Identity;
use crate::app::SharedApp;
use crate::failure::Failure;
use crate::traces::Span;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The caller, and the server.
#[derive(Debug, Clone)]
pub struct Context {
    pub(crate) app: SharedApp,
    /// `None` on a server without authentication, and on public routes.
    pub(crate) identity: Option<Identity>,
    pub(crate) request_id: Arc<str>,
    pub(crate) span: Span,
}

impl Context {
    /// Returns the larder that is served.
    pub fn larder(&self) -> &Larder {
        &self.app.larder
    }

    /// Returns the deployments that this server follows.
    pub fn deployments(&self) -> Vec<DeploymentStatus> {
        self.app.deployer.status()
    }

    /// Reads the deployments again soon, because something that they follow has changed.
    pub fn refresh_deployments(&self) {
        self.app.deployer.refresh();
    }

    /// Returns the models that this server serves.
    pub fn serving(&self) -> &Serving {
        &self.app.serving
    }

    /// Returns the time after which a prediction is given up.
    pub fn deadline(&self) -> Duration {
        self.app.options.deadline
    }

    /// Returns the larder with the caller as the author of what is written.
    pub fn authored(&self) -> Larder {
        match self.principal() {
            Some(principal) => self.app.larder.clone().with_author(principal.name.as_str()),
            None => self.app.larder.clone(),
        }
    }

    /// Returns the value of a type that the server keeps for a protocol.
    pub fn shared<T: std::any::Any + Default + Send + Sync>(&self) -> Arc<T> {
        self.app.shared.get()
    }

    /// Returns the id of the request.
    pub fn request_id(&self) -> &Arc<str> {
        &self.request_id
    }

    /// Returns the maximum number of bytes of a body that is read into memory.
    pub fn max_body(&self) -> usize {
        self.app.options.max_body
    }

    /// Returns the caller; `None` on a server without authentication, and on public routes.
    pub fn principal(&self) -> Option<&Principal> {
        self.identity.as_ref().map(|identity| &identity.principal)
    }

    /// Returns the URL by which the client reached the server, unless the server was told. A proxy in front may say more.
    pub fn url(&self, headers: &HeaderMap) -> String {
        let text = |name: HeaderName| headers.get(name).and_then(|it| it.to_str().ok());
        let plain = |extra: &'static [u8]| {
            move |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
        };
        let options = &self.app.options;
        #[cfg(feature = "oidc")]
        if let Some(url) = options.oidc.as_ref().and_then(|oidc| oidc.public_url.clone()) {
            return url;
        }
        let host = text(header::HOST).filter(|host| !host.is_empty()).filter(plain(b".-:[]"));
        let host = host.unwrap_or("localhost");
        if !options.behind_proxy {
            let scheme = if options.tls.is_some() { "https" } else { "http" };
            return format!("{scheme}://{host}");
        }
        let scheme = if text(FORWARDED_PROTO) == Some("http") { "http" } else { "https" };
        let prefix = text(FORWARDED_PREFIX).filter(plain(b"/._-")).unwrap_or_default();
        format!("{scheme}://{host}{}", prefix.trim_end_matches('/'))
    }

    /// Denies what the principal may not do, and logs the denial.
    pub fn authorize(&self, action: Action, resource: &Resource) -> Result<(), Failure> {
        match self.decide(action, resource) {
            Decision::Allowed(_) => Ok(()),
            Decision::Denied(because) => Err(self.deny(action, resource, because)),
        }
    }

    /// Returns whether the principal may do it. Nothing is logged: for leaving items out of lists.
    pub fn may(&self, action: Action, resource: &Resource) -> bool {
        self.decide(action, resource).is_allowed()
    }

    /// Returns the decision on an action, with the reason. Nothing is logged.
    pub fn decide(&self, action: Action, resource: &Resource) -> Decision {
        match (&self.app.guard, &self.identity) {
            (None, _) => Decision::Allowed("the server has no authentication".into()),
            (Some(_), None) => Decision::Denied("nobody is signed in".into()),
            (Some(_), Some(identity)) => {
                identity.rules.authorize(&identity.principal, action, resource)
            }
        }
    }

    fn deny(&self, action: Action, resource: &Resource, because: String) -> Failure {
        if let Some(guard) = &self.app.guard {
            let entry = self.entry(action, resource.to_string(), Outcome::Denied, &because);
            guard.audit.denied(entry);
        }
        Failure::forbidden(format!("cannot {action} {resource}: {because}"))
    }

    /// Logs a change that was allowed, before it is made, and waits until the entry is durable.
    pub async fn log(&self, action: Action, resource: &Resource) -> Result<(), Failure> {
        let Some(guard) = &self.app.guard else { return Ok(()) };
        let because = self.decide(action, resource).because().to_owned();
        let entry = self.entry(action, resource.to_string(), Outcome::Allowed, &because);
        Ok(guard.audit.changed(entry).await?)
    }

    fn entry(
        &self,
        action: Action,
        resource: String,
        outcome: Outcome,
        because: &str,
    ) -> AuditEntry {
        let principal = self.identity.as_ref().map(|identity| &identity.principal);
        AuditEntry {
            principal: principal.map(|it| it.name.clone()),
            token: principal.and_then(|it| it.token.clone()),
            outcome,
            because: because.to_owned(),
            request: self.request_id.to_string(),
            ..AuditEntry::new(Timestamp::new(SystemTime::now()), action, resource)
        }
    }

    /// Runs what blocks on a thread of its own.
    pub async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result,
            Err(error) => Err(Failure::internal(error.to_string())),
        }
    }

    /// Reads a body into memory, up to the limit of the server; one that is compressed by gzip, until it is decompressed.
    pub async fn body(&self, request: Request) -> Result<Bytes, Failure> {
        let limit = self.app.options.max_body;
        let encoding = request.headers().get(header::CONTENT_ENCODING).cloned();
        let body = read_body(request.into_body(), limit).await?;
        let Some(encoding) = encoding else { return Ok(body) };
        let encoding = encoding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match encoding.as_str() {
            "" | "identity" => Ok(body),
            "gzip" | "x-gzip" => decompressed(GzDecoder::new(&body[..]), limit),
            "deflate" => decompressed(ZlibDecoder::new(&body[..]), limit),
            _ => Err(Failure::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_type",
                "cannot read the request: its encoding must be gzip or deflate",
            )),
        }
    }
}

/// Decompresses a body of at most `limit` bytes.
fn decompressed(reader: impl Read, limit: usize) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    match reader.take(limit as u64 + 1).read_to_end(&mut body) {
        Ok(_) if body.len() > limit => Err(Failure::too_large(limit)),
        Ok(_) => Ok(body.into()),
        Err(_) => Err(Failure::bad_request("cannot read the request: its compression is damaged")),
    }
}

/// Reads a body of at most `limit` bytes.
pub async fn read_body(body: Body, limit: usize) -> Result<Bytes, Failure> {
    let mut body = body;
    let (mut first, mut all) = (Bytes::new(), BytesMut::new());
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Failure::bad_request("cannot read the request: its body ended early"))?;
        let Ok(piece) = frame.into_data() else { continue };
        if first.len() + all.len() + piece.len() > limit {
            return Err(Failure::too_large(limit));
        }
        if first.is_empty() && all.is_empty() {
            // Most bodies are of one piece, which is not copied.
            first = piece;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&piece);
        }
        if body.is_end_stream() {
            break;
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
