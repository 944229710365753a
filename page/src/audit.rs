//! The audit log, newest first.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::{AuditEntry, LarderAccess, Outcome};
use larder_core::store::Action;
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render};
use crate::query::{Parameters, url};
use crate::view::{When, plain};

/// Entries on a page, and those of the same record as the last.
const PAGE: usize = 100;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/ui/audit", Guard::larder(Action::Administer), audit)]
}

struct Entry {
    at: When,
    principal: String,
    action: String,
    resource: String,
    is_allowed: bool,
    because: String,
    request: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Screen {
    frame: Frame,
    entries: Vec<Entry>,
    is_newest: bool,
    older: Option<String>,
}

async fn audit(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let before: Option<u64> = Parameters::of(&request).get("before").parse().ok();
    let larder = context.larder().clone();
    let read = context.blocking(move || Ok(larder.access().audit_before(before, PAGE)?));
    let (entries, older) = read.await?;
    render(&Screen {
        frame: Frame::new(&context, request.headers(), "Audit", "/ui/audit").await,
        entries: entries.iter().map(entry).collect(),
        is_newest: before.is_none(),
        older: older.map(|at| url("/ui/audit", &[("before", &at.to_string())])),
    })
}

fn entry(entry: &AuditEntry) -> Entry {
    Entry {
        at: When::new(entry.at),
        principal: entry.principal.as_ref().map(ToString::to_string).unwrap_or_default(),
        action: plain(&entry.action),
        resource: plain(&entry.resource),
        is_allowed: entry.outcome == Outcome::Allowed,
        because: plain(&entry.because),
        request: plain(&entry.request),
    }
}
