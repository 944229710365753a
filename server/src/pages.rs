//! Pages for browsers, which a crate above the server makes.

use axum::http::{HeaderMap, Uri};
use axum::response::Response;

use crate::context::Context;
use crate::failure::Failure;

/// The pages of a server. They are submitted by [`inventory::submit!`](inventory), like the [`RouteSet`](crate::extend::RouteSet)
/// that answers them.
///
/// Sessions of pasted tokens are taken on their paths alone.
pub struct Pages {
    /// Returns whether a path is of the pages, also one that no route has.
    pub has: fn(&str) -> bool,
    /// The path before the code of the one-time link: see [`ServerOptions::local`](crate::ServerOptions::local).
    pub entrance: &'static str,
    /// Makes the answer to a request for such a path: failures are pages too. The caller is known unless signing in failed.
    pub finish: fn(&Context, &HeaderMap, &Uri, Result<Response, Failure>) -> Response,
}

inventory::collect!(Pages);

/// Returns the pages that a path is of.
pub(crate) fn of(path: &str) -> Option<&'static Pages> {
    inventory::iter::<Pages>.into_iter().find(|pages| (pages.has)(path))
}

/// Returns the path before the code of the one-time link, if the program has pages.
pub(crate) fn entrance() -> Option<&'static str> {
    inventory::iter::<Pages>.into_iter().next().map(|pages| pages.entrance)
}
