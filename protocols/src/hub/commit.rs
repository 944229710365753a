//! Commits: a line of JSON for each change of a file.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use larder_access::Resource;
use larder_core::extend::Records;
use larder_core::store::{Action, Digest, StoreExt, TreePath};
use larder_core::versions::AnnotationsChange;
use larder_core::{Applied, ApplyOptions, Artifact, Identifier};
use larder_files::{FileContent, ListedFile, Tree, TreeFile};
use larder_server::extend::{Context, Failure, SILENCE};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::timeout;
use url::form_urlencoded;

use super::info::{answer, json_of, revision};
use super::repo::{MAIN, split};
use crate::trees;

/// The most bytes of a file in a commit. Larger ones are for Larder's own clients.
pub(super) const MOST_FILE: u64 = 32 << 20;
/// The most bytes of a line.
const MOST_LINE: usize = (MOST_FILE as usize).div_ceil(3) * 4 + (16 << 10);
/// The most changes of a commit.
const MOST_CHANGES: usize = 100_000;
/// The most bytes of files that wait in memory for the commit; others are written before it.
const MOST_WAITING: usize = 8 << 20;
/// The most bytes of a file that waits in memory.
const SMALL: usize = 64 << 10;

#[derive(Deserialize)]
struct Announced {
    #[serde(default)]
    files: Vec<AnnouncedFile>,
}

#[derive(Deserialize)]
struct AnnouncedFile {
    path: String,
    #[serde(default)]
    size: u64,
}

/// Says how files are to be sent: as a part of the commit.
pub(super) async fn preupload<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let checked = check_branch(&request, split::<N>(&rest)?.1);
    let announced: Announced = json_of(&context, request).await?;
    checked?;
    if announced.files.iter().any(|file| file.size > MOST_FILE) {
        return Err(too_large());
    }
    let mode = |file: AnnouncedFile| json!({ "path": file.path, "uploadMode": "regular", "shouldIgnore": false });
    let files: Vec<Value> = announced.files.into_iter().map(mode).collect();
    answer(&context, move |_| Ok(json!({ "files": files }))).await
}

fn too_large() -> Failure {
    let message =
        "cannot upload a file of over 32 MiB by this protocol: use `larder put`, or MLflow";
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

/// There is one branch, and no pull request.
fn check_branch(request: &Request, rest: &str) -> Result<(), Failure> {
    let query = request.uri().query().unwrap_or_default();
    let is_pull_request = form_urlencoded::parse(query.as_bytes())
        .any(|(key, value)| key == "create_pr" && !["", "0", "false"].contains(&&*value));
    match revision(rest).0 == MAIN && !is_pull_request {
        true => Ok(()),
        false => Err(Failure::bad_request(
            "cannot commit: commits go to `main`; there are no other branches, and no pull requests",
        )),
    }
}

/// A line of a commit.
#[derive(Deserialize)]
struct Line {
    key: String,
    value: LineValue,
}

#[derive(Deserialize)]
struct LineValue {
    #[serde(default)]
    path: String,
    #[serde(default)]
    content: String,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    summary: String,
    #[serde(default, rename = "parentCommit")]
    parent: Option<String>,
}

/// A change of a file.
enum Change {
    Small(Bytes),
    Stored(Digest, u64),
    Removed,
    FolderRemoved,
}

/// The changes of a commit.
#[derive(Default)]
struct Changes {
    summary: String,
    parent: Option<String>,
    files: Vec<(TreePath, Change)>,
    waiting: usize,
}

pub(super) async fn commit<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let (name, rest) = split::<N>(&rest)?;
    check_branch(&request, rest)?;
    let url = context.url(request.headers());
    let changes = receive(&context, request.into_body()).await?;
    answer(&context, move |context| {
        let applied = make(context, &name, changes)?;
        let id: String = applied.version().digest.to_hex().chars().take(40).collect();
        Ok(json!({
            "success": true,
            "commitUrl": format!("{url}/{name}/commit/{id}"),
            "commitOid": id,
            "hookOutput": "",
        }))
    })
    .await
}

/// Reads the lines, one at a time.
async fn receive(context: &Context, body: Body) -> Result<Changes, Failure> {
    let (mut changes, mut line) = (Changes::default(), BytesMut::new());
    let mut body = body.into_data_stream();
    let silence: Duration = SILENCE;
    loop {
        let next = timeout(silence, body.next()).await.map_err(|_| {
            let message = "cannot read the commit: nothing arrived for 60 seconds";
            Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
        })?;
        let ended = next.is_none();
        if let Some(piece) = next {
            let early = |_| Failure::bad_request("cannot read the commit: it ended early");
            let mut piece = piece.map_err(early)?;
            while let Some(at) = piece.iter().position(|b| *b == b'\n') {
                line.extend_from_slice(&piece.split_to(at + 1));
                changes = add(context, changes, line.split().freeze()).await?;
            }
            line.extend_from_slice(&piece);
            if line.len() > MOST_LINE {
                return Err(too_large());
            }
        }
        if ended {
            return add(context, changes, line.freeze()).await;
        }
    }
}

