//! State shared by all requests.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use larder_core::Larder;
use larder_serving::{Deployer, Serving};

use crate::access_cache::AccessCache;
use crate::audit_log::AuditLog;
use crate::metrics::Metrics;
use crate::options::ServerOptions;
use crate::shared::Shared;
use crate::traces::Traces;

/// The state of a server.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) larder: Larder,
    pub(crate) options: ServerOptions,
    /// `None` for a server without authentication.
    pub(crate) guard: Option<Guarded>,
    pub(crate) metrics: Metrics,
    pub(crate) serving: Serving,
    pub(crate) deployer: Deployer,
    pub(crate) sessions: crate::sessions::Sessions,
    /// The state of the protocols.
    pub(crate) shared: Shared,
    /// `None` if no traces are exported.
    pub(crate) traces: Option<Traces>,
    /// Set while the server ends: it is no longer ready.
    pub(crate) is_ending: AtomicBool,
}

/// Authentication and its log.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) access: AccessCache,
    pub(crate) audit: AuditLog,
}

/// Shared by all requests.
pub(crate) type SharedApp = Arc<App>;
