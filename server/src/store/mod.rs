//! The larder as a store: what `larder-store-http` calls.
//!
//! Every operation is authorised by the table of record kinds: each kind says which action reads, writes and removes its
//! records, and on which name. A change is checked as if its client lied; see [`check`].

mod blobs;
mod call;
mod check;
mod commit;
mod download;
mod manifests;
mod permission;
mod records;
mod settled;
mod upload;

use axum::Json;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use larder_core::store::Action;
use larder_store_http::protocol::{
    Commit, FORMAT, GetRecords, INFO, Info, ListBlobs, ListRecords, ReadBlobs, RemoveBlobs,
    RemoveUnfinished, StatBlobs,
};

pub use self::download::{AHEAD, PIECE, SILENCE, range, value};
pub use self::upload::receive_blob;
use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Guard, Route};

/// The route of one blob.
const BLOB: &str = "/store/v1/blobs/{digest}";

pub(crate) fn routes() -> Vec<Route> {
    let read = Guard::any(Action::Read);
    let maintain = Guard::larder(Action::Maintain);
    vec![
        Route::new(Method::GET, INFO, read, info),
        call::route::<GetRecords>(read, records::get),
        call::route::<ListRecords>(read, records::list),
        // Each change is authorised by its kind.
        call::route::<Commit>(read, commit::commit),
        call::route::<StatBlobs>(read, blobs::stat),
        call::route::<ReadBlobs>(read, blobs::read),
        call::route::<ListBlobs>(maintain, blobs::list),
        call::route::<RemoveBlobs>(maintain, blobs::remove),
        call::route::<RemoveUnfinished>(maintain, blobs::remove_unfinished),
        Route::new(Method::GET, BLOB, read, download::get),
        Route::new(Method::PUT, BLOB, Guard::any(Action::Write), upload::put),
    ]
}

async fn info(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let can = context.app.larder.store().capabilities();
    let info = Info {
        larder_store: FORMAT,
        atomic_commit: can.atomic_commit,
        isolated_commit: can.isolated_commit,
        inline_blob: can.inline_blob as u64,
    };
    Ok(Json(info).into_response())
}