/// Adds the change of a line.
async fn add(context: &Context, mut changes: Changes, line: Bytes) -> Result<Changes, Failure> {
    if line.len() > MOST_LINE {
        return Err(too_large());
    }
    if line.trim_ascii().is_empty() {
        return Ok(changes);
    }
    if changes.files.len() == MOST_CHANGES {
        return Err(Failure::too_many("cannot commit: there are over 100,000 changes"));
    }
    let work = context.clone();
    context
        .blocking(move || {
            let unreadable =
                || Failure::bad_request("cannot read the commit: a line is no change in JSON");
            let line: Line = serde_json::from_slice(&line).map_err(|_| unreadable())?;
            let Line { key, value } = line;
            let change = match key.as_str() {
                "header" => {
                    changes.summary = value.summary;
                    changes.parent = value.parent.filter(|parent| !parent.is_empty());
                    return Ok(changes);
                }
                "file" => {
                    if value.encoding.as_deref().is_some_and(|encoding| encoding != "base64") {
                        return Err(Failure::bad_request(
                            "cannot read the commit: a file is encoded in base64",
                        ));
                    }
                    let content = BASE64_STANDARD.decode(value.content.as_bytes());
                    let content = Bytes::from(content.map_err(|_| unreadable())?);
                    if content.len() as u64 > MOST_FILE {
                        return Err(too_large());
                    }
                    match content.len() <= SMALL && changes.waiting + content.len() <= MOST_WAITING
                    {
                        true => {
                            changes.waiting += content.len();
                            Change::Small(content)
                        }
                        false => {
                            let (digest, size) = (Digest::of(&content), content.len() as u64);
                            work.larder().store().put_blob(&digest, content)?;
                            Change::Stored(digest, size)
                        }
                    }
                }
                "deletedFile" | "deletedEntry" => Change::Removed,
                "deletedFolder" => Change::FolderRemoved,
                _ => {
                    return Err(Failure::bad_request(
                        "cannot commit: files are added and deleted; there is no Git LFS",
                    ));
                }
            };
            let path = TreePath::new(value.path.trim_end_matches('/'))?;
            changes.files.push((path, change));
            Ok(changes)
        })
        .await
}

/// Makes the version: the newest one with the changes.
fn make(context: &Context, name: &Identifier, changes: Changes) -> Result<Applied, Failure> {
    let larder = context.larder();
    let resource = Resource::Name(name.clone());
    Handle::current().block_on(context.log(Action::Write, &resource))?;
    let latest = larder.head(name)?.and_then(|head| head.latest);
    let what = format!("the files of {name}");
    let mut options = ApplyOptions::new();
    let mut files: BTreeMap<TreePath, TreeFile> = BTreeMap::new();
    if let Some(latest) = &latest {
        // A version that somebody may write, but not read, would be shown by what is committed on it.
        context.authorize(Action::Read, &resource)?;
        let listing = trees::listing(context, name, &latest.manifest)?.ok_or_else(|| {
            let message = "cannot commit: the newest version is no folder of files";
            Failure::new(StatusCode::CONFLICT, "refused", message)
        })?;
        options = options.onto(latest.manifest);
        let file =
            |(path, file): (&TreePath, &ListedFile)| (path.clone(), file.to_file(larder, &what));
        files = listing.files.iter().map(file).collect();
    }
    if let Some(parent) = &changes.parent {
        let is_newest =
            latest.is_some_and(|latest| latest.manifest.to_hex().starts_with(parent.as_str()));
        if !is_newest || parent.len() < 7 {
            let message = "cannot commit: the parent is not the newest version any more";
            return Err(Failure::new(StatusCode::PRECONDITION_FAILED, "conflict", message));
        }
    }
    for (path, change) in changes.files {
        match change {
            Change::Small(bytes) => {
                let content = Artifact::from(FileContent::of(bytes));
                files.insert(path, TreeFile { content, executable: false });
            }
            Change::Stored(digest, size) => {
                let file = ListedFile { digest, size, executable: false };
                files.insert(path, file.to_file(larder, &what));
            }
            Change::Removed => {
                files.remove(&path);
            }
            Change::FolderRemoved => {
                let prefix = format!("{path}/");
                files.retain(|path, _| !path.as_str().starts_with(&prefix));
            }
        }
    }
    let applied = larder.apply_with(name, &Tree::folder(files)?, &options)?;
    let summary = changes.summary.trim();
    if applied.is_created() && !summary.is_empty() && context.may(Action::Annotate, &resource) {
        let change = AnnotationsChange::new().description(summary);
        if change.check().is_ok() {
            larder.annotate(applied.version().reference(), &change)?;
        }
    }
    Ok(applied)
}
