//! The web page: what a larder holds, for whoever would rather look than type.
//!
//! Every screen is HTML that the server renders, so that reading needs no JavaScript; templates escape what they show. The content
//! security policy allows what the server itself serves, and nothing in line. Nothing that was stored in the larder is ever served
//! as a page, a picture or a script.
//!
//! | path | screen | needs |
//! | --- | --- | --- |
//! | `/ui` | names, with filters | `read` on some name; others are left out |
//! | `/ui/name/NAME`, `/ui/version/REF`, `/ui/diff/NAME`, `/ui/metrics/NAME`, `/ui/lineage/REF` | what is known of them | `read` |
//! | `/ui/jobs`, `/ui/job/ID`, `/ui/deployments` | jobs, deployments | `read`, `predict` for deployments |
//! | `/ui/try/REF` | a form for predictions | `predict` |
//! | `/ui/tag/NAME`, `/ui/untag/NAME` | actions | `tag` on the tag |
//! | `/ui/access`, `/ui/access/NAME`, `/ui/audit` | who may do what | `administer` |
//! | `/ui/tokens` | tokens of the user | signed in |
//! | `/ui/signin`, `/ui/signout`, `/ui/enter/CODE` | sessions | |

mod access;
mod assets;
mod audit;
mod deployments;
mod diff;
mod example;
mod fields;
mod forms;
mod frame;
mod graph;
mod jobs;
mod lineage;
mod list;
mod metrics;
mod name;
mod plot;
mod query;
mod refused;
mod sample;
mod sign_in;
mod snippets;
mod tags;
mod tensors;
mod tokens;
mod try_it;
mod version;
mod view;

use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::Response;
use larder_access::Resource;
use larder_core::{Identifier, Reference};

use crate::app::App;
use crate::failure::Failure;
use crate::route::{Rest, Route};

/// The content security policy: a page loads from this server only.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

/// The routes of the page.
pub(crate) fn routes() -> Vec<Route> {
    [
        access::routes(),
        assets::routes(),
        audit::routes(),
        deployments::routes(),
        diff::routes(),
        jobs::routes(),
        lineage::routes(),
        list::routes(),
        metrics::routes(),
        name::routes(),
        sign_in::routes(),
        tags::routes(),
        tokens::routes(),
        try_it::routes(),
        version::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns whether a path is of the page.
pub(crate) fn is_page(path: &str) -> bool {
    matches!(path, "/" | "/ui") || path.starts_with("/ui/")
}

/// Makes an answer of a route of the page: failures are pages too, and all have the headers that browsers heed.
pub(crate) fn finish(
    app: &App,
    result: Result<Response, Failure>,
    request_id: &str,
    uri: &Uri,
) -> Response {
    let mut response =
        result.unwrap_or_else(|failure| refused::respond(app, failure, request_id, uri));
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// The name in a path.
fn named(rest: Rest<'_>) -> Result<Resource, Failure> {
    let name: Identifier = rest.parse()?;
    Ok(Resource::Name(name))
}

/// The name in a path that ends in a reference.
fn referred(rest: Rest<'_>) -> Result<Resource, Failure> {
    let reference: Reference = rest.parse()?;
    Ok(Resource::of(&reference))
}
