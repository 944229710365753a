//! Sends a blob as a stream, from any byte on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use larder_core::store::{Blob, Digest, StoreExt};
use larder_core::{Error, Result};
use larder_store_http::protocol::BLOB_TYPE;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;

use crate::context::Context;
use crate::failure::Failure;

/// Number of bytes in a piece.
pub const PIECE: usize = 512 << 10;
/// Number of pieces between the store and the connection.
pub const AHEAD: usize = 4;
/// Maximum time for a client to read a piece.
pub const SILENCE: Duration = Duration::from_secs(60);

type Piece = Result<Bytes, io::Error>;

/// Parses the digest in a path.
pub(super) fn parse(hex: &str) -> Result<Digest, Failure> {
    Digest::from_hex(hex)
        .map_err(|_| Failure::not_found("cannot find the blob: its digest is none"))
}

pub(super) async fn get(
    context: Context,
    digest: String,
    request: Request,
) -> Result<Response, Failure> {
    let digest = parse(&digest)?;
    let tag = format!("\"{}\"", digest.to_hex());
    if request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| *known == *tag) {
        return answer(StatusCode::NOT_MODIFIED, &tag, Body::empty());
    }
    let work = context.clone();
    let found = context.blocking(move || {
        let store = work.app.larder.store();
        let size = store.stat_blobs(&[digest])?.pop().flatten();
        Ok(store.read_blob(&digest)?.zip(size))
    });
    let missing = || Failure::not_found("cannot find the blob: it is not in this larder");
    let (blob, size) = found.await?.ok_or_else(missing)?;
    let range = range(request.headers(), size);
    let (from, to) = match range {
        Some((from, to)) if from < to || size == 0 => (from, to),
        Some(_) => {
            let message = "cannot send the blob: it has no such range";
            return Err(Failure::new(StatusCode::RANGE_NOT_SATISFIABLE, "range", message));
        }
        None => (0, size),
    };
    let (pieces, sent) = channel::<Piece>(AHEAD);
    tokio::task::spawn_blocking(move || send(&blob, from, to, pieces));
    let body = Body::from_stream(stream::unfold(sent, |mut sent| async {
        sent.recv().await.map(|piece| (piece, sent))
    }));
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = answer(status, &tag, body)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, (to - from).into());
    if range.is_some() {
        let range = format!("bytes {from}-{}/{size}", to.saturating_sub(1));
        headers.insert(header::CONTENT_RANGE, value(&range)?);
    }
    Ok(response)
}

fn answer(status: StatusCode, tag: &str, body: Body) -> Result<Response, Failure> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::ETAG, value(tag)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BLOB_TYPE));
    // It never changes, and is for those alone who may read it.
    let cache = HeaderValue::from_static("private, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, cache);
    Ok(response)
}

/// Returns a text as the value of a header.
///
/// # Errors
/// [`Failure::internal`] if it cannot be one.
pub fn value(text: &str) -> Result<HeaderValue, Failure> {
    HeaderValue::from_str(text).map_err(|error| Failure::internal(error.to_string()))
}

/// Returns the first byte and the one after the last, if one range is asked for. Several are answered as none.
pub fn range(headers: &HeaderMap, size: u64) -> Option<(u64, u64)> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    let (first, last) = text.split_once('-')?;
    if first.is_empty() {
        let last: u64 = last.parse().ok()?;
        return Some((size.saturating_sub(last), size));
    }
    let first: u64 = first.parse().ok()?;
    let last = match last {
        "" => size,
        last => last.parse::<u64>().ok()?.saturating_add(1).min(size),
    };
    Some((first.min(last), last))
}

/// Sends a part of a blob, until the client is gone.
fn send(blob: &Blob, from: u64, to: u64, pieces: Sender<Piece>) {
    let pass_on = |piece: Bytes| {
        let sent = Handle::current().block_on(timeout(SILENCE, pieces.send(Ok(piece))));
        matches!(sent, Ok(Ok(())))
    };
    let sent = match blob.path() {
        Some(path) => from_file(path, from, to, pass_on),
        None => from_blob(blob, from, to, pass_on),
    };
    if let Err(error) = sent {
        tracing::error!(error = %error, "a blob that is being sent cannot be read");
        // The connection is cut, so that the client does not take a part for the whole.
        let _ = pieces.blocking_send(Err(io::Error::other("the blob cannot be read")));
    }
}

