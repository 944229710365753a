//! A large blob, read as a stream that continues where a connection was cut.

use std::sync::Arc;

use bytes::Bytes;
use larder_store::files::collect_pieces;
use larder_store::runtime::{start, wait};
use larder_store::{BlobSource, Corruption, Digest, Error, Result};
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, RANGE};
use reqwest::{Method, Response, StatusCode};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;

use crate::blobs::route_of;
use crate::connection::{Connection, silent};
use crate::failure::Failure;

/// Bytes that are passed on together.
const PORTION: usize = 1 << 20;
/// Number of portions that are fetched ahead of their use.
const AHEAD: usize = 3;

/// A large blob on a server.
pub(crate) struct HttpSource {
    server: Arc<Connection>,
    digest: Digest,
    size: u64,
}

impl HttpSource {
    pub(crate) fn new(server: Arc<Connection>, digest: Digest, size: u64) -> Self {
        Self { server, digest, size }
    }
}

impl BlobSource for HttpSource {
    fn bytes(&self) -> Result<Bytes> {
        collect_pieces(|take| self.for_each_piece(take))
    }

    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (portions, mut arrived) = mpsc::channel(AHEAD);
        let fetch = Fetch {
            server: self.server.clone(),
            digest: self.digest,
            size: self.size,
            at: 0,
            portion: Portion::default(),
            portions,
        };
        // Dropping the task, as after an error of `take`, ends the request.
        let fetching = start(fetch.run())?;
        loop {
            let (next, rest) = wait(async move { Ok((arrived.recv().await, arrived)) })?;
            arrived = rest;
            match next {
                Some(portion) => portion.pieces.iter().try_for_each(|piece| take(piece))?,
                None => return fetching.wait(),
            }
        }
    }
}

/// The fetching of one blob.
struct Fetch {
    server: Arc<Connection>,
    digest: Digest,
    size: u64,
    /// Number of bytes that arrived.
    at: u64,
    /// What was not passed on yet.
    portion: Portion,
    portions: Sender<Portion>,
}

/// Bytes as they arrived, which are never copied.
#[derive(Default)]
struct Portion {
    pieces: Vec<Bytes>,
    size: usize,
}

impl Fetch {
    async fn run(mut self) -> Result<()> {
        let action = format!("read the blob {} from {}", self.digest.short(), self.server.url());
        let server = self.server.clone();
        let mut retries = server.retries();
        while self.at < self.size {
            let before = self.at;
            let Err(failure) = self.fetch(&action).await else { break };
            if self.at > before {
                retries.reset();
            }
            retries.wait(failure, &action).await?;
        }
        self.pass_on().await;
        Ok(())
    }

    /// Fetches the rest, as far as the connection lasts.
    async fn fetch(&mut self, action: &str) -> Result<(), Failure> {
        let mut request = self.server.request(Method::GET, &route_of(&self.digest));
        if self.at > 0 {
            request = request.header(RANGE, format!("bytes={}-", self.at));
        }
        let sent = timeout(self.server.timeout(), request.send()).await;
        let response = match sent {
            Ok(Ok(response)) if response.status() == StatusCode::NOT_FOUND => {
                let what = format!("the blob {}", self.digest);
                return Err(Failure::Definite(Error::corrupt(what, Corruption::Missing)));
            }
            Ok(Ok(response)) => self.server.success(action, response).await?,
            Ok(Err(error)) => return Err(Failure::of_connection(action, &error)),
            Err(_) => return Err(silent(self.server.timeout())),
        };
        let skip = self.skip_of(response.status(), response.headers());
        let skip =
            skip.map_err(|reason| Failure::Definite(self.server.misunderstood(action, reason)))?;
        self.take_all(action, response, skip).await
    }

    /// Returns how many bytes of an answer have arrived before.
    fn skip_of(&self, status: StatusCode, headers: &HeaderMap) -> Result<u64, &'static str> {
        let text = |name| headers.get(name)?.to_str().ok();
        if text(ETAG).is_some_and(|tag| tag.trim_matches('"') != self.digest.to_hex()) {
            return Err("it is of another blob");
        }
        if status != StatusCode::PARTIAL_CONTENT {
            return Ok(self.at);
        }
        let range = text(CONTENT_RANGE).and_then(|range| range.strip_prefix("bytes "));
        let first = range.and_then(|range| range.split('-').next()?.parse::<u64>().ok());
        match first {
            Some(first) if first <= self.at => Ok(self.at - first),
            _ => Err("it is of another range"),
        }
    }

    async fn take_all(
        &mut self,
        action: &str,
        mut response: Response,
        mut skip: u64,
    ) -> Result<(), Failure> {
        while self.at < self.size {
            let mut chunk = match timeout(self.server.timeout(), response.chunk()).await {
                Ok(Ok(Some(chunk))) => chunk,
                Ok(Ok(None)) => {
                    let found = self.at;
                    let fault = Corruption::Size { expected: self.size, found };
                    let what = format!("the blob {}", self.digest);
                    return Err(Failure::Definite(Error::corrupt(what, fault)));
                }
                Ok(Err(error)) => return Err(Failure::of_connection(action, &error)),
                Err(_) => return Err(silent(self.server.timeout())),
            };
            let known =
                chunk.split_to(chunk.len().min(usize::try_from(skip).unwrap_or(usize::MAX)));
            skip -= known.len() as u64;
            // Content beyond the size is a fault that the digest would show, so the rest is not read.
            let room = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
            if chunk.len() > room {
                let found = self.at + chunk.len() as u64;
                let fault = Corruption::Size { expected: self.size, found };
                let what = format!("the blob {}", self.digest);
                return Err(Failure::Definite(Error::corrupt(what, fault)));
            }
            self.at += chunk.len() as u64;
            self.portion.size += chunk.len();
            self.portion.pieces.push(chunk);
            if self.portion.size >= PORTION {
                self.pass_on().await;
            }
        }
        Ok(())
    }

    async fn pass_on(&mut self) {
        let portion = std::mem::take(&mut self.portion);
        // Fails only if nobody reads any more; then this task is about to be dropped.
        let _ = self.portions.send(portion).await;
    }
}
