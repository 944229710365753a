//! The files and revisions of a repository.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use larder_core::extend::Records;
use larder_core::store::TreePath;
use larder_core::{Identifier, VersionInfo};
use larder_files::drafts::LarderDrafts;
use larder_files::{ListedFile, TreeListing};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::repo::{MAIN, Repo, commit_id, no_repo, split, time};

/// The most paths of a request.
const MOST_PATHS: usize = 10_000;

/// Runs what blocks, and answers in JSON.
pub(super) async fn answer(
    context: &Context,
    run: impl FnOnce(&Context) -> Result<Value, Failure> + Send + 'static,
) -> Result<Response, Failure> {
    let work = context.clone();
    let value = context.blocking(move || run(&work)).await?;
    Ok(Json(value).into_response())
}

/// Splits the revision, which is one part of a path, from the path that follows it.
pub(super) fn revision(rest: &str) -> (&str, &str) {
    rest.split_once('/').unwrap_or((rest, ""))
}

pub(super) async fn show<const N: usize>(
    context: Context,
    rest: String,
    _: Request,
) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let (name, rest) = split::<N>(&rest)?;
        // A repository that was created has no commit yet.
        let larder = context.larder();
        if rest.is_empty() && larder.head(&name)?.is_none_or(|head| head.latest.is_none()) {
            let about = larder.drafts().about(&name)?.ok_or_else(no_repo)?;
            let created = time(about.created);
            return Ok(json!({
                "id": name, "modelId": name, "private": true, "gated": false,
                "createdAt": created, "lastModified": created, "tags": [], "siblings": [],
            }));
        }
        let repo = Repo::find(context, &name, rest)?;
        let siblings: Vec<Value> = repo
            .files
            .files
            .iter()
            .map(|(path, file)| {
                json!({ "rfilename": path, "size": file.size, "blobId": file.digest.to_hex() })
            })
            .collect();
        let mut shown = summary(context, &name, &VersionInfo::new(&name, &repo.record))?;
        shown["siblings"] = siblings.into();
        Ok(shown)
    })
    .await
}

/// The entry of a repository in a list.
pub(super) fn summary(
    context: &Context,
    name: &Identifier,
    info: &VersionInfo,
) -> Result<Value, Failure> {
    let annotations = context.larder().annotations(info.reference())?;
    let tags: Vec<String> =
        annotations.labels.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    let id: String = info.digest.to_hex().chars().take(40).collect();
    let created = time(info.created);
    Ok(json!({
        "id": name,
        "modelId": name,
        "author": name.as_str().rsplit_once('/').map(|(author, _)| author),
        "sha": id,
        "createdAt": created,
        "lastModified": created,
        "private": true,
        "gated": false,
        "disabled": false,
        "tags": tags,
        "pipeline_tag": annotations.labels.get("pipeline_tag"),
        "library_name": annotations.labels.get("library_name"),
    }))
}

fn shown_file(path: &TreePath, file: &ListedFile) -> Value {
    json!({ "type": "file", "path": path, "size": file.size, "oid": file.digest.to_hex() })
}

/// Lists a folder, or everything below it.
pub(super) async fn tree<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let query = request.uri().query().unwrap_or_default();
    let is_on = |value: &str| ["true", "1"].contains(&value.to_ascii_lowercase().as_str());
    let is_recursive = form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "recursive" && is_on(&value));
    answer(&context, move |context| {
        let (name, rest) = split::<N>(&rest)?;
        let (revision, folder) = revision(rest);
        let repo = Repo::find(context, &name, revision)?;
        let mut entries: BTreeMap<String, Value> = BTreeMap::new();
        let mut wanted: BTreeSet<&str> = BTreeSet::new();
        let mut is_there = folder.is_empty();
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        for (path, file) in &repo.files.files {
            let Some(inside) = path.as_str().strip_prefix(&prefix) else { continue };
            is_there = true;
            for (at, _) in inside.match_indices('/') {
                let folder = &path.as_str()[..prefix.len() + at];
                if is_recursive || !inside[..at].contains('/') {
                    wanted.insert(folder);
                }
            }
            if is_recursive || !inside.contains('/') {
                entries.insert(path.to_string(), shown_file(path, file));
            }
        }
        let folders = folders(&repo.files);
        for folder in wanted {
            entries.insert(folder.to_owned(), shown_folder(&folders, folder));
        }
        match is_there {
            true => Ok(entries.into_values().collect()),
            false => Err(no_entry()),
        }
    })
    .await
}

