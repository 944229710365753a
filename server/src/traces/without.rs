//! A server without the feature `otel` records nothing.

use std::time::Duration;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use larder_core::{Result, VersionInfo};
use tokio::runtime::Handle;

use crate::app::App;

/// Exports nothing.
#[derive(Debug)]
pub(crate) struct Traces;

impl Traces {
    pub(crate) fn start(_: &Handle) -> Result<Option<Self>> {
        Ok(None)
    }

    pub(crate) fn end(&self, _: Duration) {}
}

/// Records nothing.
#[derive(Debug, Clone)]
pub(crate) struct Span;

impl Span {
    pub(crate) fn start(_: &App, _: &Request, _: Option<&'static str>, _: &str) -> Self {
        Self
    }

    pub(crate) fn asks(&self, _: &VersionInfo) {}

    pub(crate) fn end(&self, _: StatusCode) {}

    pub(crate) fn trace_id(&self) -> Option<String> {
        None
    }

    pub(crate) fn write(&self, _: &mut HeaderMap) {}
}
