//! A request that is being answered: who asks, and what it may do.

use std::sync::Arc;
use std::time::SystemTime;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use larder_access::{AuditEntry, Decision, Outcome, Resource};
use larder_core::Result;
use larder_core::store::{Action, Timestamp};

use crate::access_cache::Identity;
use crate::app::SharedApp;
use crate::failure::Failure;

/// Who asks, and the server.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) app: SharedApp,
    /// `None` on a server without authentication, and on public routes.
    pub(crate) identity: Option<Identity>,
    pub(crate) request_id: Arc<str>,
}

impl Context {
    /// Denies what the principal may not do, and logs the denial.
    pub(crate) fn authorize(&self, action: Action, resource: &Resource) -> Result<(), Failure> {
        match self.decide(action, resource) {
            Decision::Allowed(_) => Ok(()),
            Decision::Denied(because) => Err(self.deny(action, resource, because)),
        }
    }

    /// Returns whether the principal may do it. Nothing is logged: for leaving items out of lists.
    pub(crate) fn may(&self, action: Action, resource: &Resource) -> bool {
        self.decide(action, resource).is_allowed()
    }

    fn decide(&self, action: Action, resource: &Resource) -> Decision {
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
    pub(crate) async fn log(&self, action: Action, resource: &Resource) -> Result<(), Failure> {
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
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result,
            Err(error) => Err(Failure::internal(error.to_string())),
        }
    }

    /// Reads a body into memory, up to the limit of the server.
    pub(crate) async fn body(&self, body: Body) -> Result<Bytes, Failure> {
        read_body(body, self.app.options.max_body).await
    }
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn read_body(body: Body, limit: usize) -> Result<Bytes, Failure> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::too_large(limit)),
        Err(_) => Err(Failure::bad_request("cannot read the request: its body ended early")),
    }
}
