//! Routes. None can be added without the action and the resource that it needs.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::Action;

use crate::context::Context;
use crate::failure::Failure;

/// The parts of a path that a route's `{*rest}` and `{name}` stand for, decoded and joined by `/`; empty if it has none.
pub type Rest<'a> = &'a str;

type Answer = Pin<Box<dyn Future<Output = Result<Response, Failure>> + Send>>;
/// Returns the answer to a request that failed, by the id of the request and the path of the route.
type Refused = fn(Failure, &str, &str) -> Response;
type Handler = Arc<dyn Fn(Context, String, Request) -> Answer + Send + Sync>;

/// The permission that a route requires.
#[derive(Clone, Copy)]
pub enum Guard {
    /// Nothing: the answer tells nothing about the larder.
    Public,
    /// A valid token; the answer is about the token's owner alone.
    SignedIn,
    /// An action on what the path names. A handler that reads more resources from the body asks again for each.
    On(Action, fn(Rest<'_>) -> Result<Resource, Failure>),
}

impl Guard {
    /// An action on the larder as a whole.
    pub const fn larder(action: Action) -> Self {
        Self::On(action, |_| Ok(Resource::Larder))
    }

    /// An action on some name: the handler asks for each name that the request holds.
    pub const fn any(action: Action) -> Self {
        Self::On(action, |_| Ok(Resource::Any))
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::SignedIn => f.write_str("signed in"),
            Self::On(action, _) => action.fmt(f),
        }
    }
}

/// A route: method and path, what it needs, and its handler.
#[derive(Clone)]
pub struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) guard: Guard,
    pub(crate) handler: Handler,
    pub(crate) refused: Refused,
}

impl Route {
    /// Creates a route.
    pub fn new<F, A>(method: Method, path: &'static str, guard: Guard, handler: F) -> Self
    where
        F: Fn(Context, String, Request) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response, Failure>> + Send + 'static,
    {
        let handler: Handler =
            Arc::new(move |context, rest, request| Box::pin(handler(context, rest, request)));
        Self { method, path, guard, handler, refused: Failure::respond }
    }

    /// Sets the form of the answers to requests that fail; [`Failure::respond`] by default.
    #[must_use]
    pub fn refused_by(mut self, refused: Refused) -> Self {
        self.refused = refused;
        self
    }
}

/// Routes of a crate that answers a further protocol. They are submitted by [`inventory::submit!`](inventory), and every server of
/// a program that links the crate has them.
pub struct RouteSet(
    /// Returns the routes.
    pub fn() -> Vec<Route>,
);

inventory::collect!(RouteSet);
