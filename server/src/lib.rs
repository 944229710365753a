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
//! println!("http://{}", server.address());
//! server.wait(); // until ctrl-c
//! # Ok::<(), larder_core::Error>(())
//! ```

#![forbid(unsafe_code)]

mod access_cache;
mod app;
mod audit_log;
mod context;
mod credentials;
mod dialect;
mod failure;
mod health;
#[cfg(feature = "hub")]
mod hub;
mod metrics;
#[cfg(feature = "mlflow")]
mod mlflow_registry;
mod model_metrics;
#[cfg(feature = "oidc")]
mod oidc;
mod options;
#[cfg(any(feature = "hub", feature = "mlflow"))]
mod own_url;
mod predict;
mod request_id;
mod route;
mod router;
mod routes;
mod server;
mod store;
#[cfg(any(feature = "hub", feature = "mlflow"))]
mod trees;
mod whoami;

#[cfg(feature = "oidc")]
pub use crate::oidc::OidcOptions;
pub use crate::options::{ServerOptions, Tls};
pub use crate::routes::{RouteInfo, routes};
pub use crate::server::Server;
