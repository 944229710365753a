//! Receives a blob as a stream, and compares it with its digest.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use larder_core::Error;
use larder_core::store::Digest;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::timeout;

use super::download::parse;
use crate::context::Context;
use crate::failure::Failure;

/// Maximum time without data from a client.
const SILENCE: Duration = Duration::from_secs(60);
/// Number of pieces between the connection and the store.
const AHEAD: usize = 8;

/// A piece, or the end of the content. A stream that ends without the end was cut off.
enum Arrived {
    Piece(Bytes),
    End,
}

pub(super) async fn put(
    context: Context,
    digest: String,
    request: Request,
) -> Result<Response, Failure> {
    receive_blob(&context, request, Some(parse(&digest)?)).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Stores the body of a request as a blob, and returns its digest and size. It must be the `expected` digest, if there is one.
pub async fn receive_blob(
    context: &Context,
    request: Request,
    expected: Option<Digest>,
) -> Result<(Digest, u64), Failure> {
    let body = request.into_body();
    let stated = body.size_hint().exact();
    let (pieces, arriving) = channel(AHEAD);
    let work = context.clone();
    let write = context.blocking(move || write(&work, expected, stated, arriving));
    let (received, written) = futures_util::future::join(receive(body, pieces), write).await;
    // The store's failure is the reason why nothing more was received.
    let written = written?;
    received?;
    written.ok_or_else(|| Failure::bad_request("cannot read the blob: it ended early"))
}

/// Passes on what arrives, until the store takes no more.
async fn receive(body: Body, pieces: Sender<Arrived>) -> Result<(), Failure> {
    let mut body = body.into_data_stream();
    loop {
        let next = timeout(SILENCE, body.next()).await.map_err(|_| {
            let message = "cannot read the blob: nothing arrived for 60 seconds";
            Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
        })?;
        let arrived = match next {
            Some(Ok(piece)) => Arrived::Piece(piece),
            Some(Err(_)) => {
                return Err(Failure::bad_request("cannot read the blob: it ended early"));
            }
            None => Arrived::End,
        };
        let is_end = matches!(arrived, Arrived::End);
        if pieces.send(arrived).await.is_err() || is_end {
            return Ok(());
        }
    }
}

/// Writes what arrives; returns nothing if the receiver failed. A writer that is dropped leaves nothing behind.
fn write(
    context: &Context,
    expected: Option<Digest>,
    stated: Option<u64>,
    mut arriving: Receiver<Arrived>,
) -> Result<Option<(Digest, u64)>, Failure> {
    let failed = |error| Error::store("write a blob", error);
    let (mut writer, mut hasher, mut size) =
        (context.app.larder.store().write_blob()?, blake3::Hasher::new(), 0);
    loop {
        match arriving.blocking_recv() {
            Some(Arrived::Piece(piece)) => {
                hasher.update(&piece);
                size += piece.len() as u64;
                writer.write_bytes(piece).map_err(failed)?;
            }
            Some(Arrived::End) => break,
            // The reason is the one of the receiver.
            None => return Ok(None),
        }
    }
    if stated.is_some_and(|stated| stated != size) {
        return Err(Failure::bad_request("cannot read the blob: it ended early"));
    }
    let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
    if expected.is_some_and(|expected| expected != digest) {
        return Err(Failure::wrong_digest());
    }
    writer.finish(&digest)?;
    Ok(Some((digest, size)))
}
