//! Sends a file, and compares it with its digest on the way.

use std::io;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use larder_core::store::{Blob, Corruption, StoreExt};
use larder_core::{Error, Result};
use larder_files::ListedFile;
use larder_server::extend::{AHEAD, Context, Failure, PIECE, SILENCE, range, value};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

type Piece = Result<Bytes, io::Error>;

/// Answers a request for a file, or for a range of it.
///
/// The whole file is read, whatever the range, and the last piece is sent once all of it has the file's digest: of a damaged
/// file a client never has all bytes that it asked for.
pub(crate) async fn send(
    context: &Context,
    file: ListedFile,
    parts: &Parts,
) -> Result<Response, Failure> {
    let ListedFile { digest, size, .. } = file;
    let headers = &parts.headers;
    let tag = format!("\"{}\"", digest.to_hex());
    let known = headers.get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|known| known.trim() == tag)) {
        return answer(StatusCode::NOT_MODIFIED, &tag, Body::empty());
    }
    let range = range_of(headers, size, &tag);
    let (from, to) = match range {
        Some((from, to)) if from < to => (from, to),
        Some(_) => {
            let message = "cannot send the file: it has no such range";
            return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", message));
        }
        None => (0, size),
    };
    let body = match parts.method == Method::HEAD {
        true => Body::empty(),
        false => {
            let work = context.clone();
            let blob = context.blocking(move || Ok(work.larder().store().read_blob(&digest)?));
            let missing = || Failure::internal(format!("the blob {} is missing", digest.to_hex()));
            let blob = blob.await?.ok_or_else(missing)?;
            let (pieces, sent) = channel::<Piece>(AHEAD);
            tokio::task::spawn_blocking(move || pass(&blob, file, (from, to), &pieces));
            Body::from_stream(stream::unfold(sent, |mut sent| async {
                sent.recv().await.map(|piece| (piece, sent))
            }))
        }
    };
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = answer(status, &tag, body)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    if range.is_some() {
        let range = format!("bytes {from}-{}/{size}", to.saturating_sub(1));
        headers.insert(header::CONTENT_RANGE, value(&range)?);
    } else if size == 0 && parts.headers.contains_key(header::RANGE) {
        // An empty file has no range; clients that ask for one to learn the size read it here.
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_static("bytes */0"));
    }
    Ok(response)
}

/// Returns the range that is asked for, unless it is of another content.
fn range_of(headers: &HeaderMap, size: u64, tag: &str) -> Option<(u64, u64)> {
    let is_other = headers.get(header::IF_RANGE).is_some_and(|known| known != tag);
    if is_other || size == 0 { None } else { range(headers, size) }
}

/// Headers that keep a browser from showing an uploaded file as a page of this server.
fn answer(status: StatusCode, tag: &str, body: Body) -> Result<Response, Failure> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(tag)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, plain);
    let attached = HeaderValue::from_static("attachment");
    headers.insert(header::CONTENT_DISPOSITION, attached);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The error that ends the reading once the client is gone.
const GONE: &str = "the client is gone";

fn pass(blob: &Blob, file: ListedFile, part: (u64, u64), pieces: &Sender<Piece>) {
    let send = |piece: Piece| {
        let sent = Handle::current().block_on(timeout(SILENCE, pieces.send(piece)));
        match sent {
            Ok(Ok(())) => Ok(()),
            _ => Err(Error::store("send a file", GONE)),
        }
    };
    let mut is_gone = false;
    let passed = checked(blob, file, part, |piece| send(Ok(piece)).inspect_err(|_| is_gone = true));
    if let (Err(error), false) = (passed, is_gone) {
        tracing::error!(error = %error, "a file that is being sent cannot be read");
        // The connection is cut, so that the client does not take a part for the whole.
        let _ = send(Err(io::Error::other("the file cannot be read")));
    }
}

/// Passes a part of a blob on, the last piece of it once the digest of the whole is right.
fn checked(
    blob: &Blob,
    file: ListedFile,
    (from, to): (u64, u64),
    mut pass_on: impl FnMut(Bytes) -> Result<()>,
) -> Result<()> {
    let (mut hasher, mut at, mut held) = (blake3::Hasher::new(), 0_u64, None::<Bytes>);
    blob.for_each_piece(|whole| {
        for piece in whole.chunks(PIECE) {
            hasher.update(piece);
            let first = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
            let last = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX);
            let part = piece.get(first..last.min(piece.len())).unwrap_or_default();
            at += piece.len() as u64;
            if !part.is_empty()
                && let Some(before) = held.replace(Bytes::copy_from_slice(part))
            {
                pass_on(before)?;
            }
        }
        Ok(())
    })?;
    let what = || format!("the blob {}", file.digest.to_hex());
    if at != file.size {
        return Err(Error::corrupt(what(), Corruption::Size { expected: file.size, found: at }));
    }
    let found = larder_core::store::Digest::from_bytes(*hasher.finalize().as_bytes());
    if found != file.digest {
        return Err(Error::corrupt(what(), Corruption::Digest { expected: file.digest, found }));
    }
    held.map_or(Ok(()), pass_on)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use larder_core::store::Digest;

    use super::*;

    #[test]
    fn a_part_is_passed_on_whole_only_if_the_file_has_its_digest() {
        let content: Vec<u8> = (0..3 * PIECE + 17).map(|n| ((n * 31) >> 3) as u8).collect();
        let file = ListedFile {
            digest: Digest::of(&content),
            size: content.len() as u64,
            executable: false,
        };
        let mut damaged = content.clone();
        let at = damaged.len() - 1;
        damaged[at] ^= 1;
        let (good, bad) =
            (Blob::from(Bytes::from(content.clone())), Blob::from(Bytes::from(damaged)));
        let size = content.len();
        for (from, to) in [(0, size), (1, 2), (PIECE - 1, 2 * PIECE + 1), (size - 1, size), (5, 5)]
        {
            let part = (from as u64, to as u64);
            let mut got = Vec::new();
            let mut take = |piece: Bytes| {
                got.extend_from_slice(&piece);
                Ok(())
            };
            checked(&good, file, part, &mut take).unwrap();
            assert!(got == content[from..to], "{from}..{to}");
            let mut got = 0;
            let failed = checked(&bad, file, part, |piece| {
                got += piece.len();
                Ok(())
            });
            assert!(matches!(failed, Err(Error::Corrupt { .. })), "{from}..{to}");
            assert!(got < (to - from).max(1), "{from}..{to}: {got}");
        }
        let shorter = ListedFile { size: file.size - 1, ..file };
        assert!(checked(&good, shorter, (0, 1), |_| Ok(())).is_err());
    }
}