fn from_file(
    path: &Path,
    from: u64,
    to: u64,
    mut pass_on: impl FnMut(Bytes) -> bool,
) -> Result<()> {
    let failed = |error| Error::store(format!("read {}", path.display()), error);
    let mut file = File::open(path).map_err(failed)?;
    file.seek(SeekFrom::Start(from)).map_err(failed)?;
    let mut left = to - from;
    while left > 0 {
        let size = PIECE.min(usize::try_from(left).unwrap_or(PIECE));
        let mut piece = Vec::with_capacity(size);
        let read = file.by_ref().take(size as u64).read_to_end(&mut piece).map_err(failed)?;
        if read < size {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        left -= size as u64;
        if !pass_on(piece.into()) {
            break;
        }
    }
    Ok(())
}

/// Sends a part of a blob that is no file. What precedes the part is read and left out.
fn from_blob(
    blob: &Blob,
    from: u64,
    to: u64,
    mut pass_on: impl FnMut(Bytes) -> bool,
) -> Result<()> {
    /// The error that ends the reading once the client is gone or has all.
    const ENOUGH: &str = "the client has enough";
    let (mut at, mut is_enough) = (0_u64, false);
    let read = blob.for_each_piece(|piece| {
        let first = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX);
        let last = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
        let part = piece.get(first..last).unwrap_or_default();
        at += piece.len() as u64;
        for part in part.chunks(PIECE) {
            is_enough |= !pass_on(Bytes::copy_from_slice(part));
        }
        is_enough |= at >= to;
        if is_enough { Err(Error::store("read a blob", ENOUGH)) } else { Ok(()) }
    });
    if is_enough { Ok(()) } else { read }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_taken_as_http_says() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RANGE, text.parse().unwrap());
            range(&headers, 100)
        };
        assert_eq!(of("bytes=0-"), Some((0, 100)));
        assert_eq!(of("bytes=40-"), Some((40, 100)));
        assert_eq!(of("bytes=40-49"), Some((40, 50)));
        assert_eq!(of("bytes=40-1000"), Some((40, 100)));
        assert_eq!(of("bytes=-10"), Some((90, 100)));
        assert_eq!(of("bytes=100-"), Some((100, 100)), "there is nothing to send");
        assert_eq!(of("bytes=900-"), Some((100, 100)));
        for other in ["bytes=0-1,5-6", "lines=1-2", "bytes=x-", "bytes=-", "bytes"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn any_part_of_a_blob_is_sent_whether_or_not_it_is_a_file() {
        let content: Vec<u8> = (0..3 * PIECE + 17).map(|n| ((n * 31) >> 3) as u8).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blob");
        std::fs::write(&path, &content).unwrap();
        let blob = Blob::from(Bytes::from(content.clone()));
        let size = content.len();
        for (from, to) in [(0, size), (1, 2), (PIECE - 1, 2 * PIECE + 1), (size - 1, size), (5, 5)]
        {
            let (mut of_file, mut of_blob) = (Vec::new(), Vec::new());
            let take = |into: &mut Vec<u8>, piece: Bytes| {
                into.extend_from_slice(&piece);
                true
            };
            from_file(&path, from as u64, to as u64, |it| take(&mut of_file, it)).unwrap();
            from_blob(&blob, from as u64, to as u64, |it| take(&mut of_blob, it)).unwrap();
            assert!(of_file == content[from..to], "{from}..{to} of a file");
            assert!(of_blob == content[from..to], "{from}..{to}");
        }
        let mut count = 0;
        from_blob(&blob, 0, size as u64, |_| {
            count += 1;
            false
        })
        .unwrap();
        assert!(count <= 2, "a client that is gone ends the reading");
    }
}
