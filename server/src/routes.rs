//! All routes of a server.

use crate::route::{Route, RouteSet};

/// Every route of a server.
pub(crate) fn all() -> Vec<Route> {
    let mut routes = crate::health::routes();
    routes.extend(crate::metrics::routes());
    #[cfg(feature = "oidc")]
    routes.extend(crate::oidc::routes());
    routes.extend(crate::predict::routes());
    routes.extend(crate::store::routes());
    routes.extend(crate::whoami::routes());
    routes.extend(inventory::iter::<RouteSet>().flat_map(|set| (set.0)()));
    routes
}

/// A route, for tests and documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteInfo {
    /// The method.
    pub method: String,
    /// The path, with `{name}` for a segment and `{*rest}` for all that follows.
    pub path: &'static str,
    /// The action it needs, `signed in` or `public`.
    pub needs: String,
}

/// Lists every route with what it needs.
pub fn routes() -> Vec<RouteInfo> {
    let info = |route: Route| RouteInfo {
        method: route.method.to_string(),
        path: route.path,
        needs: route.guard.to_string(),
    };
    all().into_iter().map(info).collect()
}