/// Returns the ids of all folders: each is the digest of what is in it.
fn folders(files: &TreeListing) -> BTreeMap<&str, blake3::Hasher> {
    let mut folders: BTreeMap<&str, blake3::Hasher> = BTreeMap::new();
    for (path, file) in &files.files {
        for (at, _) in path.as_str().match_indices('/') {
            let (folder, inside) = (&path.as_str()[..at], &path.as_str()[at + 1..]);
            let hasher = folders.entry(folder).or_default();
            hasher.update(inside.as_bytes()).update(b"\0").update(file.digest.as_bytes());
        }
    }
    folders
}

fn shown_folder(folders: &BTreeMap<&str, blake3::Hasher>, folder: &str) -> Value {
    let id = folders.get(folder).map(|hasher| hasher.finalize().to_hex().to_string());
    json!({ "type": "directory", "path": folder, "size": 0, "oid": id })
}

/// The error of a file that is not there.
pub(super) fn no_entry() -> Failure {
    let message = "cannot find the file: the revision has none of that path";
    Failure::new(axum::http::StatusCode::NOT_FOUND, "entry_not_found", message)
}

#[derive(Deserialize)]
struct Paths {
    #[serde(default)]
    paths: Vec<String>,
}

/// Returns the files and folders of these paths. Those that are not there are left out.
pub(super) async fn paths<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let asked = asked_paths(&context, request).await?;
    if asked.paths.len() > MOST_PATHS {
        return Err(Failure::too_many("cannot answer the request: it has over 10,000 paths"));
    }
    answer(&context, move |context| {
        let (name, rest) = split::<N>(&rest)?;
        let repo = Repo::find(context, &name, revision(rest).0)?;
        let files = &repo.files.files;
        let folders = folders(&repo.files);
        let shown = |path: &String| {
            let path = path.trim_end_matches('/');
            match TreePath::new(path).ok().and_then(|path| files.get_key_value(&path)) {
                Some((path, file)) => Some(shown_file(path, file)),
                None => folders.contains_key(path).then(|| shown_folder(&folders, path)),
            }
        };
        Ok(asked.paths.iter().filter_map(shown).collect())
    })
    .await
}

/// Reads the paths of a request: in JSON, or as huggingface_hub sends them, in a form.
async fn asked_paths(context: &Context, request: Request) -> Result<Paths, Failure> {
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if !is_form {
        return json_of(context, request).await;
    }
    let body = context.body(request).await?;
    let paths = form_urlencoded::parse(&body).filter(|(key, _)| key == "paths");
    Ok(Paths { paths: paths.map(|(_, path)| path.into_owned()).collect() })
}

/// Reads the JSON object of a request.
pub(super) async fn json_of<T: serde::de::DeserializeOwned>(
    context: &Context,
    request: Request,
) -> Result<T, Failure> {
    let body = context.body(request).await?;
    let read = match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(&body).ok(),
        _ => None,
    };
    let unreadable = "cannot read the request: it is no JSON object with the fields of this call";
    read.ok_or_else(|| Failure::bad_request(unreadable))
}

/// Lists the branch and the tags.
pub(super) async fn refs<const N: usize>(
    context: Context,
    rest: String,
    _: Request,
) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let (name, _) = split::<N>(&rest)?;
        let larder = context.larder();
        let latest = larder.head(&name)?.and_then(|head| head.latest);
        if latest.is_none() && larder.drafts().about(&name)?.is_none() {
            return Err(no_repo());
        }
        let branch = |latest| {
            json!({ "name": MAIN, "ref": "refs/heads/main", "targetCommit": commit_id(latest) })
        };
        let mut tags = Vec::new();
        for tag in larder.tags().of(&name)? {
            let record = larder.version(&name, tag.version)?.ok_or_else(no_repo)?;
            let (reference, tag) = (format!("refs/tags/{}", tag.tag), tag.tag);
            tags.push(json!({ "name": tag.as_str(), "ref": reference, "targetCommit": commit_id(&record) }));
        }
        let branches: Vec<Value> = latest.iter().map(branch).collect();
        Ok(json!({ "branches": branches, "tags": tags, "converts": [], "pullRequests": [] }))
    })
    .await
}
