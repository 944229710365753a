//! MLflow's tracking and registry protocol, as far as its client needs it to log, register, find and load models.
//!
//! | MLflow | here |
//! | --- | --- |
//! | registered model `house~price` | the name `house/price`; what is said of it is a record of its own |
//! | model version | a version: a [`Tree`](larder_files::Tree) of the model's files |
//! | alias | a tag |
//! | tag of a version | a label |
//! | run, logged model | a [draft](larder_files::drafts), which belongs to who wrote it |
//! | parameters and metrics of a run | labels `param/…` and metrics of the versions that it made |
//! | experiment | a name that runs carry: there is nothing to create |
//! | `source` of a version | a label, which nobody follows |

mod annotate;
mod artifacts;
mod drafts;
mod filter;
mod flavors;
mod logged;
mod models;
mod names;
mod runs;
mod search;
mod versions;
mod view;
mod wire;

use axum::http::Method;
use larder_access::Resource;
use larder_core::store::Action;
use larder_server::extend::{Context, Failure, Guard, Route, RouteSet, inventory};
use serde_json::{Value, json};
use tokio::runtime::Handle;

use wire::{Query, body_route, query_route};

/// The prefix of the protocol.
macro_rules! at {
    ($path:literal) => {
        concat!("/api/2.0/mlflow/", $path)
    };
}

pub(crate) fn routes() -> Vec<Route> {
    let (read, write) = (Guard::any(Action::Read), Guard::any(Action::Write));
    let (tag, annotate) = (Guard::any(Action::Tag), Guard::any(Action::Annotate));
    let (post, patch, delete) = (&Method::POST, &Method::PATCH, &Method::DELETE);
    let mut routes = vec![
        query_route("/api/3.0/mlflow/server-info", Guard::SignedIn, server_info),
        body_route(post, at!("registered-models/create"), write, models::create),
        query_route(at!("registered-models/get"), read, models::get),
        query_route(at!("registered-models/search"), read, search::models),
        body_route(patch, at!("registered-models/update"), annotate, models::update),
        body_route(post, at!("registered-models/rename"), write, models::rename),
        body_route(delete, at!("registered-models/delete"), write, models::delete),
        body_route(post, at!("registered-models/set-tag"), annotate, models::set_tag),
        body_route(delete, at!("registered-models/delete-tag"), annotate, models::delete_tag),
        body_route(post, at!("registered-models/get-latest-versions"), read, models::latest),
        query_route(at!("registered-models/get-latest-versions"), read, models::latest_by_query),
        query_route(at!("registered-models/alias"), read, versions::by_alias),
        body_route(post, at!("registered-models/alias"), tag, versions::set_alias),
        body_route(delete, at!("registered-models/alias"), tag, versions::delete_alias),
        body_route(post, at!("model-versions/create"), write, versions::create),
        query_route(at!("model-versions/get"), read, versions::get),
        query_route(at!("model-versions/get-download-uri"), read, versions::download_uri),
        query_route(at!("model-versions/search"), read, search::versions),
        body_route(patch, at!("model-versions/update"), annotate, versions::update),
        body_route(delete, at!("model-versions/delete"), write, versions::delete),
        body_route(post, at!("model-versions/set-tag"), annotate, versions::set_tag),
        body_route(delete, at!("model-versions/delete-tag"), annotate, versions::delete_tag),
        query_route(at!("experiments/get"), write, runs::experiment),
        query_route(at!("experiments/get-by-name"), write, runs::experiment_by_name),
        body_route(post, at!("experiments/create"), write, runs::create_experiment),
        body_route(post, at!("runs/create"), write, runs::create),
        query_route(at!("runs/get"), write, runs::get),
        body_route(post, at!("runs/update"), write, runs::update),
        body_route(post, at!("runs/delete"), write, runs::delete),
        body_route(post, at!("runs/log-parameter"), write, runs::log_parameter),
        body_route(post, at!("runs/log-metric"), write, runs::log_metric),
        body_route(post, at!("runs/log-batch"), write, runs::log_batch),
        body_route(post, at!("runs/set-tag"), write, runs::set_tag),
        body_route(post, at!("runs/delete-tag"), write, runs::delete_tag),
        body_route(post, at!("runs/outputs"), write, runs::outputs),
        query_route(at!("metrics/get-history"), write, runs::history),
        body_route(post, at!("logged-models"), write, logged::create),
        body_route(post, at!("logged-models/search"), write, logged::search),
    ];
    routes.extend(logged::routes(write));
    routes.extend(artifacts::routes());
    routes
}

/// The capabilities of the server: no multipart uploads, no presigned URLs.
fn server_info(_: &Context, _: Query) -> Result<Value, Failure> {
    Ok(json!({
        "store_type": "Larder",
        "workspaces_enabled": false,
        "trace_archival_enabled": false,
        "multipart_uploads_enabled": false,
        "multipart_downloads_enabled": false,
    }))
}

/// Checks that the principal may make a change, and logs that it does.
fn permit(context: &Context, action: Action, resource: &Resource) -> Result<(), Failure> {
    context.authorize(action, resource)?;
    Handle::current().block_on(context.log(action, resource))
}

inventory::submit!(RouteSet(routes));
