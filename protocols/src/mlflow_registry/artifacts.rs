//! Files of runs, logged models and versions.

use std::collections::BTreeMap;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::VersionInfo;
use larder_core::store::Action;
use larder_files::drafts::{DraftContent, LarderDrafts};
use larder_server::extend::{Context, Failure, Guard, Rest, Route, read_body, receive_blob};
use serde_json::{Value, json};

use super::drafts::{Place, below, missing, own, place};
use super::names;
use super::wire::{Query, query_route};
use crate::trees;

/// The most bytes of a file that is written with the record of its draft.
const SMALL: usize = 64 << 10;

const LIST: &str = "/api/2.0/mlflow-artifacts/artifacts";
const FILE: &str = "/api/2.0/mlflow-artifacts/artifacts/{*rest}";

pub(super) fn routes() -> Vec<Route> {
    vec![
        query_route(LIST, Guard::any(Action::Read), list),
        Route::new(Method::GET, FILE, Guard::On(Action::Read, resource), get),
        Route::new(Method::PUT, FILE, Guard::On(Action::Write, resource), put),
    ]
}

/// Returns the path of the folder of a version.
pub(super) fn path_of(info: &VersionInfo) -> String {
    let name = names::written(&info.identifier);
    format!("{LIST}/versions/{name}/{}", info.version.get())
}

/// Who may write some name has drafts; which are the principal's is asked when they are read.
fn resource(rest: Rest<'_>) -> Result<Resource, Failure> {
    Ok(match place(rest) {
        Ok((Place::Version(name, _), _)) => names::resource(&name),
        _ => Resource::Any,
    })
}

/// Lists a folder.
fn list(context: &Context, query: Query) -> Result<Value, Failure> {
    let (place, folder) = place(query.need("path")?)?;
    let files = place.files(context)?;
    let files = below(&files, folder.as_ref());
    let mut entries = BTreeMap::new();
    for (path, file) in &files.files {
        let (name, size) = match path.as_str().split_once('/') {
            Some((folder, _)) => (folder, None),
            None => (path.as_str(), Some(file.size)),
        };
        entries.insert(name, size);
    }
    let entry = |(name, size): (&str, Option<u64>)| match size {
        Some(size) => json!({ "path": name, "is_dir": false, "file_size": size }),
        None => json!({ "path": name, "is_dir": true }),
    };
    Ok(json!({ "files": entries.into_iter().map(entry).collect::<Vec<_>>() }))
}

async fn get(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let work = context.clone();
    let file = context.blocking(move || {
        let none = || Failure::not_found("cannot find the file: there is none of that path");
        let (place, path) = place(&rest)?;
        let files = place.files(&work)?;
        files.files.get(&path.ok_or_else(none)?).copied().ok_or_else(none)
    });
    let (parts, _) = request.into_parts();
    trees::send(&context, file.await?, &parts).await
}

/// Adds a file to a draft. Versions do not change.
async fn put(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let (place, path) = place(&rest)?;
    let Place::Draft(kind, id) = place else {
        return Err(Failure::bad_request("cannot write the file: versions do not change"));
    };
    let no_path = || Failure::bad_request("cannot write the file: it has no path");
    let path = path.ok_or_else(no_path)?;
    let work = context.clone();
    let stated = request.body().size_hint().exact();
    let added = if stated.is_some_and(|size| size <= SMALL as u64) {
        let content = DraftContent::Bytes(read_body(request.into_body(), SMALL).await?);
        context
            .blocking(move || {
                own(&work, &id, kind)?;
                Ok(work.larder().drafts().add_file(&id, &path, &content)?)
            })
            .await?
    } else {
        let (asked, draft) = (context.clone(), id.clone());
        context.blocking(move || own(&asked, &draft, kind)).await?;
        let (digest, size) = receive_blob(&context, request, None).await?;
        let content = DraftContent::Stored(digest, size);
        let added = move || Ok(work.larder().drafts().add_file(&id, &path, &content)?);
        context.blocking(added).await?
    };
    match added {
        true => Ok(StatusCode::OK.into_response()),
        false => Err(missing(kind)),
    }
}
