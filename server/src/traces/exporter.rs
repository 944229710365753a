//! Sends spans to a receiver, from a thread of its own.

use std::env;
use std::pin::Pin;
use std::time::Duration;

use axum::http;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use larder_core::{Error, Result};
use opentelemetry::Key;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use reqwest::Client;
use tokio::runtime::Handle;

use crate::http_client::http_client;

/// The maximum time of one request, as the standard says.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of bytes of an answer.
const MOST_ANSWER: usize = 1 << 20;
/// The receivers of traces and of everything, the first one in force.
const ENDPOINTS: [&str; 2] = [
    opentelemetry_otlp::OTEL_EXPORTER_OTLP_TRACES_ENDPOINT,
    opentelemetry_otlp::OTEL_EXPORTER_OTLP_ENDPOINT,
];

/// The traces of a server. Requests never wait for their export: spans that the queue has no room for are dropped.
#[derive(Debug)]
pub(crate) struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Starts to export if the environment names a receiver.
    ///
    /// # Errors
    /// [`Error::Store`] for variables that make no sense.
    pub(crate) fn start(runtime: &Handle) -> Result<Option<Self>> {
        let failed = |error| Error::store("export traces as the variables `OTEL_…` say", error);
        let is = |name, value: &str| text(name).is_some_and(|it| it.eq_ignore_ascii_case(value));
        let Some(endpoint) = ENDPOINTS.into_iter().find_map(text) else { return Ok(None) };
        if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let client = http_client(&endpoint, TIMEOUT).map_err(failed)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_http_client(Sender { client, runtime: runtime.clone() })
            .build()
            .map_err(|error| failed(error.into()))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource())
            .build();
        let tracer = provider.tracer("larder");
        Ok(Some(Self { provider, tracer }))
    }

    pub(super) fn tracer(&self) -> &SdkTracer {
        &self.tracer
    }

    /// Exports what is left, for at most `time`.
    pub(crate) fn end(&self, time: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(time) {
            tracing::warn!(error = %error, "the last traces are not exported");
        }
    }
}

/// Returns the attributes of this service from the environment. Its default name is `larder`.
fn resource() -> Resource {
    let found = Resource::builder().build();
    let name = found.get(&Key::from_static_str("service.name"));
    // The SDK's own default.
    match name.is_some_and(|name| !name.as_str().starts_with("unknown_service")) {
        true => found,
        false => Resource::builder().with_service_name("larder").build(),
    }
}

fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}

/// Sends on the threads of the server: the thread that collects spans has no runtime.
#[derive(Debug)]
struct Sender {
    client: Client,
    runtime: Handle,
}

type Sending<'a> =
    Pin<Box<dyn Future<Output = Result<http::Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'s, 'a>(&'s self, request: http::Request<Bytes>) -> Sending<'a>
    where
        's: 'a,
        Self: 'a,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let response = client.execute(request.try_into()?).await?;
            let (head, body) = http::Response::<reqwest::Body>::from(response).into_parts();
            let body = Limited::new(body, MOST_ANSWER).collect().await?.to_bytes();
            Ok(http::Response::from_parts(head, body))
        });
        Box::pin(async move { sent.await? })
    }
}
