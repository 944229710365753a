//! The span of a request.

use std::borrow::Cow;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use larder_core::VersionInfo;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;

use crate::app::App;
use crate::metrics::known;
use crate::router::TRACE;

/// The span of a request: the route and the model, never the path, a header or a body, which may hold secrets. One that is
/// dropped has ended.
#[derive(Debug, Clone)]
pub(crate) struct Span(Option<Context>);

impl Span {
    /// Starts a span below the one in the header `traceparent`.
    pub(crate) fn start(
        app: &App,
        request: &Request,
        route: Option<&'static str>,
        request_id: &str,
    ) -> Self {
        let Some(traces) = &app.traces else { return Self(None) };
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &HeaderExtractor(request.headers()));
        let method = known(request.method());
        let verb = if method == "_OTHER" { "HTTP" } else { method };
        let name = match route {
            Some(route) => Cow::Owned(format!("{verb} {route}")),
            None => Cow::Borrowed(verb),
        };
        let is_secure = app.options.tls.is_some() || app.options.behind_proxy;
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.scheme", if is_secure { "https" } else { "http" }),
            KeyValue::new("larder.request.id", request_id.to_owned()),
        ];
        attributes.extend(route.map(|route| KeyValue::new("http.route", route)));
        let tracer = traces.tracer();
        let span = tracer
            .span_builder(name)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes)
            .start_with_context(tracer, &parent);
        Self(Some(parent.with_span(span)))
    }

    /// Records the version that is asked for a prediction.
    pub(crate) fn asks(&self, version: &VersionInfo) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        if span.is_recording() {
            span.set_attributes([
                KeyValue::new("larder.model.name", version.identifier.to_string()),
                KeyValue::new("larder.model.version", version.version.get() as i64),
            ]);
        }
    }

    /// Ends the span of a request that is answered.
    pub(crate) fn end(&self, status: StatusCode) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        if status.is_server_error() {
            span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            span.set_status(Status::error(""));
        }
        span.end();
    }

    /// Returns the id of the trace, for the log.
    pub(crate) fn trace_id(&self) -> Option<String> {
        self.0.as_ref().map(|context| context.span().span_context().trace_id().to_string())
    }

    /// Writes the span into the headers of the answer.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        let Some(context) = &self.0 else { return };
        let span = context.span();
        let of = span.span_context();
        let flags = of.trace_flags().to_u8();
        let text = format!("00-{}-{}-{flags:02x}", of.trace_id(), of.span_id());
        if let Ok(text) = HeaderValue::try_from(text) {
            headers.insert(TRACE, text);
        }
    }
}
