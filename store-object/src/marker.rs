//! `larder.json`, which marks a place in a bucket as a larder, and a test of conditional writes.

use futures_util::TryStreamExt;
use larder_store::Corruption;
use larder_store::{Error, Result};
use object_store::path::Path;
use object_store::{Error as Cause, ObjectStoreExt, PutMode, PutPayload, UpdateVersion};
use serde::Deserialize;

use crate::bucket::Bucket;
use crate::failure::absent;

/// The format of new larders, and the newest format that can be read.
const FORMAT: u64 = 1;
const MARKER: &str = "larder.json";
/// Content of the marker.
const CONTENT: &str = r#"{"larder":1,"store":"object"}"#;
/// The folders and objects that belong to Larder.
const OWN: [&str; 3] = [MARKER, "blobs/", "records/"];

#[derive(Deserialize)]
struct Marker {
    larder: u64,
    store: String,
}

/// Checks that the place is a larder of a known format. Creates one if the place is empty.
pub(crate) async fn check_or_create(bucket: &Bucket) -> Result<()> {
    let path = bucket.path(MARKER)?;
    let found = match read(bucket, &path).await? {
        Some(found) => found,
        None => {
            refuse_foreign(bucket).await?;
            let mode = PutMode::Create;
            match bucket.service.put_opts(&path, CONTENT.into(), mode.into()).await {
                // Another process created it first.
                Ok(_) | Err(Cause::AlreadyExists { .. }) => {}
                Err(Cause::NotImplemented { .. } | Cause::NotSupported { .. }) => {
                    return Err(unconditional(bucket, "If-None-Match"));
                }
                Err(error) => return Err(bucket.failed("create a larder at", error)),
            }
            CONTENT.into()
        }
    };
    check(bucket, &found)?;
    probe(bucket, &path, found).await
}

/// Returns whether the place contains anything.
pub(crate) async fn is_there(bucket: &Bucket) -> Result<bool> {
    let path = bucket.path(MARKER)?;
    Ok(read(bucket, &path).await?.is_some() || first(bucket).await?.is_some())
}

async fn read(bucket: &Bucket, path: &Path) -> Result<Option<bytes::Bytes>> {
    let read = async {
        match absent(bucket.service.get(path).await)? {
            Some(found) => found.bytes().await.map(Some),
            None => Ok(None),
        }
    };
    read.await.map_err(|error| bucket.failed("open the larder at", error))
}

fn check(bucket: &Bucket, json: &[u8]) -> Result<()> {
    let what = bucket.url.to_string();
    let corrupt = |reason: String| Error::corrupt(&*bucket.url, Corruption::Unreadable(reason));
    let marker: Marker = serde_json::from_slice(json)
        .map_err(|error| corrupt(format!("cannot read its {MARKER}: {error}")))?;
    match marker {
        Marker { larder: FORMAT, store } if store == "object" => Ok(()),
        Marker { larder, .. } if larder > FORMAT => {
            Err(Error::NewerFormat { what, found: larder, known: FORMAT })
        }
        _ => Err(corrupt(format!("its {MARKER} does not name an `object` store"))),
    }
}

/// Refuses a place with content of another program.
async fn refuse_foreign(bucket: &Bucket) -> Result<()> {
    let Some(first) = first(bucket).await? else { return Ok(()) };
    let name = first.as_ref().strip_prefix(&*bucket.root).unwrap_or_default();
    if OWN.iter().any(|own| name.starts_with(own)) {
        return Ok(());
    }
    Err(Error::Refused {
        action: format!("use {} as a larder", bucket.url),
        reason: format!("it holds `{name}`; name an empty or a new prefix"),
    })
}

/// Returns the first object below the prefix.
async fn first(bucket: &Bucket) -> Result<Option<Path>> {
    let failed = |error| bucket.failed("open the larder at", error);
    let folder = Path::parse(&*bucket.root).map_err(|error| failed(error.into()))?;
    let first = bucket.service.list(Some(&folder)).try_next().await.map_err(failed)?;
    Ok(first.map(|first| first.location))
}

/// Sends conditional puts that must fail. If the service accepts one, writers would overwrite each other.
async fn probe(bucket: &Bucket, path: &Path, content: bytes::Bytes) -> Result<()> {
    let stale = UpdateVersion {
        e_tag: Some("\"00000000000000000000000000000000\"".into()),
        version: Some("1".into()),
    };
    let probes = [("If-None-Match", PutMode::Create), ("If-Match", PutMode::Update(stale))];
    for (condition, mode) in probes {
        let payload = PutPayload::from(content.clone());
        match bucket.service.put_opts(path, payload, mode.into()).await {
            Err(Cause::AlreadyExists { .. } | Cause::Precondition { .. }) => {}
            // A user with read access only needs no conditions.
            Err(Cause::PermissionDenied { .. } | Cause::Unauthenticated { .. }) => {}
            Ok(_) | Err(Cause::NotImplemented { .. } | Cause::NotSupported { .. }) => {
                return Err(unconditional(bucket, condition));
            }
            Err(error) => return Err(bucket.failed("test conditional writes on", error)),
        }
    }
    Ok(())
}

fn unconditional(bucket: &Bucket, condition: &str) -> Error {
    Error::Refused {
        action: format!("use {} as a larder", bucket.url),
        reason: format!(
            "its service ignores the condition {condition}, so writers would overwrite each other; use a \
             service with conditional writes"
        ),
    }
}
