//! Metrics for Prometheus: requests by the names of OpenTelemetry's HTTP convention.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_core::store::Action;
use larder_serving::Serving;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::context::Context;
use crate::failure::Failure;
use crate::model_metrics::ModelCollector;
use crate::route::{Guard, Route};

/// The buckets of durations that the convention advises, in seconds.
const BUCKETS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    http_request_method: &'static str,
    http_route: &'static str,
    http_response_status_code: u16,
}

/// The metrics of a server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Histogram>,
    active: Gauge,
}

/// A request in progress; it ends when this is dropped.
pub(crate) struct InProgress<'a>(&'a Gauge);

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    pub(crate) fn new(serving: &Serving) -> Self {
        let requests =
            Family::<RequestLabels, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let active = Gauge::default();
        let mut registry = Registry::default();
        registry.register_with_unit(
            "http_server_request_duration",
            "Duration of HTTP requests",
            Unit::Seconds,
            requests.clone(),
        );
        registry.register(
            "http_server_active_requests",
            "HTTP requests in progress",
            active.clone(),
        );
        registry.register_collector(Box::new(ModelCollector(serving.clone())));
        Self { registry, requests, active }
    }

    pub(crate) fn begin(&self) -> InProgress<'_> {
        self.active.inc();
        InProgress(&self.active)
    }

    /// Counts a request that was answered.
    pub(crate) fn request(
        &self,
        method: &Method,
        route: &'static str,
        status: StatusCode,
        took: Duration,
    ) {
        self.durations(method, route, status).observe(took.as_secs_f64());
    }

    /// Returns the durations of requests with the same labels.
    pub(crate) fn durations(
        &self,
        method: &Method,
        route: &'static str,
        status: StatusCode,
    ) -> Histogram {
        let labels = RequestLabels {
            http_request_method: known(method),
            http_route: route,
            http_response_status_code: status.as_u16(),
        };
        self.requests.get_or_create_owned(&labels)
    }
}

/// The name of a method. A client may invent methods, and each would be a series of its own.
pub(crate) fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        _ => "_OTHER",
    }
}

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/metrics", Guard::larder(Action::Read), metrics)]
}

async fn metrics(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let mut text = String::new();
    encode(&mut text, &context.app.metrics.registry)
        .map_err(|error| Failure::internal(error.to_string()))?;
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let content_type = match accepts.is_some_and(|it| it.contains("application/openmetrics-text")) {
        true => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        false => {
            text = as_plain_text(&text);
            "text/plain; version=0.0.4; charset=utf-8"
        }
    };
    Ok(([(header::CONTENT_TYPE, content_type)], text).into_response())
}

/// Changes OpenMetrics to Prometheus' older text format, which names a counter with its suffix, and has no units and no end.
fn as_plain_text(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut plain = String::with_capacity(text.len());
    for line in text.lines() {
        let described = line.strip_prefix("# ").and_then(|line| line.split_once(' '));
        let (keyword, rest) = match described {
            Some(("UNIT", _)) => continue,
            Some(parts) => parts,
            None if line == "# EOF" => continue,
            None => {
                plain.extend([line, "\n"]);
                continue;
            }
        };
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let suffix = if counters.contains(&name) { "_total" } else { "" };
        plain.extend(["# ", keyword, " ", name, suffix, " ", rest, "\n"]);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_keep_their_suffix_in_the_older_format() {
        let open = "# HELP a_b Requests.\n# TYPE a_b counter\n# UNIT a_b seconds\na_b_total{x=\"1\"} 2\n# EOF\n";
        let plain = "# HELP a_b_total Requests.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 2\n";
        assert_eq!(as_plain_text(open), plain);
    }
}
