//! The web page of a server of Larder: what a larder holds, for whoever would rather look than type.
//!
//! Every screen is HTML that the server renders, so that reading needs no JavaScript; templates escape what they show. The content
//! security policy allows what the server itself serves, and nothing in line. Nothing that was stored in the larder is ever served
//! as a page or a script; images in rows of collections are checked, and served as nothing else.
//!
//! | path | screen | needs |
//! | --- | --- | --- |
//! | `/ui` | names, with filters | `read` on some name; others are left out |
//! | `/ui/name/NAME`, `/ui/version/REF`, `/ui/diff/NAME`, `/ui/metrics/NAME`, `/ui/lineage/REF` | what is known of them | `read` |
//! | `/ui/jobs`, `/ui/job/ID`, `/ui/deployments` | jobs, deployments | `read`, `predict` for deployments |
//! | `/ui/try/REF` | a form for predictions | `predict` |
//! | `/ui/collections` | collections | `read` on some name; others are left out |
//! | `/ui/collection/NAME`, `/ui/schema/NAME`, `/ui/changes/NAME`, `/ui/listeners/NAME`, `/ui/media/NAME` | rows, and what is known of them | `read` |
//! | `/ui/near/NAME` | search by meaning | `read`, and `predict` on the model that it runs |
//! | `/ui/tag/NAME`, `/ui/untag/NAME` | actions | `tag` on the tag |
//! | `/ui/access`, `/ui/access/NAME`, `/ui/audit` | who may do what | `administer` |
//! | `/ui/tokens` | tokens of the user | signed in |
//! | `/ui/signin`, `/ui/signout`, `/ui/enter/CODE` | sessions | |

#![forbid(unsafe_code)]

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
mod paths;
mod plot;
mod query;
mod refused;
#[cfg(feature = "collections")]
mod rows;
mod sample;
mod sign_in;
mod snippets;
mod tags;
mod tensors;
mod tokens;
mod try_it;
mod version;
mod view;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::Response;
use larder_server::extend::{Context, Failure, Pages, Route, RouteSet, inventory};

/// The content security policy: a page loads from this server only.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'; object-src 'none'";

inventory::submit!(RouteSet(routes));
inventory::submit!(Pages { has: paths::is_page, entrance: "/ui/enter/", finish });

/// The routes of the page.
fn routes() -> Vec<Route> {
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
        #[cfg(feature = "collections")]
        rows::routes(),
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

/// Makes an answer of a route of the page: failures are pages too, and all have the headers that browsers heed.
fn finish(
    context: &Context,
    headers: &HeaderMap,
    uri: &Uri,
    result: Result<Response, Failure>,
) -> Response {
    let mut response =
        result.unwrap_or_else(|failure| refused::respond(context, headers, uri, failure));
    let headers = response.headers_mut();
    // An image has a policy of its own, which allows less.
    let policy = HeaderValue::from_static(POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in [
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
