//! Files.

use axum::extract::Request;
use axum::http::HeaderName;
use axum::response::Response;
use larder_core::store::TreePath;
use larder_server::extend::{Context, Failure, value};

use super::info::{no_entry, revision};
use super::repo::{Repo, split};
use crate::trees;

/// The header that names the commit of a file.
const COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");

/// Sends a file, or its head.
pub(super) async fn get<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let work = context.clone();
    let found = context.blocking(move || {
        let (name, rest) = split::<N>(&rest)?;
        let (revision, path) = revision(rest);
        let repo = Repo::find(&work, &name, revision)?;
        let path = TreePath::new(path).map_err(|_| no_entry())?;
        let file = repo.files.files.get(&path).copied().ok_or_else(no_entry)?;
        Ok((file, repo.id()))
    });
    let (file, commit) = found.await?;
    let (parts, _) = request.into_parts();
    let mut response = trees::send(&context, file, &parts).await?;
    response.headers_mut().insert(COMMIT, value(&commit)?);
    Ok(response)
}
