//! The protocol of a larder over HTTP: routes, bodies and limits, shared by client and server.
//!
//! Each operation of a [`Store`](larder_store::Store) is one `POST` whose body and answer are MessagePack with named fields,
//! except that `GET` and `PUT` of a blob stream its bytes, and `GET` of [`INFO`] answers JSON. An answer with another status
//! than 2xx is an [`ErrorBody`] in JSON.

mod limits;
mod requests;
mod wire;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use limits::*;
pub use requests::*;
pub use wire::{WireChange, WireDigest, WireExpected, WireKey, WireRecord};

/// The format of the protocol.
pub const FORMAT: u64 = 1;
/// Route of the description of the server; also the beginning of all other routes.
pub const INFO: &str = "/store/v1";
/// Route of the owner of a token.
pub const WHOAMI: &str = "/whoami";
/// Route of one blob, followed by its 64 hex digits.
pub const BLOBS: &str = "/store/v1/blobs/";
/// Media type of requests and answers.
pub const MEDIA_TYPE: &str = "application/msgpack";
/// Media type of the bytes of a blob.
pub const BLOB_TYPE: &str = "application/octet-stream";

/// A request, with its route and its answer.
pub trait Request: Serialize + DeserializeOwned {
    /// The route.
    const ROUTE: &'static str;
    /// The body of the answer.
    type Answer: Serialize + DeserializeOwned;

    /// Checks the limits of the protocol, and returns the one that is exceeded.
    ///
    /// # Errors
    /// The text says which limit, and what it is.
    fn check(&self) -> Result<(), String>;
}

/// The server's description of itself, in JSON.
///
/// Unknown fields are ignored, so that later servers can say more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// The format of the protocol.
    pub larder_store: u64,
    /// See [`Capabilities::atomic_commit`](larder_store::Capabilities::atomic_commit).
    pub atomic_commit: bool,
    /// See [`Capabilities::isolated_commit`](larder_store::Capabilities::isolated_commit).
    pub isolated_commit: bool,
    /// See [`Capabilities::inline_blob`](larder_store::Capabilities::inline_blob).
    pub inline_blob: u64,
}

/// The owner of a token, in JSON, as far as clients read it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Whoami {
    /// The user or service; `None` on a server that asks for no token.
    pub name: Option<String>,
}

/// The body of an answer that is no success, in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// An error, without payloads, paths and stack traces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    /// What programs act on, such as `not_found`.
    pub code: String,
    /// What people read.
    pub message: String,
    /// The request in the log of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Encodes a request or an answer.
///
/// # Errors
/// Those of the serializer.
pub fn encode<T: Serialize>(value: &T) -> Result<Bytes, String> {
    rmp_serde::to_vec_named(value).map(Bytes::from).map_err(|error| error.to_string())
}

/// Decodes a request or an answer. Refuses what follows it.
///
/// # Errors
/// The text says what is wrong, and repeats nothing.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut rest = bytes;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    deserializer.set_max_depth(MAX_DEPTH);
    let value = T::deserialize(&mut deserializer).map_err(|error| match error {
        rmp_serde::decode::Error::Syntax(reason) => shortened(reason),
        error => shortened(error.to_string()),
    })?;
    match rest {
        [] => Ok(value),
        rest => Err(format!("{} bytes follow it", rest.len())),
    }
}

/// Cuts a text that a peer has chosen.
fn shortened(mut text: String) -> String {
    if let Some((cut, _)) = text.char_indices().nth(200) {
        text.truncate(cut);
        text.push('…');
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
