//! Serves a larder over HTTP.
//!
//! Every route states the action and the resource that it needs: [`routes`] lists them. A request is authenticated by its token,
//! authorised by the rules of `larder-access`, and only then read.
//!
//! ```no_run
//! use larder_core::Registry;
//! use larder_server::{Server, ServerOptions};
//!
//! let larder = Registry::linked()?.open("memory:")?;
//! let server = Server::start(larder, &ServerOptions::new())?;
//! println!("serving at {}", server.url());
//! server.wait(); // until ctrl-c
//! # Ok::<(), larder_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod accept;
mod access_cache;
mod app;
mod audit_log;
mod browser;
mod context;
mod cookie;
mod credentials;
mod dialect;
mod failure;
mod head_timer;
mod health;
#[cfg(any(feature = "oidc", feature = "otel"))]
mod http_client;
mod identify;
mod listen;
mod metrics;
mod model_metrics;
mod mounted;
#[cfg(feature = "oidc")]
mod oidc;
mod options;
mod pages;
mod predict;
mod request_id;
mod route;
mod router;
mod routes;
mod server;
mod sessions;
mod shared;
mod store;
mod traces;
mod whoami;

pub use crate::listen::Listen;
#[cfg(feature = "oidc")]
pub use crate::oidc::OidcOptions;
pub use crate::options::{ServerOptions, Tls};
pub use crate::routes::{RouteInfo, routes};
pub use crate::server::Server;

/// For crates that answer further protocols on the same server: they submit a [`RouteSet`](extend::RouteSet). One whose routes
/// browsers open submits [`Pages`](extend::Pages) too.
pub mod extend {
    pub use inventory;

    pub use crate::browser::Browser;
    pub use crate::context::{Context, read_body};
    pub use crate::failure::Failure;
    pub use crate::health::readiness;
    pub use crate::pages::Pages;
    pub use crate::route::{Guard, Rest, Route, RouteSet};
    /// Predictions.
    pub mod predict {
        pub use crate::predict::target::Target;
        pub use crate::predict::{object, run};
    }
    pub use crate::store::{AHEAD, PIECE, SILENCE, range, receive_blob, value};
}
