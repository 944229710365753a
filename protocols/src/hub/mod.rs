//! Hugging Face Hub's protocol, as far as its clients need it to list, read and write models.
//!
//! | Hub | here |
//! | --- | --- |
//! | repository `house/price` | the name `house/price`, of one part or two |
//! | commit | a version: a [`Tree`](larder_files::Tree); its id is the beginning of its digest |
//! | branch `main` | the newest version |
//! | revision | a tag, a number, or the id of a commit |
//! | regular file | a file, up to [`commit::MOST_FILE`] bytes in an upload |
//!
//! There are no datasets, spaces, pull requests, other branches, or uploads by Git LFS.

mod commit;
mod info;
mod list;
mod repo;
mod repos;
mod resolve;
mod tags;

use axum::http::{HeaderName, HeaderValue, Method};
use axum::response::Response;
use larder_core::store::Action;
use larder_server::extend::{Failure, Guard, Route, RouteSet, inventory};

use repo::resource;

const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// The routes of repositories whose names have `$count` parts, `$id` in paths.
macro_rules! of_repo {
    ($count:literal, $id:literal) => {{
        let read = Guard::On(Action::Read, resource::<$count>);
        let write = Guard::On(Action::Write, resource::<$count>);
        // The tag is in the body or in the path: it is asked for when it is read.
        let tag = Guard::any(Action::Tag);
        vec![
            Route::new(Method::GET, concat!("/api/models/", $id), read, info::show::<$count>),
            Route::new(
                Method::GET,
                concat!("/api/models/", $id, "/revision/{rev}"),
                read,
                info::show::<$count>,
            ),
            Route::new(
                Method::GET,
                concat!("/api/models/", $id, "/tree/{rev}"),
                read,
                info::tree::<$count>,
            ),
            Route::new(
                Method::GET,
                concat!("/api/models/", $id, "/tree/{rev}/{*path}"),
                read,
                info::tree::<$count>,
            ),
            Route::new(
                Method::GET,
                concat!("/api/models/", $id, "/refs"),
                read,
                info::refs::<$count>,
            ),
            Route::new(
                Method::POST,
                concat!("/api/models/", $id, "/paths-info/{rev}"),
                read,
                info::paths::<$count>,
            ),
            Route::new(
                Method::POST,
                concat!("/api/models/", $id, "/preupload/{rev}"),
                write,
                commit::preupload::<$count>,
            ),
            Route::new(
                Method::POST,
                concat!("/api/models/", $id, "/commit/{rev}"),
                write,
                commit::commit::<$count>,
            ),
            Route::new(
                Method::POST,
                concat!("/api/models/", $id, "/tag/{rev}"),
                tag,
                tags::create::<$count>,
            ),
            Route::new(
                Method::DELETE,
                concat!("/api/models/", $id, "/tag/{rev}"),
                tag,
                tags::delete::<$count>,
            ),
            Route::new(
                Method::GET,
                concat!("/", $id, "/resolve/{rev}/{*path}"),
                read,
                resolve::get::<$count>,
            ),
        ]
    }};
}

pub(crate) fn routes() -> Vec<Route> {
    let write = Guard::any(Action::Write);
    let mut routes = vec![
        Route::new(Method::GET, "/api/whoami-v2", Guard::SignedIn, repos::whoami),
        Route::new(Method::GET, "/api/models", Guard::any(Action::Read), list::list),
        Route::new(Method::POST, "/api/repos/create", write, repos::create),
        Route::new(Method::POST, "/api/validate-yaml", Guard::SignedIn, repos::validate),
    ];
    routes.extend(of_repo!(1, "{a}"));
    routes.extend(of_repo!(2, "{a}/{b}"));
    routes.into_iter().map(|route| route.refused_by(refused)).collect()
}

/// Adds the header by which clients tell what there is not.
fn refused(failure: Failure, request_id: &str, path: &str) -> Response {
    let known = match failure.code {
        "entry_not_found" => "EntryNotFound",
        "revision_not_found" => "RevisionNotFound",
        // It does not say whether there is what nobody may read.
        "not_found" | "removed" if path.contains('{') => "RepoNotFound",
        _ => "",
    };
    let mut response = failure.respond(request_id, path);
    if !known.is_empty() {
        response.headers_mut().insert(ERROR_CODE, HeaderValue::from_static(known));
    }
    response
}

inventory::submit!(RouteSet(routes));
