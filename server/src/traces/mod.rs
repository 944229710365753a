//! Traces: a span of each request, exported by OTLP over HTTP. With the feature `otel`, and where the variables of OpenTelemetry
//! name a receiver.

#[cfg(feature = "otel")]
mod exporter;
#[cfg(feature = "otel")]
mod span;
#[cfg(not(feature = "otel"))]
mod without;

#[cfg(not(feature = "otel"))]
pub(crate) use without::{Span, Traces};
#[cfg(feature = "otel")]
pub(crate) use {exporter::Traces, span::Span};
