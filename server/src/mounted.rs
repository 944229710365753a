//! A route of a running server, with what its requests share.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode};
use matchit::Params;
use percent_encoding::percent_decode_str;
use prometheus_client::metrics::histogram::Histogram;

use crate::failure::Failure;
use crate::metrics::Metrics;
use crate::pages::{self, Pages};
use crate::route::Route;

/// A route of a running server.
pub(crate) struct Mounted {
    /// Unique in the server.
    pub(crate) number: usize,
    pub(crate) route: Route,
    /// The pages that it is of.
    pub(crate) pages: Option<&'static Pages>,
    /// The durations of the requests that were answered with status 200.
    succeeded: OnceLock<Histogram>,
}

impl Mounted {
    pub(crate) fn new(number: usize, route: Route) -> Self {
        Self { number, pages: pages::of(route.path), succeeded: OnceLock::new(), route }
    }

    /// Returns the route of a method; `HEAD` is `GET` without the body.
    pub(crate) fn of<'a>(routes: &'a [Self], method: &Method) -> Option<&'a Self> {
        let of = |method: &Method| routes.iter().find(|it| it.route.method == method);
        of(method).or_else(|| of(&Method::GET).filter(|_| *method == Method::HEAD))
    }

    /// Returns the methods of a path, for the header `allow`.
    pub(crate) fn methods(routes: &[Self]) -> HeaderValue {
        let mut methods: Vec<&str> = routes.iter().map(|it| it.route.method.as_str()).collect();
        if methods.contains(&"GET") && !methods.contains(&"HEAD") {
            methods.push("HEAD");
        }
        HeaderValue::from_str(&methods.join(",")).unwrap_or(HeaderValue::from_static(""))
    }

    /// Counts a request that was answered.
    pub(crate) fn answered(
        &self,
        metrics: &Metrics,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        if status == StatusCode::OK && *method == self.route.method {
            let durations = || metrics.durations(method, self.route.path, status);
            self.succeeded.get_or_init(durations).observe(took.as_secs_f64());
        } else {
            metrics.request(method, self.route.path, status, took);
        }
    }
}

/// Returns the parts of a path that the parameters of its route stand for, decoded and joined by `/`.
///
/// # Errors
/// [`Failure::bad_request`] if they are not UTF-8.
pub(crate) fn rest(params: &Params<'_, '_>) -> Result<String, Failure> {
    let mut rest = String::with_capacity(32);
    for (at, (_, part)) in params.iter().enumerate() {
        if at > 0 {
            rest.push('/');
        }
        if !part.contains('%') {
            rest.push_str(part);
            continue;
        }
        let part = percent_decode_str(part).decode_utf8();
        rest.push_str(&part.map_err(|_| {
            Failure::bad_request("cannot read the path: it is not UTF-8 once it is decoded")
        })?);
    }
    Ok(rest)
}
